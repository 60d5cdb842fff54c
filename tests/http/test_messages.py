"""Requests and answers as pure functions."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clio_nb import errors
from clio_nb.http import messages
from clio_nb.models import CustomAction
from clio_nb.secret import Secret
from clio_nb.vocabulary import Location

LIST = messages.list_actions()


def decipher(status, body=b"", headers=None, shape=list[CustomAction], request=LIST):
    return messages.decipher(request, status, headers or {}, body, shape)


def test_a_request_shows_neither_its_query_nor_its_nonce():
    request = messages.get_record(Location.MATTERS, 7, fields="id", nonce=Secret("canary"))
    assert str(request) == "GET /api/v4/matters/7"
    assert "canary" not in repr(request)
    assert request.target == "/api/v4/matters/7?fields=id&custom_action_nonce=canary"


ACTIONS = "/api/v4/custom_actions"
FIELDS = "fields=id%2Cetag%2Clabel%2Ctarget_url%2Cui_reference%2Ccreated_at%2Cupdated_at"
USER = "fields=id%2Cname%2Cemail%2Cenabled%2Csubscription_type%2Croles"


@pytest.mark.parametrize(
    ("build", "method", "target", "body"),
    [
        (messages.list_actions, "GET", f"{ACTIONS}?{FIELDS}", None),
        (lambda: messages.get_action(5), "GET", f"{ACTIONS}/5?{FIELDS}", None),
        (
            lambda: messages.create_action("Sign", "https://p.example/a", Location.MATTERS),
            "POST",
            f"{ACTIONS}?{FIELDS}",
            b'{"data":{"label":"Sign","target_url":"https://p.example/a","ui_reference":"matters/show"}}',
        ),
        (
            lambda: messages.update_action(5, {"label": "S"}, '"1"'),
            "PATCH",
            f"{ACTIONS}/5?{FIELDS}",
            b'{"data":{"label":"S"}}',
        ),
        (lambda: messages.delete_action(5), "DELETE", f"{ACTIONS}/5", None),
        (messages.who_am_i, "GET", f"/api/v4/users/who_am_i?{USER}%2Caccount%7Bid%2Cname%7D", None),
        (messages.list_users, "GET", f"/api/v4/users?{USER}", None),
        (lambda: messages.get_record(Location.FOLDERS, 7, fields="id"), "GET", "/api/v4/folders/7?fields=id", None),
        (lambda: messages.list_records(Location.FOLDERS), "GET", "/api/v4/folders?fields=id%2Cname", None),
    ],
)
def test_each_request_is_as_clios_reference_has_it(build, method, target, body):
    request = build()
    assert (request.method, request.target, request.body) == (method, target, body)


def test_only_a_change_can_name_the_version_that_it_is_of():
    assert messages.update_action(5, {}, '"1"').if_match == '"1"'
    assert messages.update_action(5, {}).if_match is None
    assert messages.delete_action(5).if_match is None


def test_only_a_read_without_a_nonce_may_be_repeated():
    assert LIST.repeatable
    assert not messages.get_record(Location.MATTERS, 7, nonce=Secret("n")).repeatable
    assert not messages.create_action("a", "https://a.example", Location.MATTERS).repeatable


def test_a_list_gives_typed_records_and_ignores_what_it_does_not_know():
    answer = decipher(200, b'{"data":[{"id":5,"label":"x","ui_reference":"bills/show","new":1}],"meta":{"records":1}}')
    assert answer.data == [CustomAction(id=5, label="x", ui_reference="bills/show")]
    assert answer.next is None


def test_the_next_page_is_asked_of_the_same_collection():
    body = (
        b'{"data":[],"meta":{"paging":{"next":"https://evil.example/api/v4/custom_actions.json?page_token=p&limit=2"}}}'
    )
    following = decipher(200, body).next
    assert following == messages.Request("GET", "/api/v4/custom_actions", (("page_token", "p"), ("limit", "2")))


def test_a_next_page_in_another_collection_is_not_followed():
    with pytest.raises(errors.UnexpectedAnswer, match="outside this collection") as caught:
        decipher(200, b'{"data":[],"meta":{"paging":{"next":"https://app.clio.com/api/v4/users?page_token=p"}}}')
    assert (caught.value.status, caught.value.request) == (200, "GET /api/v4/custom_actions")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, errors.BadRequest),
        (401, errors.Unauthorized),
        (403, errors.Forbidden),
        (404, errors.NotFound),
        (409, errors.Conflict),
        (410, errors.VersionGone),
        (412, errors.Conflict),
        (422, errors.RecordInvalid),
        (429, errors.RateLimited),
        (500, errors.ServerError),
        (503, errors.ServerError),
        (300, errors.UnexpectedAnswer),
        (302, errors.UnexpectedAnswer),
        (418, errors.ApiError),
    ],
)
def test_each_status_is_an_error_of_its_own(status, error):
    with pytest.raises(error) as caught:
        decipher(status, b'{"error":{"type":"SomeType","message":"what it says"}}')
    assert type(caught.value) is error
    assert caught.value.status == status
    assert caught.value.request == "GET /api/v4/custom_actions"


def test_a_good_body_does_not_make_a_redirect_an_answer():
    with pytest.raises(errors.UnexpectedAnswer, match=r"redirect \(300\)"):
        decipher(300, b'{"data":[]}')


@pytest.mark.parametrize(
    ("status", "body", "headers", "message"),
    [
        (418, b"", {}, "GET /api/v4/custom_actions: refused (418)."),
        (
            418,
            b'{"error":{"type":"Tea","message":"no"}}',
            {},
            'GET /api/v4/custom_actions: refused (418 Tea). Clio says: "no".',
        ),
        (422, b'{"error":{"type":7,"message":[]}}', {}, "GET /api/v4/custom_actions: refused (422)."),
        (
            302,
            b"",
            {},
            "GET /api/v4/custom_actions was answered with a redirect (302), which is never followed with a token.",
        ),
        (
            429,
            b"",
            {"retry-after": "7"},
            "GET /api/v4/custom_actions: too many requests with this user's token. Try again in 7 s.",
        ),
        (
            429,
            b"",
            {},
            "GET /api/v4/custom_actions: too many requests with this user's token. Try again in a minute.",
        ),
        (503, b"", {}, "GET /api/v4/custom_actions: Clio has a problem (503). Try again later."),
    ],
)
def test_an_error_says_what_was_asked_what_came_and_what_to_do(status, body, headers, message):
    with pytest.raises(errors.ApiError) as caught:
        decipher(status, body, headers)
    assert str(caught.value) == message


@pytest.mark.parametrize("status", [429, 503])
def test_the_wait_that_clio_asks_for_is_in_the_error(status):
    with pytest.raises((errors.RateLimited, errors.ServerError)) as caught:
        decipher(status, headers={"retry-after": "7"})
    assert caught.value.retry_after == 7


def test_what_clio_says_is_cut_before_it_fills_the_screen():
    with pytest.raises(errors.RecordInvalid) as caught:
        decipher(422, b'{"error":{"type":"%s","message":"%s"}}' % (b"t" * 900, b"m" * 900))
    assert caught.value.type == "t" * 60
    assert str(caught.value).count("m") == 300 + "GET /api/v4/custom_actions".count("m")


def test_clios_own_words_are_in_the_message_on_one_line():
    with pytest.raises(errors.RecordInvalid, match=r'RecordInvalid.*"too long, sorry"') as caught:
        decipher(422, b'{"error":{"type":"RecordInvalid","message":"too long,\\nsorry"}}')
    assert caught.value.type == "RecordInvalid"


def test_a_bad_token_answers_with_a_text_instead_of_an_object():
    with pytest.raises(errors.Unauthorized, match="expired, revoked") as caught:
        decipher(401, b'{"error":"invalid_token","error_description":"The access token is bad"}')
    assert caught.value.type == "invalid_token"


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"data":[{"id":1', b"[]", b"\xff", b'{"error":1}', b"[" * 9999])
def test_what_is_no_record_of_clio_is_named_without_its_text(body):
    with pytest.raises(errors.UnexpectedAnswer, match=rf"\(text/html, {len(body)} bytes\)") as caught:
        decipher(200, body, {"content-type": "text/html; charset=x"})
    assert (caught.value.status, caught.value.request) == (200, "GET /api/v4/custom_actions")


def test_an_answer_that_does_not_say_what_it_is_is_named_so_and_a_long_name_cut():
    with pytest.raises(errors.UnexpectedAnswer, match=r"\(no content type, 0 bytes\)"):
        decipher(200)
    with pytest.raises(errors.UnexpectedAnswer, match=r"\(x{60}, 0 bytes\)"):
        decipher(200, headers={"content-type": "x" * 900})


def test_an_empty_answer_is_good_only_where_nothing_is_expected():
    assert decipher(204, shape=type(None), request=messages.delete_action(1)).data is None
    with pytest.raises(errors.UnexpectedAnswer):
        decipher(204)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        (" 12 ", 12.0),
        ("Thu, 15 Jan 2026 17:01:00 GMT", 60.0),
        ("soon", None),
        ("-3", None),
        ("", None),
        ("١", None),
        ("12345678901234567890", 123456789.0),
        ("Thu, 15 Jan 2026 16:00:00 GMT", 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date_by_clios_own_clock(text, seconds):
    assert messages.retry_after({"retry-after": text, "date": "Thu, 15 Jan 2026 17:00:00 GMT"}) == seconds


def test_without_a_retry_after_there_is_no_wait():
    assert messages.retry_after({}) is None
    assert messages.retry_after({"retry-after": "Thu, 15 Jan 2026 17:01:00 GMT"}) is None


def test_the_rate_is_read_against_the_answers_own_date():
    headers = {
        "x-ratelimit-limit": "50",
        "x-ratelimit-remaining": "12",
        "x-ratelimit-reset": "1768496430",
        "date": "Thu, 15 Jan 2026 17:00:00 GMT",
    }
    assert messages.rate(headers) == messages.Rate(50, 12, 30.0)
    assert messages.rate({**headers, "x-ratelimit-limit": "many"}) is None
    assert messages.rate({**headers, "x-ratelimit-reset": "1768496000"}) == messages.Rate(50, 12, 0.0)
    assert messages.rate({}) is None
    del headers["date"]
    assert messages.rate(headers) == messages.Rate(50, 12, 60.0)


@given(
    status=st.integers(100, 599),
    body=st.binary(max_size=200),
    headers=st.dictionaries(st.text(max_size=20), st.text(max_size=20)),
)
def test_no_answer_whatever_makes_it_fail_otherwise(status, body, headers):
    with contextlib.suppress(errors.ApiError):
        decipher(status, body, headers)
