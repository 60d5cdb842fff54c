"""What stands beside a form's fields in JupyterLab: buttons that copy and save, my actions, and what is pasted."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

import clio_nb as clio
from clio_nb.sandbox import Sandbox

TARGET = "https://partner.example/launch"


@pytest.fixture
def site():
    with Sandbox(rate_limit=None) as sandbox:
        yield sandbox


def beginning(site, users=1):
    ids = [user.id for user in site.users[:users]]
    return (
        f"import clio_nb as clio\nsite = clio.connect({site.origin!r})\n"
        f"sessions = [clio.login(site, user=id) for id in {ids}]\nsession = sessions[0]"
    )


def clipboard(page):
    return page.evaluate("navigator.clipboard.readText()")


def outside(page, origin):
    """The requests of a page that go anywhere but to its own server."""
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    return lambda: [url for url in asked if not url.startswith((origin, "data:", "blob:"))]


def test_code_and_addresses_are_copied_or_selected_and_a_paste_is_understood_at_once(
    lab, open_notebook, site, picture, tmp_path
):
    session = clio.login(site)
    action = clio.create_action(session, "Send", TARGET, at="matters")
    page = open_notebook(
        lab, beginning(site), "clio.forms.launch(session)", "box = clio.inbox(site)\nclio.forms.inbox(box, site)"
    )
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    elsewhere = outside(page, lab.origin)
    form, inbox = page.locator(".clio-form").nth(0), page.locator(".clio-form").nth(1)

    form.get_by_role("button", name="Show the code").click()
    form.get_by_role("button", name="Copy the code").click()
    expect(form.get_by_text("Copied.")).to_be_visible()
    assert clipboard(page) == form.locator("pre").inner_text() == "clio.verify_launch(url, session)"

    inbox.get_by_role("button", name="Copy the address").click()
    expect(inbox.get_by_text("Copied.")).to_be_visible()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/launch", clipboard(page))

    # a launch is pasted, with a line break in it, and taken without leaving the box
    url = site.click(session.user.id, action.id, site.records("matters")[0]["subject_url"])
    page.evaluate("text => navigator.clipboard.writeText(text)", f" {url[:60]}\n{url[60:]}\n")
    box = form.get_by_label("Launch URL")
    box.focus()
    page.keyboard.press("Control+v")
    expect(form.get_by_role("progressbar")).to_be_visible()
    expect(box).to_have_value("")
    expect(box).to_be_focused()
    expect(form.get_by_role("status").first).to_contain_text("Removed")
    form.get_by_role("button", name="Copy the address without its nonce").click()
    expect(form.get_by_text("Copied.").first).to_be_visible()
    nonce = url.partition("custom_action_nonce=")[2]
    assert clipboard(page).endswith("custom_action_nonce=scrubbed-nonce")
    picture(form, "form-launch-pasted")

    form.get_by_role("button", name="Verify").click()
    expect(form.get_by_text("How it was proved")).to_be_visible()
    expect(form.get_by_role("progressbar")).to_have_count(0)
    form.get_by_role("button", name="Save as CSV").click()
    expect(form.get_by_text("Saved launch-parts.csv, launch-steps.csv, launch-record.csv in")).to_be_visible()
    assert (
        (lab.folder / "notebooks" / "launch-steps.csv").read_text(encoding="utf-8-sig").startswith("name,ok,detail\n")
    )
    picture(form, "form-launch-verified")

    # where the browser does not let the page copy, the text is selected
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }")
    form.get_by_role("button", name="Copy the code").click()
    expect(form.get_by_text("Selected. Press Ctrl+C")).to_be_visible()
    assert page.evaluate("String(window.getSelection())") == "clio.verify_launch(url, session)"

    assert nonce not in page.content()
    assert elsewhere() == []


@pytest.mark.parametrize("theme", ["Light", pytest.param("Dark", marks=pytest.mark.long)])
def test_my_actions_are_filtered_renamed_moved_deleted_and_made_again(
    lab, open_notebook, violations, picture, site, theme
):
    sessions = [clio.login(site, user=user.id) for user in site.users[:2]]
    for session in sessions:
        for label in ("Send for signature", "<b>Archive</b>"):
            clio.create_action(session, label, TARGET, at="matters")
    page = open_notebook(
        lab, beginning(site, users=2), "clio.forms.my_actions(sessions)", theme=theme, width=900, height=1400
    )
    form = page.locator(".clio-form").first
    form.wait_for()
    name = f"form-my_actions-{theme.lower()}"
    expect(form.get_by_text("4 actions, read at")).to_be_visible()
    picture(form, f"{name}-read")
    form.get_by_label("Filter").fill("archive")
    expect(form.get_by_text("2 of 4 actions")).to_be_visible()
    expect(form.get_by_role("cell", name="<b>Archive</b>")).to_have_count(0)  # it is the row's header
    expect(form.get_by_role("rowheader", name="<b>Archive</b>")).to_have_count(2)
    form.get_by_label("Action", exact=True).select_option(f"<b>Archive</b> – matters – {sessions[1].user.name}")
    form.get_by_label("Label").fill("Archive it")
    form.get_by_label("Location").select_option("Contacts")
    form.get_by_role("button", name="Change the action").click()
    expect(form.get_by_role("status")).to_contain_text("Changed action")
    expect(form.get_by_role("rowheader", name="Archive it")).to_be_visible()
    assert sorted(action.label for action in sessions[1].list_actions()) == ["Archive it", "Send for signature"]
    picture(form, f"{name}-changed")
    form.get_by_role("button", name="Delete the action").click()
    expect(form.get_by_role("status")).to_contain_text("Undo makes it again, as a new action")
    form.get_by_role("button", name="Undo the delete of").click()
    expect(form.get_by_role("status")).to_contain_text("It is a new action: its id is")
    form.get_by_label("Label").fill("")
    form.get_by_role("button", name="Change the action").click()
    expect(form.get_by_role("alert")).to_contain_text("Label: The label is empty")
    picture(form, f"{name}-error")
    form.get_by_role("button", name="Save as Excel").click()
    expect(form.get_by_text("Saved my-actions")).to_be_visible()
    assert violations(page, ".jupyter-widgets") == []
    assert form.evaluate("form => form.scrollWidth <= form.clientWidth")
