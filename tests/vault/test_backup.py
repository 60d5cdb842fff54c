"""Promise D4: tokens and ledger are backed up while the app runs, and restored, by the commands of the page."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import clio_nb as clio
from clio_nb.errors import NeedsLogin, VaultError
from clio_nb.firm.manifest import parse_manifest
from clio_nb.models import Token
from clio_nb.vault import new_key

from ..docs.page import ROOT, blocks_of

PAGE = ROOT / "docs" / "how-to" / "deploy.md"
MANIFEST = parse_manifest("""[app]
name = "partner-sign"

[[actions]]
key = "sign"
label = "Send for signature"
target_url = "https://partner.example/launch"
locations = ["matters", "documents"]
""")


def command(words: str) -> str:
    """The command of the page in which these words stand."""
    (found,) = [block.text for block in blocks_of(PAGE) if block.language == "console" and words in block.text]
    return found.removeprefix("$ ")


class Place:
    """A database, and the commands that back it up and restore it."""

    def __init__(self, where: str, folder: Path, backup: str, restore: str, path: str = "") -> None:
        self.where, self._folder, self._backup, self._restore = where, folder, command(backup), command(restore)
        self._path = f"{path}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    def backup(self) -> None:
        self._run(self._backup)

    def restore(self) -> None:
        self._run(self._restore)

    def _run(self, script: str) -> None:
        environment = {**os.environ, "PATH": self._path, "CLIO_NB_VAULT": self.where}
        words = ["/bin/bash", "-ec", script]
        done = subprocess.run(words, cwd=self._folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def firm(self, site: Any) -> clio.Firm:
        return clio.Firm(site, clio.Vault.open(self.where))


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path, no_keyring: None, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("CLIO_NB_KEY", new_key().reveal())
    if request.param == "sqlite":
        return Place(str(tmp_path / "vault.sqlite"), tmp_path, ".backup(", "install -m 600")
    cluster = request.getfixturevalue("cluster")
    return Place(cluster.new(), tmp_path, "pg_dump", "pg_restore", str(cluster._binaries))


@pytest.fixture
def site() -> Iterator[Any]:
    with clio.sandbox(users=6, rate_limit=None) as sandbox:
        yield sandbox


def who(firm: clio.Firm, user: Any) -> int:
    return clio.Session(firm.site, firm.vault.source(firm.site, user.id)).who_am_i().id


def buttons(site: Any, user: Any) -> list[str]:
    session = clio.Session(site, site.token(user.id)["access_token"])
    return sorted(one.location.resource for one in session.list_actions())


def test_d4_after_a_restore_everybody_goes_on_and_nobody_gets_a_second_button(site: Any, place: Place) -> None:
    firm = place.firm(site)
    early, late, leaver, revoker = site.users[:4]
    for user in (early, leaver, revoker):
        firm.equip(clio.login(site, user=user.id), MANIFEST)
    place.backup()
    firm.equip(clio.login(site, user=late.id), MANIFEST)  # connected since
    clio.Session(site, firm.vault.source(site, leaver.id)).logout()  # disconnected in the app since
    firm.vault.remove(site, leaver.id)
    site.revoke(revoker.id)  # took the access back in Clio since
    firm.vault.close()

    place.restore()
    firm = place.firm(site)
    assert who(firm, early) == early.id
    assert firm.vault.grant(site, late.id) is None
    with pytest.raises(NeedsLogin):
        who(firm, revoker)
    marked = firm.vault.grant(site, revoker.id)
    assert marked is not None
    assert marked.problem
    assert who(firm, leaver) == leaver.id  # as the page says: renewed, until the token is removed again
    result = firm.equip(clio.login(site, user=late.id), MANIFEST)  # connects again
    assert result
    assert buttons(site, late) == ["documents", "matters"]
    assert firm.plan(MANIFEST, users=[early.id, late.id]).changes == ()
    firm.vault.close()


def test_d4_a_backup_that_is_made_while_others_write_is_whole(site: Any, place: Place) -> None:
    firm = place.firm(site)
    over, user = threading.Event(), clio.who_am_i(clio.login(site, user=site.users[0].id))

    def write() -> None:
        number = 0
        while not over.is_set():
            number += 1
            for copy in range(20):
                firm.vault.keep(site, clio.models.User(id=copy + 1, name=user.name), Token.of(f"{number}" * 50))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while firm.vault.grant(site, 20) is None:
            pass
        place.backup()
    finally:
        over.set()
        writer.join()
    firm.vault.close()
    place.restore()
    grants = list(place.firm(site).vault.grants(site))
    assert [grant.problem for grant in grants] == [""] * 20


def test_d4_a_backup_is_of_no_use_without_its_key_and_one_from_before_a_new_key_opens_with_both(
    site: Any, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = os.environ["CLIO_NB_KEY"], new_key().reveal()
    firm = place.firm(site)
    firm.sign_in_everyone()
    place.backup()
    monkeypatch.setenv("CLIO_NB_KEY", f"{new},{old}")
    vault = clio.Vault.open(place.where)
    vault.rotate()
    vault.close()
    firm.vault.close()
    place.restore()
    monkeypatch.setenv("CLIO_NB_KEY", new)
    with pytest.raises(VaultError, match="the key does not open it"):
        place.firm(site)
    monkeypatch.setenv("CLIO_NB_KEY", f"{new},{old}")
    firm = place.firm(site)
    assert len(list(firm.vault.grants(site))) == 6
    firm.vault.rotate()
    monkeypatch.setenv("CLIO_NB_KEY", new)
    assert who(firm, site.users[0]) == site.users[0].id
    firm.vault.close()


def test_d4_files_of_a_backup_are_for_their_owner_alone(site: Any, place: Place, tmp_path: Path) -> None:
    firm = place.firm(site)
    firm.sign_in_everyone()
    place.backup()
    firm.vault.close()
    place.restore()
    made: list[Path] = [*tmp_path.glob("backup.*"), *tmp_path.glob("vault.sqlite")]
    assert made
    assert [path.stat().st_mode & 0o077 for path in made] == [0] * len(made)
    token = firm.vault.grant(site, site.users[0].id).token.access.reveal()  # type: ignore[union-attr]
    assert all(token.encode() not in path.read_bytes() for path in made)
