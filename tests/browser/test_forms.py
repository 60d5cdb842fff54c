"""The forms in JupyterLab, filled and clicked as a person does it."""

from __future__ import annotations

import re

import httpx
import pytest
from playwright.sync_api import expect

from clio_nb.sandbox import Sandbox
from clio_nb.vocabulary import MENUS, Location

from ..ports import free_port

MANIFEST = """
[app]
name = "partner-sign"

[[actions]]
key = "sign"
label = "Send for signature"
target_url = "https://partner.example/launch"
locations = ["matters", "documents"]
"""


@pytest.fixture
def site():
    with Sandbox(redirect_uris=(f"http://127.0.0.1:{free_port()}/callback",), rate_limit=None) as sandbox:
        yield sandbox


def beginning(site, users=1):
    """The first cell of every notebook here: as many users signed in as asked for."""
    return (
        f"import clio_nb as clio\nsite = clio.connect({site.origin!r})\n"
        f"sessions = [clio.login(site, user=id) for id in {[user.id for user in site.users[:users]]}]\n"
        "session = sessions[0]"
    )


def actions_of(site, user):
    token = site.token(user.id)["access_token"]
    answer = httpx.get(
        f"{site.api_url}/custom_actions?fields=id,label,target_url,ui_reference",
        headers={"authorization": f"Bearer {token}"},
        trust_env=False,
    )
    return answer.json()["data"]


def form_in(page):
    return page.locator(".clio-form").first


def test_an_action_is_filled_in_checked_pictured_and_created(lab, open_notebook, site):
    page = open_notebook(lab, beginning(site), "clio.forms.create_action(session)")
    form = form_in(page)
    form.get_by_role("button", name="Create the action").click()
    expect(form.get_by_role("alert")).to_contain_text("Label: ")
    expect(form.get_by_label("Label")).to_be_focused()
    assert actions_of(site, site.users[0]) == []
    form.get_by_label("Label").fill("Send for signature")
    expect(form.get_by_text("18 of 32 characters")).to_be_visible()
    expect(form.get_by_role("alert")).to_have_count(0)
    form.get_by_label("Target URL").fill("http://partner.example/launch")
    expect(form.get_by_text("Use https")).to_be_visible()
    form.get_by_label("Target URL").fill("https://partner.example/launch")
    expect(form.get_by_text("Use https")).to_have_count(0)
    form.get_by_role("button", name="Show the code").click()
    expect(form.locator("pre")).to_contain_text("clio.create_action(")
    expect(form.locator("pre")).to_contain_text("'Send for signature'")
    seen = set()
    for location in [each for each in Location if each is not Location.CONTACTS] + [Location.CONTACTS]:
        menus = "two menus" if len(location.menus) > 1 else "one menu"
        form.get_by_label("Location").select_option(f"{location.resource.capitalize()} ({menus})")
        for menu in location.menus:
            drawn = form.get_by_role("img", name=re.compile(re.escape(str(menu)), re.IGNORECASE))
            expect(drawn).to_contain_text("Send for signature")
            seen.add(str(menu))
    assert len(seen) == len(MENUS)
    form.get_by_label("Label").press("End")
    page.keyboard.type(" now")
    form.get_by_role("button", name="Create the action").click()  # at once: the last letters count
    expect(form.get_by_role("status")).to_contain_text(f"Created for {site.users[0].name}")
    [action] = actions_of(site, site.users[0])
    assert (action["label"], action["ui_reference"]) == ("Send for signature now", "contacts/show")


