"""The same notebooks on a hub: under a prefix, with everything on the kernel's machine reached through its proxy."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from ..ports import free_port

SANDBOX = "import clio_nb as clio\nsite = clio.sandbox()\nsession = clio.login(site)"


def test_a_user_signs_in_through_the_proxy_and_comes_back_through_it(hub, open_notebook):
    back = f"/user/alice/proxy/{free_port()}/callback"  # as the sandbox has it on a hub, on a port of this test's own
    page = open_notebook(
        hub, SANDBOX.replace("sandbox()", f"sandbox(redirect_uris=[{back!r}])"), "clio.forms.login(site)"
    )
    form = page.locator(".clio-form").first
    form.get_by_role("button", name="Start sign-in").click()
    link = form.get_by_role("link", name="consent page")
    expect(link).to_have_attribute("href", re.compile("^/user/alice/proxy/"))
    with page.expect_popup() as opened:
        link.click()
    tab = opened.value
    tab.get_by_role("button", name="Allow").click()
    expect(tab.get_by_role("heading", name="You can close this tab")).to_be_visible()
    assert back in tab.url
    expect(form.get_by_role("status")).to_contain_text("Connected as ")


def test_the_screens_are_shown_in_a_frame_and_a_click_reaches_the_inbox(hub, open_notebook):
    page = open_notebook(
        hub,
        SANDBOX,
        f"inbox = clio.inbox(site, origin={hub.origin!r})\n"
        'clio.create_action(session, "Send it", inbox.url, at="matters")\n'
        "clio.forms.screens(site, session.user.id)",
        "clio.forms.inbox(inbox, site)",
    )
    screens = page.frame_locator("iframe[title='Screens of the embedded Clio']")
    screens.get_by_role("button", name="Custom actions").first.click()
    with page.expect_popup() as opened:
        screens.get_by_role("button", name="Send it").first.click()
    expect(opened.value.get_by_role("heading", name="Verified")).to_be_visible()
    expect(page.locator(".clio-form").get_by_text("✓ verified")).to_have_count(1)


@pytest.fixture(autouse=True)
def _light(hub):
    hub.paint("Light")
