"""Many firms from the terminal: which one is meant, all of them, and the vault that is named beside a sandbox."""

from __future__ import annotations

import json
import re

import pytest

import clio_nb as clio
from clio_nb.cli import main, options
from clio_nb.firm import Firm
from clio_nb.sandbox import Sandbox
from clio_nb.vault import Vault

MANIFEST = """
[app]
name = "partner-sign"

[[actions]]
key = "sign"
label = "Send for signature"
target_url = "https://partner.example/launch"
locations = ["matters"]
"""


@pytest.fixture(autouse=True)
def _own_folders(tmp_path, monkeypatch, no_keyring):
    """The vaults and keys of this test lie in its own folder."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("CLIO_NB_SITE", "CLIO_NB_VAULT", "CLIO_NB_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def site():
    with Sandbox(users=2, firms=2, regions=("us", "eu")) as site:
        yield site


@pytest.fixture
def manifest(tmp_path):
    path = tmp_path / "actions.toml"
    path.write_text(MANIFEST)
    return path


@pytest.fixture
def vault(site, tmp_path):
    """A vault with two of the four firms, each by Clio's id of it."""
    path = tmp_path / "ours.sqlite"
    kept = Vault.open(path)
    for host in (site.firms[1], site.firms[2]):
        Firm(host, kept, name=str(host.account_id)).sign_in_everyone()
    kept.close()
    return path


@pytest.fixture
def run(site, monkeypatch, capsys):
    def start(*words, answer=None):
        monkeypatch.setattr("sys.argv", ["clio-nb", *map(str, words), "--site", site.origin])
        if answer is not None:
            monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
            monkeypatch.setattr("typer.prompt", lambda *_, **__: answer)
            monkeypatch.setattr("typer.confirm", lambda *_, **__: True)
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return start


def labels(host):
    return [[one.label for one in clio.login(host, user.id).list_actions()] for user in host.users]


def rows(out):
    return [json.loads(line) for line in out.splitlines()]


def test_all_firms_of_a_sandbox_are_brought_to_rest_with_the_exit_codes_of_one(run, site, manifest):
    code, out, _ = run("plan", manifest, "--all-firms")
    assert (code, "Plan for 4 firms: 8 create" in out) == (2, True)
    code, out, err = run("apply", manifest, "--all-firms", "--yes")
    assert (code, "Apply for 4 firms: 8 done" in out) == (0, True)
    assert "At most 20 calls" in err
    assert [labels(host) for host in site.firms] == [[["Send for signature"]] * 2] * 4
    assert run("plan", manifest, "--all-firms")[0] == 0
    assert run("status", "--all-firms")[0] == 0
    assert run("drift", "--all-firms")[0] == 0
    clio.login(site, site.users[0].id).list_actions()[0]
    session = clio.login(site, site.users[0].id)
    session.update_action(session.list_actions()[0].id, label="By hand")
    code, out, _ = run("drift", "--all-firms")
    assert (code, "renamed by hand: 1" in out) == (2, True)
    code, out, _ = run("offboard", "--all-firms", "--yes")
    assert [labels(host) for host in site.firms] == [[[], []]] * 4
    assert code == 0


def test_programs_get_a_line_of_json_for_each_firm(run, site, manifest):
    ids = {host.account_id for host in site.firms}
    for words in (
        ("plan", manifest),
        ("apply", manifest, "--yes"),
        ("status", "--manifest", manifest),
        ("drift",),
        ("offboard", "--yes"),
    ):
        _, out, _ = run(*words, "--all-firms", "--json")
        told = rows(out)
        assert {row["firm_id"] for row in told} == ids, words
        assert {"region", "firm", "counts", "why", "requests", "seconds", "error"} <= set(told[0])
    _, out, _ = run("firms", "--json")
    assert {row["firm_id"] for row in rows(out)} == ids
    assert {"people", "tokens", "last_run", "last_run_at", "finished"} <= set(rows(out)[0])
    assert {(row["people"], row["tokens"], row["finished"]) for row in rows(out)} == {(2, 2, True)}


def test_firms_are_listed_without_asking_clio(run, site, vault):
    before = [len(host.requests) for host in site.firms]
    code, out, _ = run("firms", "--vault", vault)
    assert code == 0
    assert [host.name in out for host in site.firms] == [False, True, True, False]
    assert [len(host.requests) for host in site.firms] == before


