"""The app against an embedded Clio, over real HTTP. Run: ``python -m pytest``.

The fixtures ``clio_sandbox`` and ``clio_user`` come with ``pip install clio-nb``.
"""

import re

import httpx
import pytest
from app import create_app

from clio_nb import Vault

URL = "https://app.example"
pytestmark = [pytest.mark.anyio, pytest.mark.clio_sandbox(redirect_uris=[f"{URL}/callback"])]


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
async def browser(clio_sandbox):
    app = create_app(clio_sandbox, Vault(), key="k" * 32, url=URL)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=URL, follow_redirects=True) as browser:
        yield browser


async def connect(browser, user, decision="allow"):
    """Do what a person does: follow the link, choose a user, press Allow, come back."""
    consent_page = (await browser.get("/connect", follow_redirects=False)).headers["location"]
    return await browser.get(press(consent_page, user, decision))


def press(consent_page, user, decision):
    """Press a button of the sandbox's consent page, and return where that leads."""
    form = httpx.get(consent_page)
    consent = re.search(r'name="consent" value="([^"]+)"', form.text)[1]
    pressed = {"consent": consent, "user_id": user.id, "decision": decision}
    return httpx.post(str(form.url.copy_with(query=None)), data=pressed).headers["location"]


def actions_of(clio_sandbox, user):
    token = clio_sandbox.token(user.id)["access_token"]
    answer = httpx.get(
        f"{clio_sandbox.api_url}/custom_actions",
        params={"fields": "id,label,ui_reference"},
        headers={"authorization": f"Bearer {token}"},
    )
    return {action["ui_reference"]: action for action in answer.json()["data"]}


@pytest.fixture
async def click(browser, clio_sandbox, clio_user):
    """Connect the account owner, and give what a click on a record opens."""
    await connect(browser, clio_user)
    actions = actions_of(clio_sandbox, clio_user)

    def click(at="matters"):
        record = clio_sandbox.records(at)[0]
        return clio_sandbox.click(clio_user.id, actions[f"{at}/show"]["id"], record["subject_url"])

    return click


async def test_a_user_who_allows_the_app_has_its_actions(browser, clio_sandbox, clio_user):
    assert (await connect(browser, clio_user)).status_code == 200
    assert set(actions_of(clio_sandbox, clio_user)) == {"matters/show", "documents/show"}


async def test_connecting_again_makes_no_second_button(browser, clio_sandbox, clio_user):
    await connect(browser, clio_user)
    await connect(browser, clio_user)
    assert len(actions_of(clio_sandbox, clio_user)) == 2


async def test_a_user_who_declines_is_not_connected(browser, clio_sandbox, clio_user):
    assert "Not connected" in (await connect(browser, clio_user, "decline")).text
    assert not actions_of(clio_sandbox, clio_user)


@pytest.mark.parametrize("at", ["matters", "documents"])
async def test_a_genuine_click_opens_the_record(browser, clio_sandbox, click, at):
    answer = await browser.get(click(at))
    assert answer.status_code == 200
    assert clio_sandbox.records(at)[0]["name"] in answer.text


async def test_a_reload_shows_the_same_again_and_another_browser_gets_nothing(browser, click):
    launch = click()
    first, again = await browser.get(launch), await browser.get(launch)
    assert first.text == again.text
    assert again.status_code == 200
    browser.cookies.clear()
    assert (await browser.get(launch)).status_code == 403


async def test_a_click_is_good_for_60_seconds(browser, clio_sandbox, click):
    launch = click()
    clio_sandbox.advance(61)
    assert (await browser.get(launch)).status_code == 403


async def test_a_forged_click_is_turned_away(browser, clio_sandbox, click):
    launch = click()
    before = len(clio_sandbox.requests)
    assert (await browser.get(re.sub(r"%2Fapi.*?&", "https%3A%2F%2Fevil.example%2F1&", launch))).status_code == 400
    assert len(clio_sandbox.requests) == before
    assert (await browser.get(re.sub(r"nonce=.*", "nonce=made-up-nonce", launch))).status_code == 403


async def test_when_clio_has_trouble_the_nonce_is_not_sent_again(browser, clio_sandbox, click):
    launch = click()
    clio_sandbox.fault("status", status=503, path="/api/v4/matters/*")
    assert (await browser.get(launch)).status_code == 403
    assert len([seen for seen in clio_sandbox.requests if "custom_action_nonce" in seen["query"]]) == 1
