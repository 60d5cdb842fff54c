"""Answers that are not quite what Clio documents: what is certain is taken, what is not is named, the rest is kept."""

import datetime as dt
import json
import logging
import math
import time

import pandas as pd
import pytest

import clio_nb
from clio_nb import errors
from clio_nb.firm.manifest import parse_manifest
from clio_nb.http import messages, oauth
from clio_nb.models import CustomAction, Record, Subject, Token, User
from clio_nb.secret import Secret
from clio_nb.tables import actions_frame
from clio_nb.vocabulary import Location

ROWS = [
    {"id": 1, "name": "Ada", "enabled": True, "roles": ["Attorney"], "account": {"id": 9, "name": "Firm"}},
    {"id": 2, "name": "Ben", "enabled": False, "roles": None, "account": None},
    {"id": 3, "name": "Cy", "email": "cy@firm.example"},
]
ACTION = {
    "id": 5,
    "etag": '"a"',
    "label": "Sign",
    "target_url": "https://partner.example/launch",
    "ui_reference": "matters/show",
    "created_at": "2026-01-15T17:00:00+00:00",
}


def decipher(body, shape, request=None):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return messages.decipher(request or messages.list_users(), 200, {"content-type": "application/json"}, raw, shape)


def with_odd(rows, number, **odd):
    return {"data": [row | odd if at == number else row for at, row in enumerate(rows)]}


ODD = [None, [], {}, [1], {"a": 1}, "no", "", 1.5, -1, True, "\ud83d", 1e400, 10**30]
NAMES = ["enabled", "name", "email", "roles", "subscription_type", "account"]


@pytest.mark.parametrize("odd", ODD, ids=ascii)
@pytest.mark.parametrize("name", NAMES)
def test_n4_an_odd_value_in_one_row_is_taken_or_named_and_hides_no_row(name, odd):
    answer = decipher(with_odd(ROWS, 1, **{name: odd}), list[User])
    assert [user.id for user in answer.data] == [1, 2, 3]
    assert (answer.data[0].roles, answer.data[2].email) == (("Attorney",), "cy@firm.example")
    assert not answer.left_out
    taken = getattr(answer.data[1], name)
    assert list(answer.ignored) in ([], [f"data[1].{name}"], [f"data[1].{name}.id"])
    if answer.ignored:
        assert taken in (None, True, "\ufffd")
    else:
        assert taken is None or taken == odd or str(taken) == str(odd) or taken == ()


FAR = ["0001-01-01T00:00:00Z", "1600-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-01-15T17:00:00+23:59"]
ACTION_NAMES = ["etag", "label", "target_url", "ui_reference", "created_at", "updated_at"]


@pytest.mark.parametrize(
    "odd", [*ODD, "2026-02-30T00:00:00Z", "2026-01-15T17:00:00", "15/01/2026", 1.7e12, *FAR], ids=ascii
)
@pytest.mark.parametrize("name", ACTION_NAMES)
def test_n4_an_odd_value_of_an_action_hides_no_action_from_the_table(name, odd):
    body = {"data": [ACTION, ACTION | {"id": 6, name: odd}, ACTION | {"id": 7}]}
    answer = decipher(body, list[CustomAction], messages.list_actions())
    assert [action.id for action in answer.data] == [5, 6, 7]
    assert list(answer.ignored) in ([], [f"data[1].{name}"])
    frame = actions_frame((User(id=1), action) for action in answer.data)
    assert frame["action_id"].tolist() == [5, 6, 7]
    assert frame.loc[[0, 2], "created_at"].notna().all()


@pytest.mark.parametrize(("text", "number"), [("2", 2), ("9007199254740993", 2**53 + 1), (2.0, 2)])
def test_n4_an_id_as_text_is_the_id(text, number):
    answer = decipher(with_odd(ROWS, 1, id=text), list[User])
    assert [user.id for user in answer.data] == [1, number, 3]
    assert (answer.ignored, answer.left_out) == ([], [])
    assert decipher({"data": ROWS[0] | {"account": {"id": text}}}, User).data.account.id == number


@pytest.mark.parametrize(
    "odd", [None, "", "x", [], {}, True, 1.5, 0, -1, "0", 2**63, "9" * 40, math.nan, 1e400, " 2"], ids=ascii
)
def test_n4_a_row_without_an_id_is_left_out_and_named(odd):
    answer = decipher(with_odd(ROWS, 1, id=odd), list[User])
    assert [user.id for user in answer.data] == [1, 3]
    assert (answer.ignored, answer.left_out) == ([], ["data[1].id"])
    with pytest.raises(errors.UnexpectedAnswer, match=r"unexpected value in data\.id\. Try again") as caught:
        decipher({"data": ROWS[0] | {"id": odd}}, User)
    assert "proxy" not in str(caught.value)


