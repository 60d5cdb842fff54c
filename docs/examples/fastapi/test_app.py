"""The app in a process of its own, against an embedded Clio, over real HTTP. Run: ``python -m pytest``.

The fixtures ``clio_...`` come with ``pip install clio-nb``.
"""

import re

import httpx
import pytest

COMMAND = "uvicorn app:app --port {port} --no-access-log"

pytestmark = pytest.mark.clio_sandbox(firms=2)


@pytest.fixture
def app(clio_app):
    """Start the app; its address."""
    return clio_app(COMMAND)


@pytest.fixture
def click(app, clio_sandbox, clio_connect, clio_user):
    """Connect the account owner, and give ``click()``: the address that a click on a matter opens."""
    assert "Connected" in clio_connect(f"{app}/clio/connect", clio_user).text
    return lambda user=clio_user, firm=clio_sandbox: firm.click_on(user.id, f"{app}/launch")


@pytest.fixture
def browser():
    """Give ``browser(address)``: the answer that a browser gets which has never been here."""
    return lambda address: httpx.get(address, follow_redirects=True, timeout=60)


def labels_of(firm, user):
    """Return what stands in a user's menus, as Clio has it."""
    token = firm.token(user.id)["access_token"]
    answer = httpx.get(f"{firm.api_url}/custom_actions?fields=label", headers={"authorization": f"Bearer {token}"})
    return [action["label"] for action in answer.json()["data"]]


def nonces_sent(clio_sandbox):
    """Count the requests by which the app had a click confirmed."""
    return sum("custom_action_nonce" in one["query"] for one in clio_sandbox.requests)


def test_a_genuine_click_opens_the_record_and_a_reload_shows_it_again(click, clio_user):
    launch = click()
    with httpx.Client(follow_redirects=True, timeout=60) as browser:
        page, again = browser.get(launch), browser.get(launch)
    assert page.text == again.text == f"{clio_user.name} wants to sign 00001-Tidewrack."
    assert "nonce" not in str(page.url)


def test_a_forged_click_is_refused(click, browser, clio_sandbox):
    launch = click()
    assert browser(re.sub(r"nonce=.*", "nonce=made-up", launch)).status_code == 403
    sent = len(clio_sandbox.requests)
    assert browser(re.sub(r"(subject_url=)[^&]+", r"\1https%3A%2F%2Fevil.example", launch)).status_code == 400
    assert len(clio_sandbox.requests) == sent


def test_a_replayed_click_is_refused_in_another_browser(click, browser, clio_sandbox):
    launch = click()
    assert browser(launch).status_code == 200
    assert browser(launch).status_code == 403
    assert nonces_sent(clio_sandbox) == 1


def test_an_expired_click_is_refused(click, browser, clio_sandbox):
    launch = click()
    clio_sandbox.advance(61)
    assert browser(launch).status_code == 403


def test_a_user_who_is_rate_limited_clicks_again_and_holds_nobody_up(click, app, browser, clio_sandbox, clio_connect):
    colleague = clio_sandbox.users[1]
    clio_connect(f"{app}/clio/connect", colleague)
    clio_sandbox.fault("rate_limit", path="/api/v4/matters/*", seconds=600)
    refused = browser(click())
    assert refused.status_code == 403
    assert "again" in refused.text
    assert browser(click(colleague)).status_code == 200


def test_while_clio_is_down_a_nonce_is_sent_once_and_the_next_click_works(click, browser, clio_sandbox):
    launch = click()
    clio_sandbox.fault("status", status=503, times=None)
    assert browser(launch).status_code == 403
    assert nonces_sent(clio_sandbox) == 1
    clio_sandbox.clear_faults()
    assert browser(click()).status_code == 200


def test_a_user_who_has_revoked_the_access_is_let_in_after_connecting_again(
    app, click, browser, clio_sandbox, clio_connect, clio_user
):
    launch = click()
    clio_sandbox.revoke(clio_user.id)
    refused = browser(launch)
    assert refused.status_code == 403
    assert "/clio/connect" in refused.text
    clio_connect(f"{app}/clio/connect", clio_user)
    assert browser(click()).status_code == 200


def test_a_user_who_declines_has_no_button_and_may_connect_later(app, clio_sandbox, clio_connect, clio_user):
    assert "nothing was connected" in clio_connect(f"{app}/clio/connect", clio_user, decision="decline").text
    assert labels_of(clio_sandbox, clio_user) == []
    clio_connect(f"{app}/clio/connect", clio_user)
    assert labels_of(clio_sandbox, clio_user) == ["Send for signature"] * 2


def test_a_new_hire_has_the_buttons_as_soon_as_they_connect(app, click, browser, clio_sandbox, clio_connect):
    hired = clio_sandbox.hire("Ada Example")
    assert "Connected" in clio_connect(f"{app}/clio/connect", hired).text
    assert labels_of(clio_sandbox, hired) == ["Send for signature"] * 2
    assert browser(click(hired)).text == "Ada Example wants to sign 00001-Tidewrack."


def test_two_firms_use_one_app_and_each_sees_its_own_records(app, click, browser, clio_sandbox, clio_connect):
    other = clio_sandbox.firms[1]
    clio_connect(f"{app}/clio/connect", other.users[0])
    opened = browser(click(other.users[0], other)).text
    assert opened == f"{other.users[0].name} wants to sign {other.records('matters')[0]['name']}."
    theirs = re.sub(r"user_id=\d+", f"user_id={other.users[0].id}", click())
    assert browser(theirs).status_code == 403
    assert browser(click()).status_code == 200
