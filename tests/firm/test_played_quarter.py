"""A played quarter: what was recorded agrees with the sandbox's own log of clicks, row by row."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import clio_nb as clio
from clio_nb.firm.manifest import parse_manifest
from clio_nb.launches.proof.known_actions import actions_cache
from clio_nb.launches.proof.used_nonces import used_nonces
from clio_nb.sandbox import Sandbox
from clio_nb.sandbox.play import FORGED
from clio_nb.vault import new_key

ROW = ["at", "user_id", "action_id", "record_id"]
TOML = """
[app]
name = "partner"

[[actions]]
key = "sign"
label = "Sign"
target_url = "{}"
locations = ["matters", "documents"]
"""


@pytest.fixture(autouse=True)
def _as_a_new_process() -> None:
    used_nonces.clear()
    actions_cache.clear()


@pytest.fixture
def site() -> Iterator[Sandbox]:
    with Sandbox(users=6) as sandbox:
        yield sandbox


def played(site: Sandbox, firm: clio.Firm, days: int) -> list[int]:
    """Play some days at an inbox, with everyone equipped; return who was hired."""
    hired = []
    with clio.inbox(site, firm) as inbox:
        manifest = parse_manifest(TOML.format(inbox.url))
        firm.sign_in_everyone()
        firm.apply(firm.plan(manifest), progress=False)

        def welcome(user: clio.User) -> None:
            firm.equip(clio.login(site, user.id), manifest)
            hired.append(user.id)

        site.play(days=days, on_hire=welcome)
    return hired


def log_of(site: Sandbox) -> pd.DataFrame:
    """Return the sandbox's own log of clicks."""
    return pd.DataFrame(
        {
            "at": pd.Series([dt.datetime.fromtimestamp(each["minted_at"], dt.UTC) for each in site.clicks]),
            "user_id": [each["user_id"] for each in site.clicks],
            "action_id": [each["custom_action_id"] for each in site.clicks],
            "record_id": [int(each["subject_url"].rpartition("/")[2]) for each in site.clicks],
            "spent": [each["spent"] for each in site.clicks],
        }
    )


def rows(frame: pd.DataFrame) -> Counter[tuple[object, ...]]:
    return Counter((at.timestamp(), *map(int, ids)) for at, *ids in frame[ROW].itertuples(index=False, name=None))


def test_p9_the_tables_of_a_played_quarter_agree_with_the_click_log_to_the_row(site: Sandbox) -> None:
    firm = clio.Firm(site, record=True)
    began, users = site.now(), len(site.users)
    hired = played(site, firm, 90)
    log, launches = log_of(site), firm.launches()
    assert site.now() == began + 90 * 86_400
    assert firm.gaps().empty

    verified = launches[launches["state"] == "verified"]
    assert len(log) > 100
    assert rows(verified) == rows(log[log["spent"]])
    revoked = log[~log["spent"]]
    assert rows(launches[launches["reason"] == "revoked"]) == rows(revoked)
    assert revoked["user_id"].nunique() == 1

    assert set(verified["key"]) == {"sign"}
    assert set(hired) <= set(verified["user_id"])
    attack = firm.refusals()[firm.refusals()["reason"].isin(["no-token", "malformed", "refused-by-clio"])]
    assert attack["launches"].sum() == FORGED
    assert attack["day"].nunique() == 1
    refused = firm.refusals().groupby("reason", observed=True)["launches"].sum()
    assert refused["revoked"] == len(revoked)

    adoption = firm.adoption()
    assert len(adoption) == 2 * (users + 1)
    counted = verified.groupby(["user_id", "action_id"]).size()
    assert adoption.set_index(["user_id", "action_id"])["clicks"].loc[counted.index].tolist() == counted.tolist()
    assert adoption["never"].sum() == len(adoption) - len(counted)
    assert adoption.groupby("user_id")["never"].all().sum() >= 1


PROGRAM = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
import sqlalchemy as sa
import clio_nb as clio
from clio_nb.sandbox import Sandbox
from tests.firm.test_played_quarter import played
left = int(sys.argv[3])
def killing(connection, cursor, statement, *rest):
    global left
    if statement.startswith("INSERT INTO clio_nb_launches"):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
sa.event.listen(sa.Engine, "after_cursor_execute", killing)
with Sandbox(users=6, db=sys.argv[1]) as site:
    played(site, clio.Firm(site, clio.Vault.open(sys.argv[2]), record=True), 90)
"""


@pytest.mark.skipif(os.name != "posix", reason="this system has no SIGKILL")
@pytest.mark.parametrize("flush", [2, 4])
def test_p9_after_a_kill_in_the_middle_of_a_flush_every_row_is_in_the_click_log_and_none_is_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flush: int
) -> None:
    monkeypatch.setenv("CLIO_NB_KEY", new_key().reveal())
    arguments = [str(tmp_path / "clio.sqlite"), str(tmp_path / "vault.sqlite"), str(flush)]
    child = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], check=False, capture_output=True, text=True)
    assert child.returncode == -signal.SIGKILL, child.stderr
    with Sandbox(users=6, db=arguments[0]) as site:
        log = log_of(site)
        vault = clio.Vault.open(arguments[1])
        history = vault.ledger.history
        (app,) = {(each.site, each.client_id) for each in vault.sealed.store.firm_keys()}
        firm = clio.Firm(clio.App(clio.Region.US, app[1], clio.Secret("hush"), origin=app[0]), vault)
        shown = firm.launches()
        verified = rows(shown[shown["state"] == "verified"])
        assert verified
        assert verified <= rows(log[log["spent"]])
        (gap,) = history.gaps(firm.aio._firm_key.app, None, site.now() + 10 * 86_400)
        missing = rows(log) - rows(shown)
        assert all(at >= gap.since.timestamp() for at, *_ in missing)
        vault.close()