@pytest.mark.parametrize("row", [None, [], "text", 5, True, {}])
def test_n4_a_row_that_is_none_is_left_out_and_named(row):
    answer = decipher({"data": [ROWS[0], row, ROWS[2]]}, list[User])
    assert [user.id for user in answer.data] == [1, 3]
    assert answer.left_out == ["data[1].id" if row == {} else "data[1]"]


@pytest.mark.parametrize("data", [None, {}, "text", 5, True])
def test_n4_a_list_that_is_none_is_named_and_no_proxy_blamed(data):
    with pytest.raises(errors.UnexpectedAnswer, match=r"unexpected value in data\. Try again") as caught:
        decipher({"data": data}, list[User])
    assert "proxy" not in str(caught.value)


@pytest.mark.parametrize(
    ("meta", "path"),
    [
        (None, ""),
        ([], ""),
        ({}, ""),
        ({"paging": None}, ""),
        ({"paging": []}, ""),
        ({"paging": {"next": None}}, ""),
        ({"paging": {"next": ""}}, ""),
        ({"paging": {"next": False}}, ""),
        ("more", "meta"),
        ([1], "meta"),
        ({"paging": "x"}, "meta.paging"),
        ({"paging": {"next": 5}}, "meta.paging.next"),
        ({"paging": {"next": {"url": "x"}}}, "meta.paging.next"),
    ],
)
def test_n4_paging_of_an_odd_type_keeps_the_rows_and_says_that_there_may_be_more(meta, path):
    answer = decipher({"data": ROWS, "meta": meta}, list[User])
    assert ([user.id for user in answer.data], answer.next) == ([1, 2, 3], None)
    assert list(answer.left_out) == [path] * bool(path)


def test_n4_a_next_page_at_no_address_is_not_followed():
    with pytest.raises(errors.UnexpectedAnswer, match="not followed"):
        decipher({"data": ROWS, "meta": {"paging": {"next": "https://[x/api/v4/users"}}}, list[User])


@pytest.mark.parametrize(
    "body",
    [
        b'\xef\xbb\xbf{"data":[{"id":1}]}',
        b'{"data":[{"id":1,"unknown":1e400}]}',
        b'{"data":[{"id":1,"unknown":NaN}]}',
        b'{"data":[{"id":1,"unknown":"\\ud83d"}]}',
        b'{"data":[{"id":1,"unknown":"caf\xe9"}]}',
    ],
)
def test_n4_what_stands_in_a_field_that_nobody_asked_for_hides_nothing(body):
    assert [user.id for user in decipher(body, list[User]).data] == [1]


@pytest.mark.parametrize(
    ("text", "shown"), [(b"caf\xe9", "caf\ufffd"), (b"\\ud83d!", "\ufffd!"), (b"\xff\\udcff", "\ufffd" * 2)]
)
def test_n4_half_an_emoji_and_what_is_no_utf8_is_a_placeholder_and_named(text, shown):
    answer = decipher(b'{"data":[{"id":1,"name":"%s"},{"id":2,"name":"\xc3\xa9\\ud83d\\ude00"}]}' % text, list[User])
    assert [user.name for user in answer.data] == [shown, "é😀"]
    assert answer.ignored == ["data[0].name"]


def test_n4_a_delete_is_done_whatever_comes_with_it():
    for body in ({"data": None}, {"data": {"id": 1}}, {"data": []}):
        assert decipher(body, type(None), messages.delete_action(1)).data is None


# Over HTTP, with what people see.


@pytest.fixture
def session(clio_sandbox):
    return clio_nb.login(clio_sandbox)


def answered(site, path, body, times=1):
    site.fault("status", path=path, status=200, body=body, times=times)


def test_n4_odd_rows_are_logged_with_their_paths_and_without_their_values(session, clio_sandbox, caplog):
    rows = [row | {"enabled": "canary", "roles": "canary"} for row in ROWS] + [{"id": "canary"}]
    answered(clio_sandbox, "/api/v4/users", {"data": rows})
    assert [user.id for user in session.list_users()] == [1, 2, 3]
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    ignored, left_out = said
    assert ignored.endswith(
        "unexpected values, which were ignored: data[0].enabled, data[0].roles, data[1].enabled and 3 more"
    )
    assert left_out.startswith("GET /api/v4/users: The list is not whole")
    assert "data[3].id. Try again later." in left_out
    assert "canary" not in caplog.text


