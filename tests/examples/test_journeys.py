"""Both journeys through a whole app: by a browser, by the probe, and killed and restarted between any two steps."""

from __future__ import annotations

import itertools
import re

import httpx
import pytest

import clio_nb as clio

from .conftest import APPS

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
    "reload the page while Clio is down",
    "come with the launch in another browser",
    "open the page for disconnecting",
    "press Disconnect",
    "sign in at Clio",
    "come back and be disconnected",
    "click once more",
)


class Walk:
    """A person connects, clicks, reloads and disconnects. Each journey stops before each of its steps and names it."""

    def __init__(self, site, url, person, stranger):
        self.site, self.url, self.person, self.stranger = site, url, person, stranger
        self.user = site.users[0]
        self.secrets = []

    def connect(self):
        yield "open the link"
        consent = self.person.get(f"{self.url}/clio/connect").headers["location"]
        yield "open Clio's page"
        said = self.at_clio(consent)
        yield "press Allow"
        back = self.allow(said)
        yield "come back from Clio"
        assert "Connected" in self.person.get(back).text
        assert self.labels() == ["Send for signature"] * 2

    def launch(self):
        yield "click in Clio"
        launch = self.site.click_on(self.user.id, f"{self.url}/launch")
        self.secrets.append(launch.rpartition("nonce=")[2])
        yield "open the launch"
        moved = self.person.get(launch)
        clean = httpx.URL(f"{self.url}/launch").join(moved.headers["location"])
        assert moved.status_code == 303
        assert "nonce" not in str(clean)
        shown = (200, f"{self.user.name} wants to sign 00001-Tidewrack.")
        yield "follow to the clean address"
        page = self.person.get(clean)
        assert (page.status_code, page.text) == shown
        yield "reload the page"
        page = self.person.get(clean)
        assert (page.status_code, page.text) == shown
        yield "reload the launch"
        assert self.person.get(launch).headers["location"] == moved.headers["location"]
        yield "reload the page while Clio is down"
        self.site.fault("status", status=503, times=None)
        page = self.person.get(clean)
        self.site.clear_faults()
        assert (page.status_code, page.text) == shown or (page.status_code == 502 and "Try again later" in page.text)
        yield "come with the launch in another browser"
        assert self.stranger.get(launch).status_code == 303  # to wait for a cookie that another process might set
        assert self.stranger.get(clean).status_code == 400

    def disconnect(self):
        yield "open the page for disconnecting"
        assert "Disconnect" in self.person.get(f"{self.url}/clio/disconnect").text
        yield "press Disconnect"
        consent = self.person.post(f"{self.url}/clio/disconnect", data={"region": "us"}).headers["location"]
        yield "sign in at Clio"
        back = self.allow(self.at_clio(consent))
        yield "come back and be disconnected"
        assert "Disconnected" in self.person.get(back).text
        assert self.labels() == []
        yield "click once more"
        refused = self.person.get(self.site.click_on(self.user.id, f"{self.url}/launch"))
        assert (refused.status_code, "/clio/connect" in refused.text) == (403, True)
        assert sum("custom_action_nonce" in one["query"] for one in self.site.requests) == 1

    def at_clio(self, address):
        consent = re.search(r'name="consent" value="([^"]+)"', self.person.get(address).text)[1]
        return {"consent": consent, "user_id": self.user.id, "decision": "allow"}

    def allow(self, said):
        back = self.person.post(f"{self.site.origin}/oauth/authorize", data=said).headers["location"]
        self.secrets.append(re.search(r"code=([^&]+)", back)[1])
        return back

    def labels(self):
        session = clio.Session(self.site, self.site.token(self.user.id)["access_token"])
        return [action.label for action in session.list_actions()]


@pytest.fixture
def walk(clio_app, clio_sandbox, capfd):
    """Give ``walk(command, killed)``: both journeys through an app that is killed and restarted before some steps."""

    def walked(command, killed):
        unkept = httpx.Limits(max_keepalive_connections=0)  # a killed app has closed its connections
        browsers = [httpx.Client(trust_env=False, timeout=60, limits=unkept) for _ in range(2)]
        with browsers[0], browsers[1]:
            here, steps = Walk(clio_sandbox, clio_app(command), *browsers), []
            for step in itertools.chain(here.connect(), here.launch(), here.disconnect()):
                steps.append(step)
                if step in killed:
                    clio_app(command)
        assert tuple(steps) == STEPS
        printed = "".join(capfd.readouterr())
        assert len(here.secrets) == 3
        assert not [secret for secret in here.secrets if secret in printed]

    return walked


SAMPLE = {
    "fastapi": {"come back from Clio", "follow to the clean address", "reload the page while Clio is down"},
    "flask": {"open the launch", "reload the launch"},
    "django": {"press Disconnect", "reload the page"},
}


@pytest.mark.parametrize("name", APPS)
def test_c1_an_app_that_is_killed_between_two_steps_goes_on(walk, command, name):
    walk(command(name), SAMPLE[name])


@pytest.mark.long
@pytest.mark.parametrize("name", APPS)
@pytest.mark.parametrize("killed", [*STEPS[1:], STEPS[1:]], ids=lambda killed: killed if killed in STEPS else "all")
def test_c1_an_app_that_is_killed_between_any_two_steps_goes_on(walk, command, name, killed):
    walk(command(name), {killed} if isinstance(killed, str) else set(killed))


@pytest.mark.long
@pytest.mark.parametrize("name", APPS)
@pytest.mark.clio_sandbox(rate_limit=None)
def test_a_whole_app_passes_the_probe(clio_app, clio_sandbox, command, name):
    url = clio_app(command(name))
    report = clio.probe(f"{url}/launch", clio_sandbox, connect_url=f"{url}/clio/connect")
    assert report, report.to_json()


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