def test_launches_are_pasted_or_arrive_are_verified_and_leave_no_nonce(lab, open_notebook, site):
    page = open_notebook(
        lab,
        beginning(site),
        'clio.create_action(session, "Send", "https://partner.example/launch", at="matters")\n'
        "clio.forms.launch(session)",
        "box = clio.inbox(site)\n"
        'clio.create_action(session, "To the inbox", box.url, at="matters")\n'
        "clio.forms.inbox(box, site)",
    )
    form, inbox = page.locator(".clio-form").first, page.locator(".clio-form").nth(1)
    expect(inbox.get_by_text("Nothing has arrived yet")).to_be_visible()
    user, (pasted, received) = site.users[0], actions_of(site, site.users[0])
    matters = [matter["subject_url"] for matter in site.records("matters")]
    url = site.click(user.id, pasted["id"], matters[0])
    form.get_by_label("Launch URL").fill(url)
    form.get_by_label("Launch URL").blur()
    expect(form.get_by_label("Launch URL")).to_have_value("")
    expect(form.get_by_role("progressbar")).to_be_visible()
    form.get_by_role("button", name="Verify").click()
    expect(form.get_by_role("status")).to_contain_text("Verified")
    expect(form.get_by_text("How it was proved")).to_be_visible()
    for matter in matters[:2]:
        httpx.get(site.click(user.id, received["id"], matter), trust_env=False)
    expect(inbox.get_by_text("✓ verified")).to_have_count(2)
    inbox.get_by_role("button", name="Replay").dblclick()
    expect(inbox.get_by_text("✓ verified")).to_have_count(3)
    page.keyboard.press("Control+s")
    expect(page.get_by_text("Saving completed")).to_be_visible()
    nonce = url.partition("custom_action_nonce=")[2]
    saved = [path.read_text() for path in (lab.folder / "notebooks").glob("*.ipynb")]
    assert not any(nonce in text for text in saved)
    assert nonce not in page.content()


def test_the_firm_is_planned_applied_and_taken_back(lab, open_notebook, site):
    (lab.folder / "notebooks" / "actions.toml").write_text(MANIFEST)
    page = open_notebook(
        lab,
        beginning(site, users=3),
        'firm = clio.Firm(site)\nfor each in sessions:\n    firm.add(each)\nclio.forms.firm(firm, "actions.toml")',
    )
    form = form_in(page)
    form.get_by_role("button", name="Who sees what").click()
    expect(form.get_by_text("never signed in").first).to_be_visible()
    form.get_by_role("button", name="Plan", exact=True).click()
    expect(form.get_by_role("status")).to_contain_text("6 changes are planned")
    form.get_by_role("button", name="Apply the plan").click()
    expect(form.get_by_role("status")).to_contain_text("6 of 6 changes made")
    assert len(actions_of(site, site.users[1])) == 2
    form.get_by_role("button", name="Plan the undo").click()
    form.get_by_role("button", name="Apply the plan").click()
    expect(form.get_by_role("alert")).to_contain_text("delete 6")
    form.get_by_label("Confirm").fill("delete 6")
    form.get_by_role("button", name="Apply the plan").click()
    expect(form.get_by_role("status")).to_contain_text("6 of 6 changes made")
    assert actions_of(site, site.users[1]) == []


