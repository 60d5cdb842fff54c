"""Both journeys through a whole app: by a browser, by the probe, and killed and restarted between any two steps."""

from __future__ import annotations

import re

import httpx
import pytest

import clio_nb as clio

from .conftest import APPS, LEAN

BY = r'name="consent" value="([^"]+)"'
STEPS = (
    "open the link",
    "open Clio's page",
    "press Allow",
    "come back from Clio",
    "click in Clio",
    "open the launch",
    "follow to the clean address",
    "reload the page",
    "reload the launch",
    "come with the launch in another browser",
    "open the page for disconnecting",
    "press Disconnect",
    "sign in at Clio",
    "come back and be disconnected",
    "click once more",
)


def journey(site, url, user, person, stranger):
    """Connect, click, reload and disconnect: stops before each step and names it."""

    def at_clio(address):
        consent = re.search(BY, person.get(address).text)[1]
        said = {"consent": consent, "user_id": user.id, "decision": "allow"}
        return lambda: person.post(f"{site.origin}/oauth/authorize", data=said).headers["location"]

    def shown(answer):
        assert (answer.status_code, answer.text) == (200, f"{user.name} wants to sign 00001-Tidewrack.")

    def labels():
        session = clio.Session(site, site.token(user.id)["access_token"])
        return [action.label for action in session.list_actions()]

    yield "open the link"
    consent = person.get(f"{url}/clio/connect").headers["location"]
    yield "open Clio's page"
    allow = at_clio(consent)
    yield "press Allow"
    back = allow()
    yield "come back from Clio"
    assert "Connected" in person.get(back).text
    assert labels() == ["Send for signature"] * 2
    yield "click in Clio"
    launch = site.click_on(user.id, f"{url}/launch")
    yield "open the launch"
    moved = person.get(launch)
    assert moved.status_code == 303
    clean = moved.headers["location"]
    assert "nonce" not in clean
    yield "follow to the clean address"
    shown(person.get(httpx.URL(f"{url}/launch").join(clean)))
    yield "reload the page"
    shown(person.get(httpx.URL(f"{url}/launch").join(clean)))
    yield "reload the launch"
    assert person.get(launch).headers["location"] == clean
    yield "come with the launch in another browser"
    waiting = stranger.get(launch)  # for the cookie that another process might set
    assert waiting.status_code == 303
    assert stranger.get(httpx.URL(f"{url}/launch").join(clean)).status_code == 400
    yield "open the page for disconnecting"
    assert "Disconnect" in person.get(f"{url}/clio/disconnect").text
    yield "press Disconnect"
    consent = person.post(f"{url}/clio/disconnect", data={"region": "us"}).headers["location"]
    yield "sign in at Clio"
    back = at_clio(consent)()
    yield "come back and be disconnected"
    assert "Disconnected" in person.get(back).text
    assert labels() == []
    yield "click once more"
    assert "/clio/connect" in person.get(site.click_on(user.id, f"{url}/launch")).text
    assert sum("custom_action_nonce" in one["query"] for one in site.requests) == 1


def walk(clio_app, clio_sandbox, command, killed):
    """Walk through both journeys, and kill and restart the app before some of the steps."""
    unkept = httpx.Limits(max_keepalive_connections=0)  # a killed app has closed its connections
    url, walked = clio_app(command), []
    with (
        httpx.Client(trust_env=False, timeout=60, limits=unkept) as person,
        httpx.Client(trust_env=False, timeout=60, limits=unkept) as stranger,
    ):
        for step in journey(clio_sandbox, url, clio_sandbox.users[0], person, stranger):
            walked.append(step)
            if step in killed:
                clio_app(command)
    assert tuple(walked) == STEPS


SAMPLE = {
    "fastapi": {"come back from Clio", "follow to the clean address"},
    "flask": {"open the launch", "reload the launch"},
    "django": {"press Disconnect", "reload the page"},
}


@pytest.mark.parametrize("name", APPS)
def test_c1_an_app_that_is_killed_between_two_steps_goes_on(clio_app, clio_sandbox, command, name):
    walk(clio_app, clio_sandbox, command(name), SAMPLE[name])


@pytest.mark.long
@pytest.mark.parametrize("name", APPS)
@pytest.mark.parametrize("killed", [*STEPS[1:], STEPS[1:]], ids=lambda killed: killed if killed in STEPS else "all")
def test_c1_an_app_that_is_killed_between_any_two_steps_goes_on(clio_app, clio_sandbox, command, name, killed):
    walk(clio_app, clio_sandbox, command(name), {killed} if isinstance(killed, str) else set(killed))


@pytest.mark.long
@pytest.mark.parametrize("name", APPS)
@pytest.mark.clio_sandbox(rate_limit=None)
def test_a_whole_app_passes_the_probe(clio_app, clio_sandbox, command, name):
    url = clio_app(command(name))
    report = clio.probe(f"{url}/launch", clio_sandbox, connect_url=f"{url}/clio/connect")
    assert report, report.to_json()


@pytest.mark.skipif(not LEAN, reason="CLIO_NB_REQUIRE=server installs what a server installs")
@pytest.mark.parametrize("name", APPS)
def test_what_is_installed_for_an_app_is_the_list_for_servers_and_its_framework(programs, name):
    for missing in ("pandas", "ipywidgets", "keyring", "typer", "rich"):
        assert not list(programs(name).parent.glob(f"lib/*/site-packages/{missing}"))


@pytest.mark.parametrize("name", APPS)
def test_a_person_connects_and_clicks_in_a_browser(clio_app, clio_sandbox, command, browser, name):
    start, user = command(name), clio_sandbox.users[0]
    url = clio_app(start)
    page = browser.new_page()
    page.goto(f"{url}/clio/connect")
    page.get_by_label("Sign in as").select_option(str(user.id))
    page.get_by_role("button", name="Allow").click()
    page.wait_for_url(f"{url}/clio/callback?*")
    assert page.get_by_role("heading", name="Connected").is_visible()
    clio_app(start)
    page.goto(f"{clio_sandbox.origin}/as/{user.id}/matters")
    page.get_by_role("button", name="Custom actions for", exact=False).first.click()
    with page.context.expect_page() as opened:
        page.get_by_role("button", name="Send for signature").click()
    opened.value.wait_for_load_state()
    assert opened.value.inner_text("body") == f"{user.name} wants to sign 00001-Tidewrack."
    assert "nonce" not in opened.value.url
    clio_app(start)
    opened.value.reload()
    assert opened.value.inner_text("body") == f"{user.name} wants to sign 00001-Tidewrack."
    page.goto(f"{url}/clio/disconnect")
    page.get_by_role("button", name="Disconnect").click()
    page.get_by_label("Sign in as").select_option(str(user.id))
    page.get_by_role("button", name="Allow").click()
    page.wait_for_url(f"{url}/clio/callback?*")
    assert page.get_by_role("heading", name="Disconnected").is_visible()
    page.context.close()
