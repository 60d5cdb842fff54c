"""The form over all firms: an overview, a filter, who has what, and down to the form of one firm."""

from __future__ import annotations

import pytest

import clio_nb as clio
from clio_nb import forms
from clio_nb.errors import InvalidInput
from clio_nb.firm import Firm
from clio_nb.models import Account
from clio_nb.sandbox import Sandbox
from clio_nb.vault import Vault
from clio_nb.vault.vault import firm_key_of

MANIFEST = """
[app]
name = "partner-sign"

[[actions]]
key = "sign"
label = "Send for signature"
target_url = "https://partner.example/launch"
locations = ["matters"]
"""


@pytest.fixture
def site():
    with Sandbox(users=2, firms=2, regions=("us", "eu")) as site:
        yield site


@pytest.fixture
def firms(site):
    vault = Vault()
    for host in site.firms:
        Firm(host, vault, name=str(host.account_id)).sign_in_everyone()
    return clio.Firms([site.at("us"), site.at("eu")], vault)


@pytest.fixture
def manifest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "actions.toml").write_text(MANIFEST)
    return "actions.toml"


@pytest.fixture
def drawn(drawn):
    """Names have an ampersand here and there."""
    return lambda form: drawn(form).replace("&amp;", "&")


def offered(form):
    return [label for label, _ in form.fields["chosen"].options]


def test_it_shows_all_firms_at_once_without_asking_clio(firms, site, drawn):
    before = [len(host.requests) for host in site.firms]
    form = forms.firms(firms)
    assert all(host.name in drawn(form) for host in site.firms)
    assert len(offered(form)) == 5
    assert [len(host.requests) for host in site.firms] == before


def test_the_filter_leaves_the_firms_that_contain_it_to_see_and_to_open(firms, site, drawn):
    form = forms.firms(firms)
    form.chosen = 0
    form.containing = site.firms[3].name.upper()
    assert site.firms[0].name not in drawn(form)
    assert len(offered(form)) == 2
    assert form.chosen == -1
    form.containing = "eu"
    assert sum(host.name in drawn(form) for host in site.firms) >= 2
    form.containing = "no such firm"
    assert offered(form) == ["none"]


def test_who_has_what_is_asked_of_every_firm_and_shown(firms, site, manifest, click, drawn):
    firms.firm(site.firms[1].account_id).apply(firms.firm(site.firms[1].account_id).plan(manifest), progress=False)
    site.firms[2].fault("status", status=500, times=None)
    form = forms.firms(firms, manifest)
    click(form, form.look)
    assert form.status.kind in ("done", "failed")
    assert "2 of" in form.status.text
    assert "equipped" in drawn(form)
    form.containing = "not there yet"
    assert site.firms[1].name not in drawn(form)
    assert site.firms[0].name in drawn(form)
    site.firms[2].clear_faults()
    report = form.read_coverage()
    assert report.counts() == {"users": 8, "equipped": 2}
    assert form.read_overview() == 4
    assert "equipped" not in drawn(form)


def test_it_leads_down_to_one_firms_form_which_works(firms, site, manifest, click, drawn):
    form = forms.firms(firms, manifest)
    with pytest.raises(InvalidInput, match="Choose a firm"):
        form.submit()
    host = site.firms[2]
    form.containing = str(host.account_id)
    form.chosen = form.fields["chosen"].options[1][1]
    assert form.code.endswith(f"clio.forms.firm(firms.firm({host.account_id}), {manifest!r})")
    click(form)
    assert form.opened.plan is None
    plan = form.opened.make_plan()
    assert plan.account_id == host.account_id
    assert form.opened.submit()
    assert form.value.coverage()["matters/show"].tolist() == ["Send for signature"] * 2
    assert len(form.opened.read_coverage()) == 2
    assert "Who sees what" in drawn(form)
    first = form.opened
    form.submit()
    assert form.opened is first


def test_two_firms_of_one_name_are_told_apart(firms, site):
    for host in site.firms:
        firms.vault.ledger.learn_firm(
            firm_key_of(host, str(host.account_id)), Account(host.account_id, "The <same> LLP")
        )
    form = forms.firms(firms)
    assert len(set(offered(form))) == 5
    for place in range(4):
        form.chosen = place
        form.submit()
    assert len({each.make_plan for each in form._forms.values()}) == 4


def test_a_firm_that_came_or_left_meanwhile_is_no_trouble(firms, site, manifest):
    form = forms.firms(firms, manifest)
    gone = site.firms[0]
    for user in gone.users:
        firms.vault.remove(gone, user.id, firm=str(gone.account_id))
    assert len(form.read_coverage().rows) == 3
    assert len(offered(form)) == 4
    form.chosen = 0
    assert form.submit().aio.name != str(gone.account_id)


@pytest.mark.parametrize("wrong", ["firm", "site", "vault", "nothing"])
def test_what_is_not_many_firms_is_said_with_what_to_pass(firms, site, wrong):
    given = {"firm": firms.firm(site.account_id), "site": site, "vault": firms.vault, "nothing": None}
    with pytest.raises(InvalidInput, match=r"needs a clio\.Firms, not a"):
        forms.firms(given[wrong])


def test_hostile_names_are_text(firms, site, drawn):
    host = site.firms[0]
    firms.vault.ledger.learn_firm(
        firm_key_of(host, str(host.account_id)), Account(host.account_id, "<script>alert(1)</script>\u202e")
    )
    form = forms.firms(firms)
    assert "<script>" not in drawn(form)
    assert "\u202e" not in drawn(form) + "".join(offered(form))


def test_stop_begins_no_further_firm(firms, manifest):
    form = forms.firms(firms, manifest)
    form.observe(lambda change: form.stop() if change["new"] else None, "busy")
    report = form.read_coverage()
    assert {row.error for row in report.rows} == {"Not begun: the run was stopped."}
    assert form.status.kind == "failed"


def test_one_firm_is_not_called_several(drawn):
    with Sandbox(users=1) as site:
        firm = clio.Firm(site)
        firm.sign_in_everyone()
        form = forms.firms(clio.Firms(site, firm.vault))
        assert "1 firm" in drawn(form)
        assert "1 firms" not in drawn(form)
