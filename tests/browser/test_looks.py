"""How all that we draw looks: to everybody, in light and dark, and in as little room as a notebook leaves it."""

from __future__ import annotations

import pytest

from clio_nb.sandbox import Sandbox

MANIFEST = """
[app]
name = "partner-sign"

[[actions]]
key = "sign"
label = "Send for signature"
target_url = "https://partner.example/launch"
locations = ["matters", "documents"]

[[actions]]
key = "long"
label = "Order an appraisal for this file"
target_url = "https://partner.example/appraisals/new?tenant=1234567890&returning=yes"
locations = ["contacts"]
"""
OURS = ".clio-form, .jp-RenderedHTML"
LONGEST = "Order an appraisal for this file"

FORMS = {
    "login-empty": "clio.forms.login()",
    "login": "login = clio.forms.login(site)\nlogin",
    "login-done": "signed_in = clio.forms.login(site)\nsigned_in",
    "create_action-empty": "clio.forms.create_action(session)",
    "create_action-refused": "refused = clio.forms.create_action(session)\nrefused",
    "create_action-at-work": "busy = clio.forms.create_action(session)\nbusy",
    "create_action": "action = clio.forms.create_action(sessions)\naction",
    "my_actions-empty": "clio.forms.my_actions([])",
    "my_actions-refused": "wrong = clio.forms.my_actions(session)\nwrong",
    "my_actions": "actions = clio.forms.my_actions(sessions)\nactions",
    "launch-empty": "clio.forms.launch(session)",
    "launch-refused": "forged = clio.forms.launch(session)\nforged",
    "launch": "launch = clio.forms.launch(sessions)\nlaunch",
    "inbox-empty": "clio.forms.inbox(clio.inbox(site), site)",
    "inbox": "box = clio.inbox(site)\nclio.forms.inbox(box, site)",
    "firm-empty": "firm = clio.Firm(site)\nfor each in sessions:\n    firm.add(each)\nclio.forms.firm(firm)",
    "firm": 'whole = clio.forms.firm(firm, "looks.toml")\nwhole',
    "firm-done": 'done = clio.forms.firm(firm, "looks.toml")\ndone',
    "firms-empty": "firms = clio.Firms(site, firm.vault)\nclio.forms.firms(firms)",
    "firms": 'many = clio.forms.firms(firms, "looks.toml")\nmany',
}
"""Each form, empty, refused, at work and done, and the cell that shows it."""

OUTPUTS = (
    "clio.inspect_launch('https://partner.example/launch?user_id=12')",
    f'clio.forms.menus("{LONGEST}")',
    "firm.plan('looks.toml')",
    "firm.apply(firm.plan('looks.toml'))",
    "clio.tables.heat_map(firm.coverage('looks.toml'))",
    "firms.apply('looks.toml', progress=False)",
    "launch.report",
    "launch.value",
    "box",
    "clio.forms.screens(site, session.user.id)",
)
WORK = """
import httpx
busy.label = "Send for signature"
busy.busy, busy.status = True, clio.forms.Status("busy", "Creating 'Send for signature' …")
def click(action):
    at = session.list_records("matters")[0].subject.path
    body = dict(user_id=session.user.id, custom_action_id=action.id, subject_url=at)
    return httpx.post(site.control_url + "/clicks", json=body, trust_env=False).json()["launch_url"]
action.label = "Order an appraisal for this file"
action.target_url = "https://partner.example/appraisals/new?tenant=1234567890"
made = action.submit()[0].action
wrong.read()
wrong.target_url = "ftp://partner.example"
failures = [refused.submit, wrong.submit, lambda: forged.inspect(click(made) + "&user_id=1")]
for work in failures:
    try:
        work()
    except clio.errors.ClioError:
        pass
mine = clio.create_action(session, "To the inbox", box.url, at="matters")
httpx.get(click(mine), trust_env=False)
httpx.get(box.url + "?user_id=1", trust_env=False)
launch.inspect(click(made))
launch.submit()
signed_in.sessions = tuple(sessions)
actions.read()
actions.label = "Sign-off"
actions.submit()
whole.read_coverage()
whole.make_plan()
login.button.click()
done.make_plan()
done.submit()
many.read_coverage()
"""


def beginning(site, users):
    """The first cell: these users signed in."""
    return (
        f"import clio_nb as clio\nsite = clio.connect({site.origin!r})\n"
        f"sessions = [clio.login(site, user=id) for id in {[user.id for user in site.users[:users]]}]\n"
        "session = sessions[0]"
    )


@pytest.fixture
def site():
    with Sandbox(rate_limit=None) as sandbox:
        yield sandbox


@pytest.fixture(params=["Light", "Dark"])
def drawn(lab, open_notebook, site, request):
    """A notebook with all forms at all stages, and all else that we draw."""
    (lab.folder / "notebooks" / "looks.toml").write_text(MANIFEST)
    cells = (beginning(site, users=3), *FORMS.values(), WORK, *OUTPUTS, "'ready'")
    page = open_notebook(lab, *cells, theme=request.param, height=11000)
    page.locator(".jp-OutputArea-output", has_text="'ready'").wait_for(timeout=60_000)
    page.get_by_role("link", name="consent page").first.wait_for()
    all_there = "count => document.querySelectorAll('.clio-form').length >= count"
    page.wait_for_function(all_there, arg=len(FORMS))
    return page


def test_everybody_can_use_what_is_drawn_and_it_fits_where_there_is_little_room(
    drawn, request, violations, overflows, picture
):
    theme = request.node.callspec.params["drawn"].lower()
    for name, form in zip(FORMS, drawn.locator(".clio-form").all(), strict=True):
        picture(form, f"form-{name}-{theme}")
    assert violations(drawn, ".jupyter-widgets") == []
    found = {}
    for width in (1100, 700, 900):
        drawn.set_viewport_size({"width": width, "height": 11000})
        if width == 900:
            drawn.get_by_role("tab", name="File Browser").click()
            drawn.locator(".jp-FileBrowser").first.wait_for()
        picture(drawn, f"page-{theme}-{width}")
        found[width] = overflows(drawn, OURS)
    assert found == {1100: [], 700: [], 900: []}