def test_region_leaves_the_others_out(run, site, manifest):
    code, out, _ = run("apply", manifest, "--all-firms", "--region", "eu", "--yes")
    assert (code, "Apply for 2 firms" in out) == (0, True)
    assert [labels(host) != [[], []] for host in site.firms] == [False, False, True, True]
    code, _, err = run("plan", manifest, "--all-firms", "--region", "au")
    assert (code, "does not play that region" in err) == (1, True)
    assert run("plan", manifest, "--all-firms", "--region", "xx")[0] == 1


@pytest.mark.parametrize("how", ["id", "name", "case"])
def test_one_firm_is_named_by_id_or_name(run, site, vault, manifest, how):
    host = site.firms[2]
    which = {"id": host.account_id, "name": host.name, "case": host.name.lower()}[how]
    said = ("--vault", vault, "--firm", which)
    code, out, _ = run("apply", manifest, "--yes", *said)
    ran = re.search(r"clio-nb undo (\S+)", out)[1]
    assert code == 0
    assert [labels(host) != [[], []] for host in site.firms] == [False, False, True, False]
    assert run("status", *said)[1].count("Send for signature") == 2
    assert run("drift", *said)[:2] == (0, "Everything is as it should be.\n")
    assert run("undo", ran, "--yes", *said)[0] == 0
    assert labels(host) == [[], []]


def test_actions_of_a_named_firm_are_listed_and_made(run, site, vault):
    host = site.firms[2]
    said = ("--vault", vault, "--firm", host.name)
    assert (
        run("actions", "create", "Go", "https://a.example/x", "--at", "matters", "--user", host.users[0].email, *said)[
            0
        ]
        == 0
    )
    code, out, _ = run("actions", "list", *said)
    assert (code, out.count("Go")) == (0, 1)
    assert labels(host) == [["Go"], []]


def test_a_run_is_undone_in_the_firm_that_it_is_of(run, site, manifest):
    run("apply", manifest, "--all-firms", "--yes")
    _, out, _ = run("firms", "--json")
    told = rows(out)[2]
    code, out, _ = run("undo", told["last_run"], "--all-firms", "--yes")
    assert code == 0
    empty = [host.account_id for host in site.firms if labels(host) == [[], []]]
    assert empty == [told["firm_id"]]
    again = out.partition("clio-nb undo ")[2].split()  # what it says takes that back
    assert run("undo", *again, "--yes")[0] == 0
    assert not any(labels(host) == [[], []] for host in site.firms)
    code, _, err = run("undo", "20000101-000000-0000", "--all-firms", "--yes")
    assert (code, "No firm of this vault has a run" in err) == (1, True)


def test_a_name_that_fits_two_is_asked_for_and_refused_where_nobody_can_be_asked(run, site, vault, manifest):
    kept = Vault.open(vault)
    one, other = site.firms[1], site.firms[2]
    for host in (one, other):
        kept.ledger.learn_firm(
            Firm(host, kept, name=str(host.account_id)).aio._firm_key, clio.models.Account(host.account_id, "Twins LLP")
        )
    kept.close()
    said = ("apply", manifest, "--yes", "--vault", vault, "--firm", "Twins LLP")
    code, _, err = run(*said)
    assert (code, "fits 2 firms" in err) == (1, True)
    assert labels(one) == labels(other) == [[], []]
    assert run(*said, answer=2)[0] == 0
    assert (labels(one), labels(other)) == ([[], []], [["Send for signature"]] * 2)
    code, _, err = run(*said, answer=3)
    assert (code, "There is no firm 3" in err) == (1, True)


def test_a_vault_that_is_named_beside_a_sandbox_is_used_or_refused_aloud(run, site, vault, manifest, tmp_path):
    code, out, _ = run("plan", manifest, "--vault", vault, "--all-firms")
    assert (code, "Plan for 2 firms" in out) == (2, True)
    code, out, _ = run("plan", manifest, "--vault", vault)  # the only firm of that vault in this region
    assert code == 2
    assert all(user.name in out for user in site.firms[1].users)
    kept = Vault.open(vault)
    Firm(site.firms[0], kept, name="another").sign_in_everyone()
    kept.close()
    code, out, err = run("apply", manifest, "--vault", vault, "--yes")
    assert (code, out) == (1, "")
    assert "This vault has 2 firms" in err
    assert "--firm" in err
    assert [labels(host) for host in site.firms] == [[[], []]] * 4
    code, out, _ = run("plan", manifest, "--vault", tmp_path / "new.sqlite")  # nobody is in it yet: everyone is
    assert (code, "2 create" in out) == (2, True)


