"""Many firms: the verbs of one over all of them, firm by firm, in one process."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import clio_nb as clio
from clio_nb import aio
from clio_nb.errors import InvalidInput, ManifestError
from clio_nb.firm import Firm
from clio_nb.firm.apply._user_run import Stop
from clio_nb.firm.manifest import Manifest, parse_manifest
from clio_nb.firms import Firms, FirmsReport, _loop
from clio_nb.firms.report import COUNTS, FirmRow
from clio_nb.http import loop, network, retry, transport
from clio_nb.ledger.people import keep_people
from clio_nb.models import Account, Token, User
from clio_nb.sandbox import Sandbox
from clio_nb.vault import Vault
from clio_nb.vault.vault import firm_key_of

from .conftest import TOML, asked, fill, labels

SIGN = "Send for signature"
EVERYWHERE = [[SIGN, SIGN]] * 3


def row_of(report: FirmsReport, name: str) -> FirmRow:
    return next(row for row in report.rows if name in (row.firm, row.name))


def test_f1_one_manifest_brings_every_firm_to_rest_and_report_ledger_and_clio_agree(
    firms: Firms, site: Sandbox, manifest: Manifest
) -> None:
    report = firms.apply(manifest, progress=False)
    assert report
    assert report.counts() == {"done": 36}
    assert [(row.region, row.firm_id, row.firm) for row in report.rows] == sorted(
        ((host.region.value, host.account_id, host.name) for host in site.firms),
        key=lambda one: (one[0] == "eu", str(one[1])),
    )
    assert [labels(host) for host in site.firms] == [EVERYWHERE] * 6
    for row in report.rows:
        assert firms.firm(row.firm).audit(row.run)["outcome"].tolist() == ["done"] * 6
    assert firms.audit()[["runs", "unfinished", "changes", "done"]].to_numpy().tolist() == [[1, 0, 6, 6]] * 6
    assert firms.coverage(manifest, progress=False)[["users", "equipped"]].to_numpy().tolist() == [[3, 3]] * 6
    assert firms.drift(progress=False)[list(COUNTS["drift"])].to_numpy().sum() == 0


def test_applying_again_finds_nothing_to_do_writes_nothing_and_leaves_no_run(
    firms: Firms, site: Sandbox, manifest: Manifest
) -> None:
    firms.apply(manifest, progress=False)
    meanwhile = asked(*site.firms)
    again = firms.apply(manifest, progress=False)
    assert again
    assert again.counts() == {}
    assert {row.run for row in again.rows} == {""}
    assert {each.split()[0] for each in meanwhile()} == {"GET"}
    assert firms.audit()["runs"].tolist() == [1] * 6


def test_a_row_says_how_many_requests_a_firm_has_cost(firms: Firms, site: Sandbox, manifest: Manifest) -> None:
    counted = {host.name: asked(host) for host in site.firms}
    site.firms[1].fault("status", method="GET", status=500, times=2)  # what is sent again counts, too
    report = firms.apply(manifest, progress=False)
    assert {row.firm: row.requests for row in report.rows} == {name: len(since()) for name, since in counted.items()}
    assert row_of(report, site.firms[1].name).requests == row_of(report, site.firms[0].name).requests + 2
    assert all(row.seconds > 0 for row in report.rows)


def test_what_it_will_cost_at_most_is_known_before_it_begins_without_a_request(
    firms: Firms, site: Sandbox, manifest: Manifest
) -> None:
    meanwhile = asked(*site.firms)
    most = firms.cost(manifest)
    assert meanwhile() == []
    plans = firms.plan(manifest, progress=False)
    assert plans.cost().calls == plans.changes == 36
    meanwhile = asked(*site.firms)
    firms.apply(manifest, progress=False)
    assert len(meanwhile()) <= most.calls
    assert most.calls == 6 * (1 + 3 * (1 + 2))
    one = '\n[[actions]]\nkey = "{0}"\nlabel = "{0}"\ntarget_url = "https://a.example/{0}"\nlocations = ["matters"]\n'
    many = parse_manifest(TOML + "".join(map(one.format, range(60))))
    assert firms.cost(many).seconds == 60


def test_f1_a_firm_whose_only_token_is_revoked_is_a_row_that_says_so(
    firms: Firms, site: Sandbox, manifest: Manifest
) -> None:
    alone = site.firms[2]
    for user in alone.users[1:]:
        firms.vault.remove(alone, user.id, firm=str(alone.account_id))
    alone.revoke(alone.users[0].id)
    report = firms.apply(manifest, progress=False)
    assert [row.firm for row in report.failed] == [alone.name]
    assert "No user of this firm could be read" in report.failed[0].error
    assert report.failed[0].why == {"revoked": 2}
    assert report.counts() == {"done": 30, "blocked": 2}
    covered = firms.coverage(manifest, progress=False).set_index("firm").loc[alone.name]
    assert (covered["users"], covered["equipped"], covered["why"]) == (1, 0, "revoked: 1")
    assert firms.overview().set_index("firm").loc[alone.name, ["tokens", "usable"]].tolist() == [1, 0]


VERBS = ("plan", "coverage", "drift", "apply", "offboard")
TROUBLES = ("status", "html", "redirect", "reset", "truncated")


@pytest.mark.parametrize(
    ("verb", "trouble"),
    [
        *zip(VERBS, TROUBLES, strict=True),
        *(
            pytest.param(verb, trouble, marks=pytest.mark.long)
            for verb, trouble in itertools.product(VERBS, TROUBLES)
            if (verb, trouble) not in zip(VERBS, TROUBLES, strict=True)
        ),
    ],
)
def test_f1_one_failure_stops_nobody(
    firms: Firms, site: Sandbox, manifest: Manifest, verb: str, trouble: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry._Budget, "left", 0)  # nothing is tried again
    unlucky = site.firms[4]
    unlucky.fault(trouble, times=None)
    report = loop.run(getattr(firms.aio, verb), **({} if verb == "offboard" else {"manifest": manifest}))
    said = row_of(report, unlucky.name)
    assert said.error or said.why
    assert [row.error for row in report.rows if row.firm != unlucky.name] == [""] * 5


def test_f1_one_user_who_fails_is_said_in_her_firms_row(firms: Firms, site: Sandbox, manifest: Manifest) -> None:
    unlucky = site.firms[1]
    unlucky.fault("status", method="POST", status=422, user_id=unlucky.users[0].id, times=None)
    report = firms.apply(manifest, progress=False)
    assert [row.firm for row in report.failed] == [unlucky.name]
    assert "2 of 6 changes were not made" in report.failed[0].error
    assert (report.counts()["done"], report.counts()["failed"]) == (34, 2)
    unlucky.clear_faults()
    again = firms.apply(manifest, progress=False)
    assert again.counts() == {"done": 2}
    assert [labels(host) for host in site.firms] == [EVERYWHERE] * 6


def test_f1_something_unexpected_in_one_firm_ends_that_firm_only(
    firms: Firms, manifest: Manifest, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real, name = _loop.carried_out, firms.overview()["name"].tolist()[3]

    async def once(firm: Any, task: Any, stop: Stop) -> FirmRow:
        if task.of.name == name:
            raise KeyError("a canary that is not shown")
        return await real(firm, task, stop)

    monkeypatch.setattr(_loop, "carried_out", once)
    report = firms.apply(manifest, progress=False)
    assert [row.name for row in report.failed] == [name]
    assert report.failed[0].error.startswith("Unexpected error (KeyError)")
    assert report.counts() == {"done": 30}
    assert "failed unexpectedly" in caplog.text


@pytest.mark.parametrize(("allowed", "begun"), [(0, 2), (1, 6)])
def test_f1_canaries_go_first_and_when_too_many_of_them_fail_no_other_firm_is_begun(
    firms: Firms, site: Sandbox, manifest: Manifest, allowed: int, begun: int
) -> None:
    first, second = site.firms[1], site.firms[4]
    first.fault("status", method="POST", status=422, times=None)
    ended: list[str] = []
    meanwhile = {host.name: asked(host) for host in site.firms}
    canary = [first.account_id, second.name]
    report = firms.apply(manifest, canary=canary, canary_failures=allowed, progress=lambda row: ended.append(row.firm))
    assert {*ended[:2]} == {first.name, second.name}
    assert sum(bool(since()) for since in meanwhile.values()) == begun
    assert sum("Not begun" in row.error for row in report.rows) == 6 - begun
    first.clear_faults()
    assert firms.apply(manifest, canary=canary, progress=False)
    assert [labels(host) for host in site.firms] == [EVERYWHERE] * 6


def test_a_run_that_was_stopped_goes_on_by_applying_again(firms: Firms, site: Sandbox, manifest: Manifest) -> None:
    stop = Stop()

    def one_is_enough(row: FirmRow) -> None:
        stop.asked = True

    first = site.firms[0].name
    report = loop.run(firms.aio.apply, manifest, canary=first, progress=one_is_enough, stop=stop)
    assert report.counts() == {"done": 6}
    assert [row.firm for row in report.rows if not row.error] == [first]
    assert {row.error for row in report.failed} == {"Not begun: the run was stopped."}
    assert firms.apply(manifest, progress=False).counts() == {"done": 30}
    assert [labels(host) for host in site.firms] == [EVERYWHERE] * 6


def test_a_run_that_is_cancelled_ends_what_it_has_begun_and_goes_on_by_applying_again(
    firms: Firms, site: Sandbox, manifest: Manifest
) -> None:
    async def cancelled() -> None:
        work: asyncio.Task[FirmsReport]
        work = asyncio.ensure_future(firms.aio.apply(manifest, progress=lambda _: work.cancel()))
        with pytest.raises(asyncio.CancelledError):
            await work

    loop.run(cancelled)
    assert "sent" not in [entry for row in firms.overview()["name"] for entry in firms.firm(row).audit()["outcome"]]
    assert firms.apply(manifest, progress=False)
    assert [labels(host) for host in site.firms] == [EVERYWHERE] * 6


def test_what_was_planned_is_what_is_done(firms: Firms, site: Sandbox, manifest: Manifest, manifest_file: Path) -> None:
    plans = firms.plan(manifest_file, progress=False)
    assert plans.counts() == {"create": 36}
    manifest_file.write_text(TOML.replace(SIGN, "Another label"))
    only = FirmsReport(plans.verb, plans.rows[:2])
    report = firms.apply(only, progress=False)
    assert [row.name for row in report.rows] == [row.name for row in plans.rows[:2]]
    assert report.counts() == {"done": 12}
    assert {label for host in site.firms for of in labels(host) for label in of} == {SIGN}
    leaving = firms.plan_offboard(progress=False)
    assert leaving.counts() == {"delete": 12}
    assert firms.apply(leaving, progress=False).counts() == {"done": 12}
    assert {label for host in site.firms for of in labels(host) for label in of} == set()


def test_two_who_apply_at_once_make_no_second_button(firms: Firms, site: Sandbox, manifest: Manifest) -> None:
    async def both() -> list[FirmsReport]:
        return await asyncio.gather(firms.aio.apply(manifest), aio.Firms(firms.sites, firms.vault).apply(manifest))

    reports = loop.run(both)
    assert all(reports), reports
    assert sum(report.counts().get("done", 0) for report in reports) == 36
    assert [labels(host) for host in site.firms] == [EVERYWHERE] * 6
    assert firms.apply(manifest, progress=False).counts() == {}


def test_offboard_leaves_nothing_in_any_firm(firms: Firms, site: Sandbox, manifest: Manifest) -> None:
    firms.apply(manifest, progress=False)
    assert firms.offboard(progress=False).counts() == {"done": 36}
    assert [labels(host) for host in site.firms] == [[[], [], []]] * 6


def test_ten_firms_go_at_a_time_under_one_bound_on_requests(
    monkeypatch: pytest.MonkeyPatch, manifest: Manifest
) -> None:
    """Requests are held at the engine until as many are there as the bound lets through."""
    now = {"firms": 0, "requests": 0}
    most = {"firms": 0, "requests": 0}
    full = asyncio.Event()
    real_firm, real_engine = _loop.carried_out, transport._engine

    def begun(what: str) -> None:
        now[what] += 1
        most[what] = max(most[what], now[what])

    async def firm(*given: Any) -> FirmRow:
        begun("firms")
        try:
            return await real_firm(*given)
        finally:
            now["firms"] -= 1

    class Held:
        def __init__(self, engine: Any) -> None:
            self.engine = engine

        async def handle_async_request(self, request: Any) -> Any:
            begun("requests")
            if now["requests"] >= 40 or "custom_actions" not in str(request.url):
                full.set() if now["requests"] >= 40 else None
            try:
                if "custom_actions" in str(request.url):
                    await full.wait()
                return await self.engine.handle_async_request(request)
            finally:
                now["requests"] -= 1

    with Sandbox(users=7, firms=12) as site:
        firms = Firms(site, fill(site, Vault()))
        monkeypatch.setattr(_loop, "carried_out", firm)
        monkeypatch.setattr(transport, "_engine", lambda *given: Held(real_engine(*given)))
        assert firms.plan(manifest, progress=False).counts() == {"create": 12 * 14}
    assert most["firms"] == 10
    assert 40 <= most["requests"] <= network.current().in_flight


@pytest.mark.parametrize("how", ["id", "text", "name", "case", "vault"])
def test_a_firm_is_found_by_its_id_and_by_its_names(firms: Firms, site: Sandbox, how: str) -> None:
    host = site.firms[4]
    which = {
        "id": host.account_id,
        "text": f" {host.account_id} ",
        "name": host.name,
        "case": host.name.upper(),
        "vault": str(host.account_id),
    }[how]
    found = firms.firm(which)
    assert isinstance(found, Firm)
    assert found.users()["user_id"].tolist() == [user.id for user in host.users]


def test_a_name_that_fits_two_firms_or_none_is_an_error_that_lists_them(firms: Firms, site: Sandbox) -> None:
    one, other = site.firms[0], site.firms[1]
    for host in (one, other):
        firms.vault.ledger.learn_firm(firm_key_of(host, str(host.account_id)), Account(host.account_id, "The same LLP"))
    with pytest.raises(InvalidInput) as two:
        firms.firm("The same LLP")
    assert f"({one.account_id})" in str(two.value)
    assert f"({other.account_id})" in str(two.value)
    assert firms.firm(other.account_id).users()["user_id"].tolist() == [user.id for user in other.users]
    with pytest.raises(InvalidInput, match="No firm 'nobody' in this vault"):
        firms.firm("nobody")
    with pytest.raises(InvalidInput, match="No firm 'nobody'"):
        firms.apply(parse_manifest(TOML), canary=["nobody"], progress=False)


def test_a_manifest_for_users_of_one_firm_has_nothing_to_do_in_the_others(firms: Firms, site: Sandbox) -> None:
    chosen = site.firms[3].users[1]
    pilot = parse_manifest(f"{TOML}who = {{ users = [{chosen.email!r}] }}\n")
    report = firms.apply(pilot, progress=False)
    assert [row.error for row in report.rows] == [""] * 6
    assert report.counts() == {"done": 2}
    again = firms.plan(pilot, progress=False)
    assert again
    assert again.changes == 0
    covered = firms.coverage(pilot, progress=False)
    assert covered["equipped"].sum() == 1
    assert covered["why"].isna().all()


def test_a_firm_that_the_vault_has_by_two_names_is_told_apart(firms: Firms, site: Sandbox, manifest: Manifest) -> None:
    host = site.firms[0]
    Firm(host, firms.vault).add(clio.login(host, host.users[0].id))
    assert firms.overview()["firm"].str.contains("in the vault").sum() == 2
    with pytest.raises(InvalidInput, match="fits 2 firms"):
        firms.firm(host.account_id)
    assert firms.apply(manifest, progress=False)
    assert [labels(each) for each in site.firms] == [EVERYWHERE] * 6
    assert firms.firm("default").aio.name == "default"


def test_ctrl_c_ends_what_is_under_way_and_begins_no_further_firm(
    firms: Firms, site: Sandbox, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clio_nb.firm import _progress

    waits = iter([KeyboardInterrupt()])
    real = _progress.wait

    def wait(*given: Any, **how: Any) -> Any:
        for error in waits:
            raise error
        return real(*given, **how)

    monkeypatch.setattr(_progress, "wait", wait)
    with pytest.raises(KeyboardInterrupt):
        firms.apply(manifest)
    assert not firms.audit()["why"].str.contains("sent").any()
    assert firms.apply(manifest, progress=False)
    assert [labels(each) for each in site.firms] == [EVERYWHERE] * 6


def test_the_overview_knows_people_tokens_and_the_last_run_without_a_request(
    firms: Firms, site: Sandbox, manifest: Manifest
) -> None:
    host = site.firms[3]
    firm = firms.firm(host.account_id)
    run = firm.apply(firm.plan(manifest), progress=False).run
    many = [User(id=number, name="A") for number in range(1, 9)]
    keep_people(firms.vault.database, firm_key_of(host, "").app, host.account_id, many)
    meanwhile = asked(*site.firms)
    table = firms.overview()
    assert meanwhile() == []
    assert {name: str(dtype) for name, dtype in table.dtypes.items()} == {
        "region": "category",
        "firm_id": "Int64",
        "firm": "string",
        "name": "string",
        "people": "Int64",
        "tokens": "Int64",
        "usable": "Int64",
        "last_run": "string",
        "last_run_at": "datetime64[ns, UTC]",
        "finished": "boolean",
    }
    row = table.set_index("firm").loc[host.name]
    assert row[["region", "firm_id", "people", "tokens", "last_run", "finished"]].tolist() == [
        "eu", host.account_id, 8, 3, run, True
    ]  # fmt: skip
    assert table["last_run"].isna().sum() == 5


@pytest.mark.parametrize("verb", [*COUNTS])
@pytest.mark.parametrize("rows", [0, 1])
def test_a_report_is_a_table_with_documented_columns_also_when_it_is_empty(verb: str, rows: int) -> None:
    row = FirmRow(region="us", firm_id=None, firm="A", name="a", counts={COUNTS[verb][0]: 2}, why={"x": 1, "y": 3})
    report = FirmsReport(verb, (row,) * rows)
    frame = report.to_frame()
    fixed = {"region": "category", "firm_id": "Int64", "firm": "string"}
    counts = dict.fromkeys(COUNTS[verb], "Int64")
    rest = {"why": "string", "run": "string", "requests": "Int64", "seconds": "float64", "error": "string"}
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == fixed | counts | rest
    assert frame["why"].tolist() == ["y: 3; x: 1"] * rows
    assert pd.isna(frame["error"]).all()


def test_a_report_shows_names_as_text(firms: Firms) -> None:
    row = FirmRow(region="us", firm_id=1, firm="<script>\u202e", name="a", error="<b>no</b>")
    drawn = FirmsReport("plan", (row,))._repr_html_()
    assert "<script>" not in drawn
    assert "<b>" not in drawn
    assert "\u202e" not in drawn
    assert "<script>" not in FirmsReport("plan", (row,) * 500)._repr_html_()


def test_the_firms_of_one_region_share_an_app_which_counts_once(site: Sandbox, manifest: Manifest) -> None:
    vault = fill(site, Vault())
    assert Firms(site.firms, vault).plan(manifest, progress=False).counts() == {"create": 36}
    assert Firms(site.at("eu"), vault).plan(manifest, progress=False).counts() == {"create": 18}


@pytest.mark.parametrize("sites", [[], "us", [None], None])
def test_what_is_no_app_is_said(sites: Any) -> None:
    with pytest.raises(InvalidInput):
        Firms(sites, Vault())


def test_an_empty_vault_is_a_report_without_rows(site: Sandbox, manifest: Manifest) -> None:
    firms = Firms(site, Vault())
    assert firms.overview().empty
    assert firms.apply(manifest, progress=False).rows == ()
    assert firms.cost(manifest).calls == 0


def test_a_mistake_in_the_manifest_is_said_before_anything_is_sent(firms: Firms, site: Sandbox) -> None:
    meanwhile = asked(*site.firms)
    with pytest.raises(ManifestError):
        firms.apply("nowhere.toml", progress=False)
    with pytest.raises(InvalidInput):
        firms.apply(parse_manifest(TOML), profile="nowhere", progress=False)
    assert meanwhile() == []


def test_tokens_that_came_from_elsewhere_are_a_firm_too(site: Sandbox, manifest: Manifest) -> None:
    """Nobody has said yet which firm at Clio it is: that is learned on the way."""
    vault, user = Vault(), site.users[0]
    vault.keep(site, User(id=user.id), Token.of(site.token(user.id)["access_token"]), firm="ours")
    firms = Firms(site, vault)
    assert firms.overview()["firm_id"].isna().all()
    [row] = firms.apply(manifest, progress=False).rows
    assert (row.firm_id, row.counts["done"]) == (site.account_id, 2)
    assert firms.overview()[["firm_id", "firm"]].to_numpy().tolist() == [[site.account_id, site.name]]


def test_a_timeout_around_it_counts_in_every_firm(firms: Firms, site: Sandbox, manifest: Manifest) -> None:
    with clio.timeout(0):
        report = firms.plan(manifest, progress=False)
    assert len(report.failed) == 6


def test_the_awaited_form_gives_reports_where_the_other_gives_tables(firms: Firms, manifest: Manifest) -> None:
    async def some() -> list[FirmsReport]:
        return [await firms.aio.coverage(manifest), await firms.aio.drift(manifest), await firms.aio.audit()]

    reports = asyncio.run(some())
    assert [report.verb for report in reports] == ["coverage", "drift", "audit"]
    assert reports[0].counts() == {"users": 18}
    assert repr(firms.aio).startswith("<Firms in us, eu, <Vault in memory")
