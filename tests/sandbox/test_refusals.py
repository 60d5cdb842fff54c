"""Who is let in: the two 401s, permissions, the rate limit, and what stands on every answer."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest

from clio_nb.sandbox import Assumptions

from .conftest import ACTION, data, error

INVALID = {
    "error": "invalid_token",
    "error_description": "The access token provided is expired, revoked, malformed or invalid for other reasons.",
}


@pytest.mark.parametrize("header", [None, "", "Bearer", "Basic eDp5", "Token abc", "abc"])
def test_no_or_an_odd_authorization_is_an_error_object(stranger, header):
    answer = stranger.get("users", headers={} if header is None else {"authorization": header})
    assert answer.status_code == 401
    assert answer.json() == {"error": {"type": "UnauthorizedError", "message": "User is not authorized"}}


@pytest.mark.parametrize("token", [b"x", b"\xff\xfe", b"a b", b"x" * 5000])
def test_a_bad_bearer_is_an_error_string_with_a_challenge(stranger, token):
    answer = stranger.get("users", headers={"authorization": b"Bearer " + token})
    assert (answer.status_code, answer.json()) == (401, INVALID)
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert not any(name.startswith("x-ratelimit") for name in answer.headers)


def test_the_scheme_may_be_written_small(owner):
    headers = {"authorization": f"bearer {owner.tokens['access_token']}"}
    assert owner.get("users", headers=headers).status_code == 200


def test_an_unknown_path_asks_for_a_token_first(stranger, owner):
    assert stranger.get("nothing").status_code == 401
    assert error(owner.get("nothing")) == (404, "RecordNotFound")
    assert error(owner.get(f"{owner.site.origin}/api/v9/users")) == (404, "RecordNotFound")


def test_options_is_404_whoever_asks(stranger):
    assert error(stranger.options("users")) == (404, "RecordNotFound")


def test_without_the_custom_actions_permission_everything_about_them_is_forbidden(sandbox, call):
    site = sandbox(permissions={"users", "matters"})
    caller = call(site, site.users[0].id)
    for answer in (
        caller.get("custom_actions"),
        caller.get("custom_actions/1"),
        caller.create(),
        caller.patch("custom_actions/1", json={"data": {}}),
        caller.delete("custom_actions/1"),
        caller.get("contacts"),
        caller.get("folders"),
    ):
        assert answer.status_code == 403
        assert answer.json() == {
            "error": {"type": "ForbiddenError", "message": "User is forbidden from taking that action"}
        }
    assert caller.get("users").status_code == 200


def test_permission_to_read_is_not_permission_to_write(sandbox, call):
    site = sandbox(permissions={"custom_actions:read"})
    caller = call(site, site.users[0].id)
    assert data(caller.get("custom_actions")) == []
    assert error(caller.create()) == (403, "ForbiddenError")


def test_nested_records_without_permission_are_redacted(sandbox, call):
    site = sandbox(permissions={"documents"})
    document = data(
        call(site, site.users[0].id).get("documents", params={"fields": "matter{id,status},contact{name},parent{name}"})
    )[0]
    assert document["matter"].keys() == {"id", "redacted", "display_number"}
    assert document["contact"].keys() == {"id", "redacted"}
    assert document["contact"]["redacted"] is True
    assert document["parent"].keys() == {"name"}


def test_the_fifty_first_request_of_a_minute_is_too_many(sandbox, call):
    site = sandbox(rate_limit=50)
    caller = call(site, site.users[0].id)
    for left in range(49, -1, -1):
        answer = caller.get("users/who_am_i")
        assert answer.headers["x-ratelimit-limit"] == "50"
        assert answer.headers["x-ratelimit-remaining"] == str(left)
        assert answer.headers["x-ratelimit-reset"] == str(int(site.now()) + 60)
    site.advance(12.5)
    over = caller.create()
    assert error(over) == (429, "RateLimited")
    assert over.headers["retry-after"] == "48"
    assert over.headers["x-ratelimit-remaining"] == "0"
    site.advance(47.5)
    assert data(caller.get("custom_actions")) == []
    assert caller.get("users").headers["x-ratelimit-remaining"] == "48"


def test_the_limit_is_per_token(sandbox, call):
    site = sandbox(rate_limit=1)
    one, other = call(site, site.users[0].id), call(site, site.users[0].id)
    assert [one.get("users").status_code, one.get("users").status_code] == [200, 429]
    assert other.get("users").status_code == 200


def test_the_limit_may_change_while_running(sandbox, call):
    site = sandbox(rate_limit=300)
    caller = call(site, site.users[0].id)
    assert caller.get("users").headers["x-ratelimit-remaining"] == "299"
    site.rate_limit = 50
    assert caller.get("users").headers["x-ratelimit-remaining"] == "48"


def test_without_a_limit_there_are_no_rate_headers(owner):
    assert not any(name.startswith("x-ratelimit") for name in owner.get("users").headers)


def test_refusals_count_and_carry_the_rate_headers(sandbox, call):
    site = sandbox(rate_limit=50)
    caller = call(site, site.users[0].id)
    for answer in (
        caller.get("users/1"),
        caller.get("users?fields=x"),
        caller.get("users", headers={"x-api-version": "3"}),
    ):
        assert "x-ratelimit-remaining" in answer.headers
    assert caller.get("users").headers["x-ratelimit-remaining"] == "46"


def test_the_date_header_follows_the_virtual_clock(owner, site):
    assert owner.get("users").headers["date"] == "Thu, 15 Jan 2026 17:00:00 GMT"
    site.advance(86_400)
    assert parsedate_to_datetime(owner.get("users").headers["date"]) == datetime(2026, 1, 16, 17, tzinfo=UTC)


def test_every_answer_has_an_id_of_its_own(owner, stranger):
    answers = [owner.get("users"), owner.create(), stranger.get("users")]
    assert len({answer.headers["x-request-id"] for answer in answers}) == 3


@pytest.mark.parametrize(
    ("assumed", "values", "refusal"),
    [
        ({"duplicate_status": 409}, {}, (409, "RecordInvalid")),
        ({"blank_status": 400}, {"label": ""}, (400, "ArgumentError")),
        ({"unknown_location_status": 422}, {"ui_reference": "x"}, (422, "ArgumentError")),
        ({"https_only": True}, {"target_url": "http://partner.example/"}, (422, "RecordInvalid")),
        ({"label_max": 10}, {"label": "x" * 11}, (422, "RecordInvalid")),
    ],
)
def test_what_is_assumed_about_saving_can_be_switched(sandbox, call, assumed, values, refusal):
    site = sandbox(assumptions=Assumptions(**assumed))
    caller = call(site, site.users[0].id)
    caller.post(
        "custom_actions", json={"data": {**ACTION, "target_url": "https://partner.example/", "label": "0123456789"}}
    )
    assert error(caller.create(**{"label": "0123456789", **values})) == refusal


def test_what_is_assumed_about_reading_can_be_switched(sandbox, call):
    site = sandbox(
        assumptions=Assumptions(
            default_fields={"CustomAction": ("id", "label")},
            limit_outside="clamp",
            missing_data_status=422,
            nonce_refused_status=401,
            nonce_lifetime=5,
            error_types={404: "NotFound", 410: "Gone", 412: "Stale", 429: "Slow"},
        )
    )
    caller = call(site, site.users[0].id)
    action = data(caller.create())
    assert data(caller.get("custom_actions", params={"limit": 999})) == [{"id": action["id"], "label": ACTION["label"]}]
    assert error(caller.post("custom_actions", json={})) == (422, "RecordInvalid")
    assert error(caller.get("users/1")) == (404, "NotFound")
    nonce = caller.click(action)
    site.advance(5)
    assert error(caller.get("users", params={"custom_action_nonce": nonce})) == (401, "ForbiddenError")


def test_every_assumption_has_its_reason():
    reasons = Assumptions.reasons()
    assert all(len(reason) > 20 for reason in reasons.values())
    assert reasons.keys() == set(Assumptions.__slots__)