@pytest.mark.parametrize("first", ["one", "all"])
def test_a_firm_keeps_its_name_in_the_vault_whichever_command_came_first(run, site, manifest, first):
    if first == "one":
        run("plan", manifest)
    for _ in range(2):
        code, out, _ = run("plan", manifest, "--all-firms")
        assert (code, "Plan for 4 firms: 8 create" in out) == (2, True)
        code, out, _ = run("plan", manifest)
        assert (code, "2 create" in out) == (2, True)


def test_one_failed_firm_makes_the_exit_code_1_and_the_others_are_done(run, site, manifest):
    site.firms[1].fault("status", method="POST", status=422, times=None)
    code, out, _ = run("apply", manifest, "--all-firms", "--yes")
    assert code == 1
    assert "6 done, 2 failed; 1 failed" in out
    code, out, _ = run("apply", manifest, "--all-firms", "--yes", "--canary", site.firms[1].name, "--json")
    assert code == 1
    assert sum("Not begun" in row["error"] for row in rows(out)) == 3


def test_what_is_planned_for_all_is_shown_confirmed_and_exactly_that_is_done(run, site, manifest):
    code, out, err = run("apply", manifest, "--all-firms")
    assert (code, "--yes" in err) == (1, True)
    assert [labels(host) for host in site.firms] == [[[], []]] * 4
    code, out, _ = run("apply", manifest, "--all-firms", answer=1)
    assert code == 0
    assert out.index("Plan for 4 firms") < out.index("Apply for 4 firms: 8 done")


@pytest.mark.parametrize(
    "words",
    [
        ("--firm", "x", "--all-firms"),
        ("--region", "eu"),
        ("--firm", "nobody"),
        ("--all-firms", "--canary", "nobody", "--yes"),
        ("--canary", "x"),
        ("--json",),
        ("--firm", "\x1b[31m"),
    ],
)
def test_n6_what_cannot_be_meant_is_one_sentence(run, site, manifest, words):
    code, _, err = run("apply", manifest, *words)
    assert code == 1
    assert err.count("\n") == 1 + err.startswith("At most")
    assert "\x1b" not in err
    assert "Traceback" not in err


def test_at_clio_every_region_counts_that_has_an_app_in_the_environment(monkeypatch, tmp_path):
    vault = tmp_path / "vault.sqlite"
    for region in ("eu", "us"):
        monkeypatch.setenv(f"CLIO_CLIENT_ID_{region.upper()}", f"app-{region}")
        monkeypatch.setenv(f"CLIO_CLIENT_SECRET_{region.upper()}", "secret")
        kept = Vault.open(vault)
        kept.keep(clio.connect(region), clio.User(id=1, name="A"), clio.Token.of("a-token"), firm="ours")
        kept.close()
    assert options.firms_at(None, str(vault)).overview()["region"].tolist() == ["us", "eu"]
    assert options.firms_at(None, str(vault), [clio.Region.EU]).overview()["region"].tolist() == ["eu"]
    assert options.firms_at("eu", str(vault)).overview()["region"].tolist() == ["eu"]
    with pytest.raises(clio.errors.InvalidInput, match="leaves out"):
        options.firms_at("eu", str(vault), [clio.Region.US])
    with pytest.raises(clio.errors.InvalidInput, match="fits 2 firms"):
        options.firm_at(None, str(vault), "ours")
    assert options.firm_at(None, str(vault), "ours", [clio.Region.EU]).site.region is clio.Region.EU
    monkeypatch.setenv("CLIO_NB_SITE", "eu")
    assert options.firm_at(None, str(vault)).aio.name == "ours"
    with pytest.raises(clio.errors.NeedsLogin):
        options.firms_at(None, str(tmp_path / "empty.sqlite"))
