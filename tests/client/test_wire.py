"""Requests and answers as pure functions."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clio_nb import errors, wire
from clio_nb.models import CustomAction
from clio_nb.places import Location
from clio_nb.secret import Secret

LIST = wire.list_actions()


def decipher(status, body=b"", headers=None, shape=list[CustomAction], request=LIST):
    return wire.decipher(request, status, headers or {}, body, shape)


def test_a_request_shows_neither_its_query_nor_its_nonce():
    request = wire.get_record(Location.MATTERS, 7, fields="id", nonce=Secret("canary"))
    assert str(request) == "GET /api/v4/matters/7"
    assert "canary" not in repr(request)
    assert request.target == "/api/v4/matters/7?fields=id&custom_action_nonce=canary"


def test_only_a_read_without_a_nonce_may_be_repeated():
    assert LIST.repeatable
    assert not wire.get_record(Location.MATTERS, 7, nonce=Secret("n")).repeatable
    assert not wire.create_action("a", "https://a.example", Location.MATTERS).repeatable


def test_a_list_gives_typed_records_and_ignores_what_it_does_not_know():
    answer = decipher(200, b'{"data":[{"id":5,"label":"x","ui_reference":"bills/show","new":1}],"meta":{"records":1}}')
    assert answer.data == [CustomAction(id=5, label="x", ui_reference="bills/show")]
    assert answer.next is None


def test_the_next_page_is_asked_of_the_same_collection():
    body = (
        b'{"data":[],"meta":{"paging":{"next":"https://evil.example/api/v4/custom_actions.json?page_token=p&limit=2"}}}'
    )
    following = decipher(200, body).next
    assert (following.path, following.query) == ("/api/v4/custom_actions", (("page_token", "p"), ("limit", "2")))


def test_a_next_page_in_another_collection_is_not_followed():
    with pytest.raises(errors.UnexpectedAnswer, match="another collection"):
        decipher(200, b'{"data":[],"meta":{"paging":{"next":"https://app.clio.com/api/v4/users?page_token=p"}}}')


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


def test_clios_own_words_are_in_the_message_on_one_line():
    with pytest.raises(errors.RecordInvalid, match=r'RecordInvalid.*"too long, sorry"') as caught:
        decipher(422, b'{"error":{"type":"RecordInvalid","message":"too long,\\nsorry"}}')
    assert caught.value.type == "RecordInvalid"


def test_a_bad_token_answers_with_a_text_instead_of_an_object():
    with pytest.raises(errors.Unauthorized, match="expired, revoked") as caught:
        decipher(401, b'{"error":"invalid_token","error_description":"The access token is bad"}')
    assert caught.value.type == "invalid_token"


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"data":[{"id":1', b"[]", b'{"data":{}}', b"\xff", b'{"data":[{"id":"x"}]}']
)
def test_what_is_no_record_of_clio_is_named_without_its_text(body):
    with pytest.raises(errors.UnexpectedAnswer, match="text/html"):
        decipher(200, body, {"content-type": "text/html; charset=x"})


def test_an_empty_answer_is_good_only_where_nothing_is_expected():
    assert decipher(204, shape=type(None), request=wire.delete_action(1)).data is None
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
    ],
)
def test_retry_after_is_seconds_or_a_date_by_clios_own_clock(text, seconds):
    assert wire.retry_after({"retry-after": text, "date": "Thu, 15 Jan 2026 17:00:00 GMT"}) == seconds


def test_the_rate_is_read_against_the_answers_own_date():
    headers = {
        "x-ratelimit-limit": "50",
        "x-ratelimit-remaining": "12",
        "x-ratelimit-reset": "1768496430",
        "date": "Thu, 15 Jan 2026 17:00:00 GMT",
    }
    assert wire.rate(headers) == wire.Rate(50, 12, 30.0)
    assert wire.rate({**headers, "x-ratelimit-limit": "many"}) is None
    assert wire.rate({}) is None


@given(
    status=st.integers(100, 599),
    body=st.binary(max_size=200),
    headers=st.dictionaries(st.text(max_size=20), st.text(max_size=20)),
)
def test_no_answer_whatever_makes_it_fail_otherwise(status, body, headers):
    with contextlib.suppress(errors.ApiError):
        decipher(status, body, headers)