def test_forms_join_up_from_signing_in_to_undoing_also_in_two_tabs_and_after_a_restart(  # noqa: PLR0915 -- a journey
    lab, open_notebook, site, violations, picture
):
    (lab.folder / "notebooks" / "actions.toml").write_text(MANIFEST)
    (lab.folder / "notebooks" / "other.toml").write_text(MANIFEST.replace("Send for signature", "Another"))
    page = open_notebook(
        lab,
        f"import clio_nb as clio\nsite = clio.connect({site.origin!r})\nsign_in = clio.forms.login(site)\nsign_in",
        "clio.forms.create_action(sign_in)",
        'clio.forms.firm(sign_in, "actions.toml")',
        height=2600,
    )
    sign_in, create, firm = (page.locator(".clio-form").nth(number) for number in range(3))
    firm.wait_for()
    expect(create.get_by_text("Sign in first, with the sign-in form.")).to_be_visible()
    expect(firm.get_by_text("Sign in first, with the sign-in form.")).to_be_visible()
    picture(create, "joined-nobody")
    sign_in.get_by_role("button", name="Start sign-in").click()
    with page.expect_popup() as opened:
        sign_in.get_by_role("link", name="consent page").click()
    opened.value.get_by_role("button", name="Decline").click()
    expect(sign_in.get_by_role("alert")).to_be_visible()
    opened.value.close()
    for user in site.users[:2]:
        sign_in.get_by_role("button", name=re.compile("Retry|Sign in another user")).click()
        with page.expect_popup() as opened:
            sign_in.get_by_role("link", name="consent page").click()
        opened.value.get_by_label("Sign in as").select_option(str(user.id))
        opened.value.get_by_role("button", name="Allow").click()
        expect(sign_in.get_by_role("status")).to_contain_text(f"Connected as {user.name}")
        opened.value.close()
    expect(sign_in.get_by_role("row")).to_have_count(3)
    expect(create.get_by_text("Sign in first")).to_have_count(0)

    create.get_by_role("button", name="Create the action").click()
    expect(create.get_by_role("alert")).to_contain_text("Label: ")
    picture(create, "joined-error")
    create.get_by_label("Label").fill("  Send  ")
    expect(create.get_by_role("alert")).to_have_count(0)
    create.get_by_label("Target URL").fill("\u200bhttps://partner.example/launch ")
    create.get_by_role("button", name="Create the action").dblclick()
    expect(create.get_by_role("status")).to_contain_text("Created for 2 of 2 users")
    expect(create.get_by_role("button", name="Create the action")).to_be_enabled()
    expect(create.get_by_label("Label")).to_have_value("Send")
    create.get_by_label("For").select_option(f"{site.users[1].name} ({site.users[1].id})")
    create.get_by_label("Label").fill("By Enter")
    create.get_by_label("Label").press("Enter")
    expect(create.get_by_role("status")).to_contain_text(f"Created for {site.users[1].name}")
    labels = [[action["label"] for action in actions_of(site, user)] for user in site.users[:2]]
    assert labels == [["Send"], ["Send", "By Enter"]]

    firm.get_by_role("button", name="Who sees what").click()
    expect(firm.get_by_text("not there yet").first).to_be_visible()
    firm.get_by_role("button", name="Plan", exact=True).click()
    expect(firm.get_by_role("button", name="Apply the plan")).to_be_visible()
    firm.get_by_label("Manifest").fill("other.toml")
    expect(firm.get_by_role("button", name="Apply the plan")).to_have_count(0)
    expect(firm.get_by_role("status")).to_contain_text("The manifest is another one now. Plan again.")
    expect(firm.get_by_text("Read it again for the manifest above")).to_be_visible()
    picture(firm, "joined-disarmed")
    firm.get_by_label("Manifest").fill("actions.toml")
    firm.get_by_label("Manifest").press("Enter")
    expect(firm.get_by_role("button", name="Apply the plan")).to_be_visible()

    firm.get_by_label("Manifest").blur()
    page.keyboard.press("Control+s")
    expect(page.get_by_text("Saving completed")).to_be_visible()
    beside = page.context.new_page()  # the same notebook, on the same kernel
    beside.goto(page.url.replace("?reset", "?"))
    again = beside.locator(".clio-form").nth(2)
    again.get_by_role("button", name="Apply the plan").dblclick()
    for tab in (firm, again):
        expect(tab.get_by_role("status")).to_contain_text("4 of 4 changes made")
        expect(tab.get_by_text("not there yet")).to_have_count(0)
    picture(firm, "joined-applied")
    assert violations(page, ".jupyter-widgets") == []
    beside.close()

    sign_in.get_by_role("button", name="Sign out").click()
    expect(sign_in.get_by_role("status")).to_contain_text("is signed out")
    sign_in.get_by_role("button", name="Sign out").click()
    expect(create.get_by_text("Sign in first")).to_be_visible()
    sign_in.get_by_role("button", name="Start sign-in").click()
    sign_in.get_by_role("link", name="consent page").wait_for()
    page.get_by_role("menuitem", name="Kernel", exact=True).click()
    page.locator(".lm-Menu-item:has-text('Restart Kernel and Run All Cells')").first.click()
    page.locator(".jp-Dialog .jp-mod-accept").click()
    expect(sign_in.get_by_role("link", name="consent page")).to_have_count(0)
    firm.get_by_text("Sign in first").wait_for()
    expect(create.get_by_text("Sign in first")).to_be_visible()
    sign_in.get_by_role("button", name="Start sign-in").click()
    expect(sign_in.get_by_role("status")).to_contain_text("Follow the link")
    assert page.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
