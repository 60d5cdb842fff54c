"""A person follows an invitation in a real browser: consent, button, click, page; and pages everybody can read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ..launches.conftest import serving_asgi
from ..web.connecting import Partner

SHOTS = os.environ.get("CLIO_NB_SCREENSHOTS")


@pytest.fixture
def partner(tmp_path: Path) -> Iterator[Partner]:
    with ExitStack() as servers:
        here = Partner(lambda app, _: servers.enter_context(serving_asgi(app)), tmp_path, rate_limit=None)
        yield here.open(may_see_team=lambda _: here.firm())
        here.close()


def looked_at(page: Any, name: str, violations: Callable[..., list[str]]) -> None:
    """Let axe look at a page in both colour schemes, wide and narrow, and keep a picture of each if asked for."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for width in (1000, 360):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (name, width)
            assert violations(page, "body") == [], (name, scheme, width)
            if SHOTS:
                page.screenshot(path=Path(SHOTS) / f"onboarding-{name}-{scheme}-{width}.png", full_page=True)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1000, "height": 800})


def test_from_an_invitation_to_a_page_of_the_app(
    partner: Partner, browser: Any, violations: Callable[..., list[str]]
) -> None:
    user = partner.site.users[0]
    page = browser.new_page()
    asked = []
    page.on("request", lambda request: asked.append((request.url, request.headers.get("referer", ""))))
    page.goto(partner.pages[0].invitation(partner.site.account_id, user))
    page.get_by_label("Sign in as").select_option(str(user.id))
    page.get_by_role("button", name="Allow").click()
    page.wait_for_url(f"{partner.base}/clio/callback?*")
    assert page.get_by_role("heading", name="Connected").is_visible()
    looked_at(page, "connected", violations)

    page.goto(f"{partner.site.origin}/as/{user.id}/matters")
    page.get_by_role("button", name="Custom actions for", exact=False).first.click()
    with page.context.expect_page() as opened:
        page.get_by_role("button", name="Send for signature").click()
    opened.value.wait_for_load_state()
    assert opened.value.title() == partner.site.records("matters")[0]["display_number"]
    assert "nonce" not in opened.value.url
    assert not [referer for url, referer in asked if "code=" in referer or "nonce=" in referer]

    for name, path, heading in (
        ("team", "team", "Who has the buttons?"),
        ("disconnect", "disconnect", "Disconnect from Clio?"),
        ("again", "callback?code=x&state=y", "Not connected"),
        ("nothing", "elsewhere", "Nothing is here"),
    ):
        page.goto(f"{partner.base}/clio/{path}")
        assert page.get_by_role("heading", name=heading).is_visible()
        looked_at(page, name, violations)
    page.goto(f"{partner.base}/clio/disconnect")
    page.get_by_role("button", name="Disconnect").click()
    page.wait_for_url(f"{partner.site.origin}/oauth/authorize?*")
    page.close()
