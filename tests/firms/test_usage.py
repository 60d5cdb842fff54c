"""Who uses the buttons of all firms: the tables of one firm over all of them, with the columns that say which firm."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterator

import pandas as pd
import pytest

import clio_nb as clio
from clio_nb.errors import InvalidInput
from clio_nb.firm import Firm
from clio_nb.firm.manifest import Manifest
from clio_nb.firms import Firms
from clio_nb.launches.proof.known_actions import actions_cache
from clio_nb.launches.proof.used_nonces import used_nonces
from clio_nb.ledger.launches import BEAT, Group, Process
from clio_nb.sandbox import Host, Sandbox
from clio_nb.vault import Vault
from clio_nb.vault.vault import firm_key_of

from .conftest import TARGET, asked

FIRM = {"region": "category", "firm_id": "Int64", "firm": "string", "name": "string"}
WHICH = list(FIRM)
ZONE = "America/Toronto"


@pytest.fixture(autouse=True)
def _as_a_new_process() -> None:
    used_nonces.clear()
    actions_cache.clear()


@pytest.fixture
def site() -> Iterator[Sandbox]:
    with Sandbox(users=2, firms=2, regions=("us", "eu")) as site:
        yield site


@pytest.fixture
def used(firms: Firms, site: Sandbox, manifest: Manifest) -> Firms:
    """All four firms equipped; the first user of each has clicked once, and in the last one came a second time."""
    assert firms.apply(manifest, progress=False)
    for host in site.firms:
        url = host.click_on(host.users[0].id, TARGET)
        assert clio.verify_launch(url, one(firms, host))
        site.advance(60)
    assert clio.verify_launch(url, one(firms, site.firms[-1])).code == "replayed"
    return firms


def one(firms: Firms, host: Host) -> Firm:
    return Firm(host, firms.vault, name=str(host.account_id), record=True)


def which(host: Host) -> list[object]:
    return [host.region.value, host.account_id, host.name, str(host.account_id)]


def tables(firms: Firms) -> dict[str, pd.DataFrame]:
    frames = firms.launches(), firms.adoption(), firms.refusals(time_zone=ZONE), firms.gaps()
    return dict(zip(("launches", "adoption", "refusals", "gaps"), frames, strict=True))


def dtypes(frame: pd.DataFrame) -> dict[str, str]:
    return {str(name): str(dtype) for name, dtype in frame.dtypes.items()}


def test_every_table_has_the_columns_of_one_firm_and_which_firm_also_when_it_is_empty(
    used: Firms, site: Sandbox
) -> None:
    firm = one(used, site.firms[0])
    single = [firm.launches(), firm.adoption(), firm.refusals(time_zone=ZONE), firm.gaps()]
    expected = [
        {**FIRM, **{name: dtype for name, dtype in dtypes(frame).items() if name != "firm"}} for frame in single
    ]
    expected[3] = {"region": "category", **dtypes(single[3])}
    full, empty = tables(used), tables(Firms(used.sites, Vault()))
    assert [dtypes(frame) for frame in full.values()] == expected
    assert [dtypes(frame) for frame in empty.values()] == expected
    assert [len(frame) for frame in empty.values()] == [0, 0, 0, 0]
    assert [len(frame) for frame in full.values()] == [5, 16, 1, 0]


def test_the_tables_of_all_firms_are_those_of_each_firm_and_ask_clio_nothing(used: Firms, site: Sandbox) -> None:
    meanwhile = asked(*site.firms)
    full = tables(used)
    assert meanwhile() == []
    for host in site.firms:
        firm = one(used, host)
        single = firm.launches(), firm.adoption(), firm.refusals(time_zone=ZONE)
        for all_of_them, alone in zip(full.values(), single, strict=False):
            mine = all_of_them[all_of_them["firm_id"] == host.account_id].reset_index(drop=True)
            assert mine[WHICH].drop_duplicates().to_numpy().tolist() in ([which(host)], [])
            pd.testing.assert_frame_equal(
                mine.drop(columns=WHICH), alone.drop(columns="firm", errors="ignore"), check_categorical=False
            )
    assert full["launches"]["at"].is_monotonic_increasing
    assert full["launches"][WHICH].to_numpy().tolist() == [*map(which, site.firms), which(site.firms[-1])]
    assert full["refusals"][[*WHICH, "reason", "launches"]].to_numpy().tolist() == [
        [*which(site.firms[-1]), "replayed", 1]
    ]


def test_since_counts_for_every_region(used: Firms) -> None:
    assert len(used.launches(since=dt.timedelta(seconds=90))) == 2
    assert len(used.launches(since=dt.timedelta(days=1))) == 5
    with pytest.raises(InvalidInput, match="since"):
        used.refusals(since=dt.datetime(2026, 1, 1))  # noqa: DTZ001 -- that is what is refused
    with pytest.raises(InvalidInput, match="time zone"):
        used.refusals(time_zone="Mars/Olympus")


def test_launches_that_name_nobody_known_are_one_row_of_no_firm(used: Firms, site: Sandbox) -> None:
    key = firm_key_of(site.at("eu"), "").app
    firm = one(used, site.firms[-1])
    assert clio.verify_launch(TARGET, firm).code == "malformed"
    firm.vault.ledger.history.write(Process("door", key, 0.0), refused_of_nobody(site), 0.0, 1e9)
    frame = used.refusals()
    nobody = frame[frame["name"].isna()]
    assert nobody[["region", "reason", "launches"]].to_numpy().tolist() == [["eu", "no-token", 3]]
    assert nobody[["firm_id", "firm"]].isna().all(axis=None)


def refused_of_nobody(site: Sandbox) -> Group:
    group = Group()
    group.refusals[int(site.clock.now() // 60), "", "no-token"] = 3
    return group


def test_a_gap_is_of_a_region_and_shown_once(used: Firms, site: Sandbox) -> None:
    now = site.clock.now()
    key = firm_key_of(site.at("eu"), "").app
    used.vault.ledger.history.write(Process("killed", key, now - 900), Group(), now - 600, 1e9)
    frame = used.gaps()
    assert frame[["region", "process"]].to_numpy().tolist() == [["eu", "killed"]]
    assert (frame["until"] - frame["since"]).dt.total_seconds().tolist() == [BEAT]
    assert used.gaps(since=dt.timedelta(seconds=60)).empty


def test_a_firm_of_which_no_token_is_left_keeps_its_name_in_the_tables(used: Firms, site: Sandbox) -> None:
    host = site.firms[1]
    for user in host.users:
        used.vault.remove(host, user.id, firm=str(host.account_id))
    assert host.account_id not in used.overview()["firm_id"].tolist()
    for frame in (used.launches(), used.adoption()):
        mine = frame[frame["firm_id"] == host.account_id]
        assert mine[WHICH].drop_duplicates().to_numpy().tolist() == [which(host)]
        assert mine["user"].notna().all()  # as the ledger has it


def test_a_firm_that_the_vault_has_by_two_names_has_each_action_once(used: Firms, site: Sandbox) -> None:
    host = site.firms[0]
    Firm(host, used.vault, name="again").sign_in_everyone()
    frame = used.adoption()
    assert len(frame) == 16
    assert not frame.duplicated(["region", "user_id", "action_id"]).any()
    assert frame[frame["firm_id"] == host.account_id]["clicks"].sum() == 1


def test_the_awaited_form_gives_each_row_with_its_firm(used: Firms, site: Sandbox) -> None:
    rows = asyncio.run(used.aio.launches())
    assert [each.of.firm for each in rows] == [host.name for host in (*site.firms, site.firms[-1])]
    assert {each.row.state for each in rows} == {"verified", "refused"}
    assert [each.row.reason for each in asyncio.run(used.aio.refusals())] == ["replayed"]
    assert {(each.of.firm_id, each.row.clicks) for each in asyncio.run(used.aio.adoption()) if each.row.clicks} == {
        (host.account_id, 1) for host in site.firms
    }
    assert asyncio.run(used.aio.gaps()) == []