def test_n4_a_hostile_name_of_a_field_stays_on_one_short_line(session, clio_sandbox, caplog):
    name = json.dumps("\x1b[31m\n" + "x" * 5000)
    answered(clio_sandbox, "/api/v4/matters", '{"data": [{"id": 1, ' + name + ': "\\ud83d"}]}')
    assert len(session.list_records("matters")) == 1
    (said,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert said.isprintable()
    assert len(said) < 300


@pytest.mark.parametrize("odd", [None, "x", {}, True, 0])
def test_n4_a_record_without_an_id_is_left_out_and_the_others_listed(session, clio_sandbox, caplog, odd):
    answered(clio_sandbox, "/api/v4/matters", {"data": [{"id": "7", "display_number": 12}, {"id": odd}, {}, {"id": 8}]})
    records = session.list_records("matters")
    assert [record.subject for record in records] == [Subject(Location.MATTERS, 7), Subject(Location.MATTERS, 8)]
    assert records[0].title == "12"
    assert "data[1].id, data[2].id" in caplog.text


@pytest.mark.parametrize("odd", [None, [], {"a": 1}, 1.5, ""])
def test_n4_a_title_is_a_text_whatever_stands_in_its_field(odd):
    subject = Subject(Location.MATTERS, 7)
    assert Record(subject, {"display_number": odd, "name": "Estate"}).title == "Estate"
    assert Record(subject, {"display_number": odd}).title == "Matter 7"


def test_n4_a_record_whose_id_is_text_is_the_one_asked_for(session, clio_sandbox):
    subject = Subject(Location.MATTERS, 7)
    answered(clio_sandbox, "/api/v4/matters/7", {"data": {"id": "7"}})
    assert session.record(subject).data == {"id": "7"}
    answered(clio_sandbox, "/api/v4/matters/7", {"data": {"id": "8"}})
    with pytest.raises(errors.UnexpectedAnswer, match="different record"):
        session.record(subject)


def test_n4_a_launch_is_proved_by_a_record_whose_id_is_text(session, clio_sandbox):
    action = session.create_action("Sign", "https://partner.example/launch", "matters")
    matter = session.list_records("matters")[0].subject
    for record_id, state in ((str(matter.record_id), "verified"), (str(matter.record_id + 1), "refused")):
        url = clio_sandbox.click(session.user.id, action.id, matter.path)
        answered(clio_sandbox, matter.path, {"data": {"id": record_id}})
        assert clio_nb.verify_launch(url, session).state == state


# A firm: what cannot be seen is never taken for gone.


@pytest.fixture
def firm(clio_sandbox):
    firm = clio_nb.Firm(clio_sandbox, clio_nb.Vault())
    firm.sign_in_everyone()
    return firm


MANIFEST = """[app]
name = "partner"
[[actions]]
key = "sign"
label = "Sign"
target_url = "https://partner.example/launch"
locations = ["matters"]
"""


def test_n4_an_action_that_cannot_be_read_is_neither_made_again_nor_called_gone(firm, clio_sandbox):
    firm.apply(firm.plan(parse_manifest(MANIFEST)))
    before = len(clio_sandbox.requests)
    clio_sandbox.fault("status", path="/api/v4/custom_actions", status=200, body={"data": [{"id": None}]}, times=5)
    plan = firm.plan_offboard()
    assert not plan.changes
    assert plan.leaves_ours
    assert {item.kind for item in plan.items} == {"blocked"}
    assert all("data[0].id" in item.reason + item.advice for item in plan.items)
    assert {request["method"] for request in clio_sandbox.requests[before:]} == {"GET"}


def test_n4_a_user_who_cannot_be_read_is_named_and_the_others_are_there(firm, clio_sandbox):
    ids = [user.id for user in clio_sandbox.users]
    rows = [{"id": user_id, "enabled": None} for user_id in ids[:4]] + [{"id": "x"}]
    clio_sandbox.fault("status", path="/api/v4/users", status=200, body={"data": rows}, times=1)
    assert set(firm.users().index if firm.users().index.name == "user_id" else firm.users()["user_id"]) == set(ids)


# Tokens.


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        (3600, 3600),
        ("3600", 3600),
        (3600.5, 3600.5),
        ("3600.0", 3600),
        (None, None),
        ("", None),
        ("soon", None),
        (-5, None),
        (0, None),
        ("nan", None),
        ("inf", None),
        ([], None),
        ({"in": 5}, None),
        (True, None),
    ],
)
def test_n4_the_end_of_a_token_is_taken_in_any_form_or_left_open(said, seconds, caplog):
    body = json.dumps({"access_token": "a", "expires_in": said})
    token = oauth.token_from(200, Secret(body))
    assert token.access == Secret("a")
    if seconds is None:
        assert token.expires_at is None
        assert ("expires_in" in caplog.text) is (said is not None)
    else:
        assert token.expires_at == pytest.approx(time.time() + seconds, abs=30)


