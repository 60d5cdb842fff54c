"""A person connects and clicks in a real browser, and the example app in Node is killed before every step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..docs.node import node_app


def test_both_journeys_go_on_when_the_node_app_is_killed_and_started_again_between_any_two_steps(
    tmp_path: Path, browser: Any
) -> None:
    with node_app(tmp_path) as app:
        user, title = app.site.users[0], app.site.records("matters")[0]["display_number"]
        page = browser.new_page()
        page.goto(f"{app.url}/clio/connect")
        app.restart()
        page.get_by_label("Sign in as").select_option(str(user.id))
        page.get_by_role("button", name="Allow").click()
        page.get_by_role("heading", name="Connected").wait_for()
        app.restart()
        page.goto(f"{app.site.origin}/as/{user.id}/matters")
        page.get_by_role("button", name="Custom actions for", exact=False).first.click()
        app.restart()
        with page.context.expect_page() as opened:
            page.get_by_role("button", name="Send for signature").click()
        launched = opened.value
        launched.get_by_text(f"It is {title}.").wait_for()
        assert "nonce" not in launched.url
        app.restart()
        launched.reload()
        launched.get_by_text(f"It is {title}.").wait_for()

        click = app.site.click_on(user.id, f"{app.url}/launch")  # and between the proof and the page
        page.route(f"{app.url}/launch?shown=*", lambda route: (app.restart(), route.continue_()))
        page.goto(click)
        page.get_by_text(f"It is {title}.").wait_for()
        page.close()
