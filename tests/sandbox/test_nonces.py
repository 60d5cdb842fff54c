"""A launch and its nonce: for the user who clicked, once, within 60 seconds."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from clio_nb.sandbox import Assumptions
from clio_nb.vocabulary import Location

from .conftest import data, error, nonce_of

FORBIDDEN = (403, "ForbiddenError")


@pytest.fixture
def matter(site):
    return site.records("matters")[0]["subject_url"]


def prove(caller, path, nonce, **params):
    return caller.get(path, params={"custom_action_nonce": nonce, **params})


def test_a_launch_carries_the_four_parameters(owner, site, matter):
    action = data(owner.create())
    url = site.click(owner.user_id, action["id"], matter)
    assert url.startswith("https://partner.example/launch?")
    names = dict(parse_qsl(urlsplit(url).query))
    assert {name: names[name] for name in ("custom_action_id", "user_id", "subject_url")} == {
        "custom_action_id": str(action["id"]),
        "user_id": str(owner.user_id),
        "subject_url": matter,
    }
    assert len(nonce_of(url)) >= 16
    assert "subject_url=%2Fapi%2Fv4%2Fmatters%2F" in url


@pytest.mark.parametrize(
    ("target", "start", "end"),
    [
        ("https://p.example/l?key=1", "https://p.example/l?key=1&custom_action_id=", ""),
        ("https://p.example/l#part", "https://p.example/l?custom_action_id=", "#part"),
        ("https://p.example/l?a=1&b=2#part", "https://p.example/l?a=1&b=2&custom_action_id=", "#part"),
    ],
)
def test_a_targets_own_query_and_fragment_are_kept(owner, site, matter, target, start, end):
    action = data(owner.create(target_url=target))
    url = site.click(owner.user_id, action["id"], matter)
    assert url.startswith(start)
    assert url.endswith(end)


def test_a_targets_query_can_be_replaced(sandbox, call):
    site = sandbox(assumptions=Assumptions(keep_target_query=False))
    url = site.click_on(site.users[0].id, "https://p.example/l?key=1#part")
    assert url.startswith("https://p.example/l?custom_action_id=")


@pytest.mark.parametrize("place", list(Location))
def test_a_nonce_proves_a_click_in_every_place(owner, site, place):
    action = data(owner.create(ui_reference=place.value))
    subject = site.records(place.resource)[-1]["subject_url"]
    assert prove(owner, subject, owner.click(action, subject)).status_code == 200


def test_a_nonce_counts_once(owner, matter):
    nonce = owner.click(data(owner.create()))
    assert data(prove(owner, matter, nonce, fields="id,display_number"))["id"] == int(matter.rpartition("/")[2])
    assert error(prove(owner, matter, nonce)) == FORBIDDEN


def test_a_nonce_lives_sixty_seconds(owner, site, matter):
    action = data(owner.create())
    soon, late = owner.click(action), owner.click(action)
    site.advance(59)
    assert prove(owner, matter, soon).status_code == 200
    site.advance(1)
    assert error(prove(owner, matter, late)) == FORBIDDEN


def test_a_nonce_is_for_the_user_who_clicked_and_spent_by_whoever_sends_it(owner, colleague, matter):
    nonce = owner.click(data(owner.create()))
    assert error(prove(colleague, matter, nonce)) == FORBIDDEN
    assert error(prove(owner, matter, nonce)) == FORBIDDEN


@pytest.mark.parametrize("nonce", ["", "x", "\x00", "ü" * 300])
def test_a_nonce_that_was_never_given_is_refused(owner, matter, nonce):
    assert error(prove(owner, matter, nonce)) == FORBIDDEN
    assert owner.get(matter).status_code == 200


def test_a_refused_answer_spends_the_nonce_too(owner, matter):
    nonce = owner.click(data(owner.create()))
    assert error(prove(owner, matter, nonce, fields="colour")) == (400, "InvalidFields")
    assert error(prove(owner, matter, nonce)) == FORBIDDEN


def test_a_request_that_never_got_in_leaves_the_nonce(owner, stranger, site, matter):
    nonce = owner.click(data(owner.create()))
    assert prove(stranger, matter, nonce).status_code == 401
    site.rate_limit = 0
    assert prove(owner, matter, nonce).status_code == 429
    site.rate_limit = None
    assert prove(owner, matter, nonce).status_code == 200


def test_any_request_of_the_user_proves_the_click_unless_told_otherwise(sandbox, call, owner):
    assert prove(owner, "users/who_am_i", owner.click(data(owner.create()))).status_code == 200
    strict = sandbox(assumptions=Assumptions(nonce_anywhere=False))
    caller = call(strict, strict.users[0].id)
    action = data(caller.create())
    first, second = (row["subject_url"] for row in strict.records("matters")[:2])
    assert error(prove(caller, "users/who_am_i", caller.click(action, first))) == FORBIDDEN
    assert error(prove(caller, second, caller.click(action, first))) == FORBIDDEN
    assert prove(caller, f"{first}.json", caller.click(action, first)).status_code == 200


def test_the_next_link_of_a_page_carries_no_nonce(owner):
    nonce = owner.click(data(owner.create()))
    page = prove(owner, "matters", nonce, limit=2).json()
    assert "nonce" not in page["meta"]["paging"]["next"]
    assert owner.get(page["meta"]["paging"]["next"]).status_code == 200


def test_a_click_needs_the_users_own_action_and_a_record_it_appears_on(owner, colleague, site, matter):
    action = data(owner.create())
    contact = site.records("contacts")[0]["subject_url"]
    with pytest.raises(LookupError, match="no custom action"):
        site.click(colleague.user_id, action["id"], matter)
    with pytest.raises(LookupError, match="no user"):
        site.click(1, action["id"], matter)
    for wrong in (contact, "/api/v4/matters/x", f"https://app.clio.com{matter}", "matters/1", f"{matter}/", ""):
        with pytest.raises(ValueError, match="appears on matters"):
            site.click(owner.user_id, action["id"], wrong)
    with pytest.raises(LookupError, match="no record"):
        site.click(owner.user_id, action["id"], "/api/v4/matters/1")


def test_a_deleted_action_cannot_be_clicked_but_its_launch_still_proves(owner, site, matter):
    action = data(owner.create())
    nonce = owner.click(action)
    owner.delete(f"custom_actions/{action['id']}")
    with pytest.raises(LookupError):
        site.click(owner.user_id, action["id"], matter)
    assert prove(owner, matter, nonce).status_code == 200