@pytest.mark.parametrize("said", [None, "", " ", 5, [], {}, True, "a b", "a\nb", "é", '"a"', "\ud83d"])
def test_n4_an_odd_refresh_token_costs_no_access_and_an_odd_access_token_is_named(said, caplog):
    before = Token(access=Secret("old"), refresh=Secret("kept"))
    body = Secret(json.dumps({"access_token": "new", "refresh_token": said}))
    assert oauth.token_from(200, body, before=before) == Token(access=Secret("new"), refresh=Secret("kept"))
    with pytest.raises(errors.UnexpectedAnswer, match="no access_token") as caught:
        oauth.token_from(200, Secret(json.dumps({"access_token": said})))
    assert "proxy" not in str(caught.value)


NOW = 1_800_000_000


@pytest.mark.parametrize(
    "moment", [NOW, float(NOW), str(NOW), f" {NOW}.0 ", NOW * 10**3, str(NOW * 10**3), NOW * 10**6, NOW * 10**9]
)
def test_n4_the_end_of_a_token_in_finer_units_is_the_same_moment(moment, clio_sandbox):
    token = Token(access=Secret("a"), expires_at=moment)
    assert token.expires_at == NOW
    empty = clio_nb.Firm(clio_sandbox, clio_nb.Vault())
    empty.import_tokens(pd.DataFrame([{"user_id": 7, "access_token": "a", "expires_at": moment}]))
    assert empty.tokens()["expires_at"].tolist() == [pd.Timestamp(NOW, unit="s", tz="UTC")]


@pytest.mark.parametrize("moment", ["soon", "", [], {}, dt.date(2027, 1, 1), b"\xff"])
def test_n4_what_is_no_moment_is_refused_by_name(moment):
    with pytest.raises(errors.InvalidInput, match="expires_at is not a time"):
        Token(access=Secret("a"), expires_at=moment)


@pytest.mark.parametrize("moment", [math.nan, math.inf, -math.inf, "nan"])
def test_n4_a_moment_that_says_nothing_is_left_open(moment):
    assert Token(access=Secret("a"), expires_at=moment).expires_at is None


# Headers.


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1.5", 1.5),
        (" 0.25 ", 0.25),
        ("2.", 2.0),
        ("1,5", None),
        ("1e3", None),
        ("+5", None),
        ("nan", None),
        ("1.5.1", None),
    ],
)
def test_n4_a_wait_in_fractions_is_a_wait(text, seconds):
    assert messages.retry_after({"retry-after": text, "date": "Thu, 15 Jan 2026 17:00:00 GMT"}) == seconds


def test_n4_a_wait_in_fractions_is_waited(session, clio_sandbox, monkeypatch):
    waits = []
    monkeypatch.setattr(clio_sandbox.clock, "move_to", lambda moment: waits.append(moment - clio_sandbox.now()) or 0.0)
    error = {"error": {"type": "RateLimited", "message": "wait"}}
    clio_sandbox.fault("status", path="/api/v4/custom_actions", status=503, body=error, headers={"retry-after": "1.5"})
    assert session.list_actions() == []
    assert waits == [pytest.approx(1.5, abs=0.1)]


@pytest.mark.parametrize("odd", ["nan", "inf", "-inf", "1e400", "", "soon", "12, 12"])
@pytest.mark.parametrize("name", ["limit", "remaining", "reset"])
def test_n4_an_odd_rate_header_is_as_if_it_were_missing(name, odd):
    headers = {"x-ratelimit-limit": "50", "x-ratelimit-remaining": "12", "x-ratelimit-reset": "1768496430"}
    headers |= {"date": "Thu, 15 Jan 2026 17:00:00 GMT", f"x-ratelimit-{name}": odd}
    assert messages.rate(headers) is None


@pytest.mark.parametrize("error", [None, [], 5, {"type": None, "message": 5}, {"type": ["x"]}, {"message": {}}])
def test_n4_an_odd_error_is_told_by_its_status(error):
    body = json.dumps({"error": error, "error_description": error}).encode()
    with pytest.raises(errors.NotFound, match="deleted, or this user cannot see it"):
        messages.decipher(messages.get_action(1), 404, {}, body, CustomAction)
