"""The key comes from the keyring, the environment or a file, in this order, and rotates without losing a token."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from clio_nb.errors import VaultError
from clio_nb.models import App, Token, User
from clio_nb.secret import Secret
from clio_nb.vault import Vault, new_key
from clio_nb.vault.keys import InFile, find_keys, make_keys
from clio_nb.vocabulary import Region

from .conftest import Keyring

SITE = App(Region.US, "app-1", Secret("hush"))
ANNA = User(id=7, name="Anna Demo")
TOKEN = Token(access=Secret("canary-access"), refresh=Secret("canary-refresh"))


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "settings" / "vault.key"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "vault.sqlite"


def token_in(vault: Vault) -> Token | None:
    grant = vault.grant(SITE, ANNA.id)
    return grant and grant.token


def kept(path: Path, key_file: Path) -> Vault:
    vault = Vault.open(path, key_file=key_file)
    vault.keep(SITE, ANNA, TOKEN)
    return vault


def test_the_keyring_comes_first_then_the_variable_then_the_file(
    os_keyring: Keyring, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os_keyring.works = False
    in_file = make_keys(key_file)
    assert in_file is not None
    assert in_file.store.name == f"the key file {key_file}"
    monkeypatch.setenv("CLIO_NB_KEY", new_key().reveal())
    in_variable = find_keys(key_file)
    assert in_variable is not None
    assert in_variable.store.name == "the variable CLIO_NB_KEY"
    os_keyring.works = True
    os_keyring.entries["clio-nb", "vault"] = new_key().reveal()
    in_keyring = find_keys(key_file)
    assert in_keyring is not None
    assert in_keyring.store.name == "the keyring of this system"
    assert all(keys.first in in_keyring for keys in (in_file, in_variable))


def test_a_first_key_is_made_in_the_keyring(os_keyring: Keyring, key_file: Path) -> None:
    keys = make_keys(key_file)
    assert keys is not None
    assert keys.store.name == "the keyring of this system"
    assert len(os_keyring.entries["clio-nb", "vault"]) == 44
    assert not key_file.exists()


@pytest.mark.usefixtures("no_keyring")
def test_without_a_keyring_a_first_key_is_made_in_a_file_of_mode_0600(key_file: Path) -> None:
    assert make_keys(key_file) is not None
    assert key_file.stat().st_mode & 0o777 == 0o600
    assert key_file.parent.stat().st_mode & 0o777 == 0o700
    first, second = find_keys(key_file), find_keys(key_file)
    assert first is not None
    assert second is not None
    assert first.first == second.first


@pytest.mark.usefixtures("no_keyring")
def test_where_no_key_can_be_kept_the_vault_stays_in_memory_and_says_so(path: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.warns(UserWarning, match="stay in memory"):
        vault = Vault.open(path, key_file=tmp_path / "file" / "vault.key")
    assert not vault.lasting
    assert not path.exists()


def test_the_vault_says_where_its_key_is(path: Path, key_file: Path) -> None:
    assert repr(Vault.open(path, key_file=key_file)) == (
        f"<Vault in SQLite file {path}, sealed with the key in the keyring of this system>"
    )


@pytest.mark.parametrize("text", ["short", "x" * 44, "not base64 at all, but rather a sentence!!!!"])
def test_an_invalid_key_is_named_by_where_it_is_kept_and_not_shown(
    text: str, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIO_NB_KEY", text)
    with pytest.raises(VaultError, match="Invalid key in the variable CLIO_NB_KEY") as error:
        find_keys(key_file)
    assert text not in str(error.value)


@pytest.mark.usefixtures("no_keyring")
def test_a_wrong_key_is_refused_on_opening_and_the_right_one_still_opens(
    path: Path, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = new_key().reveal()
    monkeypatch.setenv("CLIO_NB_KEY", key)
    kept(path, key_file).close()
    monkeypatch.setenv("CLIO_NB_KEY", new_key().reveal())
    with pytest.raises(VaultError, match="the key does not open it"):
        Vault.open(path, key_file=key_file)
    monkeypatch.setenv("CLIO_NB_KEY", key)
    assert token_in(Vault.open(path, key_file=key_file)) == TOKEN


def test_a_rotated_key_is_the_only_one_left(os_keyring: Keyring, path: Path, key_file: Path) -> None:
    vault = kept(path, key_file)
    before = os_keyring.entries["clio-nb", "vault"]
    vault.rotate()
    after = os_keyring.entries["clio-nb", "vault"]
    assert before not in after
    assert len(after) == 44
    assert token_in(Vault.open(path, key_file=key_file)) == TOKEN


@pytest.mark.usefixtures("no_keyring")
def test_a_key_in_the_variable_is_rotated_by_hand(path: Path, key_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = new_key().reveal(), new_key().reveal()
    monkeypatch.setenv("CLIO_NB_KEY", old)
    vault = kept(path, key_file)
    with pytest.raises(VaultError, match="in front of the old one"):
        vault.rotate()
    monkeypatch.setenv("CLIO_NB_KEY", f"{new},{old}")
    Vault.open(path, key_file=key_file).rotate()
    monkeypatch.setenv("CLIO_NB_KEY", new)
    assert token_in(Vault.open(path, key_file=key_file)) == TOKEN


def test_a_crash_while_rotating_loses_no_token(path: Path, key_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vault = kept(path, key_file)

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as crashing:
        crashing.setattr(vault.sealed.store, "reseal", crash)
        with pytest.raises(KeyboardInterrupt):
            vault.rotate()
    reopened = Vault.open(path, key_file=key_file)
    assert token_in(reopened) == TOKEN
    reopened.rotate()
    assert token_in(Vault.open(path, key_file=key_file)) == TOKEN


def test_a_process_that_knows_only_the_old_key_reads_and_writes_on_after_a_rotation(path: Path, key_file: Path) -> None:
    other = kept(path, key_file)
    Vault.open(path, key_file=key_file).rotate()
    assert token_in(other) == TOKEN
    Vault.open(path, key_file=key_file).rotate()
    newer = Token(access=Secret("newer"))
    other.keep(SITE, ANNA, newer)
    assert token_in(Vault.open(path, key_file=key_file)) == newer


@pytest.mark.usefixtures("no_keyring")
def test_a_key_file_that_others_can_read_is_refused(path: Path, key_file: Path) -> None:
    kept(path, key_file).close()
    key_file.chmod(0o644)
    with pytest.raises(VaultError, match="chmod 600"):
        Vault.open(path, key_file=key_file)
    key_file.chmod(0o600)
    assert token_in(Vault.open(path, key_file=key_file)) == TOKEN


@pytest.mark.usefixtures("no_keyring")
def test_a_key_file_that_is_a_link_is_refused(path: Path, key_file: Path, tmp_path: Path) -> None:
    key_file.parent.mkdir()
    key_file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(VaultError, match="symbolic link"):
        Vault.open(path, key_file=key_file)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.usefixtures("no_keyring")
def test_a_keyring_that_takes_nothing_is_passed_over(os_keyring: Keyring, key_file: Path) -> None:
    os_keyring.works = True
    os_keyring.set_password = lambda *_: None  # type: ignore[method-assign]  # as some backends do
    keys = make_keys(key_file)
    assert keys is not None
    assert keys.store.name == f"the key file {key_file}"


def test_a_token_sealed_under_a_key_that_is_gone_is_named_so(path: Path, key_file: Path, os_keyring: Keyring) -> None:
    vault = kept(path, key_file)
    os_keyring.entries["clio-nb", "vault"] = new_key().reveal()
    other = Vault.open(path.with_name("other.sqlite"), key_file=key_file)
    other.sealed.store = vault.sealed.store
    with pytest.raises(VaultError, match="the key does not open it"):
        other.grant(SITE, ANNA.id)
    with pytest.raises(VaultError, match="the key does not open it"):
        other.rotate()
    assert token_in(vault) == TOKEN


def other_process(path: Path, key_file: Path, work: str) -> str:
    """Run something in another process, which does not wait for a lock, and return what it printed."""
    program = (
        "import sys, pathlib\nfrom clio_nb import errors, models\nfrom clio_nb.secret import Secret\n"
        "from clio_nb.vault import Vault, keys\nfrom clio_nb.vocabulary import Region\n"
        "keys.PATIENCE = 0\nsite = models.App(Region.US, 'app-1', Secret('hush'))\n"
        "try:\n    vault = Vault.open(sys.argv[1], key_file=pathlib.Path(sys.argv[2]))\n"
        f"    {work}\n    print('done')\nexcept errors.VaultError as error:\n    print(error)\n"
    )
    environment = {**os.environ, "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    command = [sys.executable, "-W", "ignore", "-c", program, str(path), str(key_file)]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()


KEEP = "vault.keep(site, models.User(id=8), models.Token(access=Secret('other')))"


def between(monkeypatch: pytest.MonkeyPatch, write: int, work: Callable[[], object]) -> list[int]:
    """Do something just before the n-th write of the keys."""
    writes: list[int] = []

    def written(self: InFile, keys: Secret, to: Callable[[InFile, Secret], None] = InFile.write) -> None:
        writes.append(1)
        if len(writes) == write:
            work()
        to(self, keys)

    monkeypatch.setattr(InFile, "write", written)
    return writes


@pytest.mark.usefixtures("no_keyring")
@pytest.mark.parametrize("write", [1, 2], ids=["before the new key is kept", "before the old one is dropped"])
def test_s3_two_processes_that_rotate_at_once_lose_neither_key_nor_token(
    path: Path, key_file: Path, monkeypatch: pytest.MonkeyPatch, write: int
) -> None:
    vault, said = kept(path, key_file), []
    writes = between(monkeypatch, write, lambda: said.append(other_process(path, key_file, "vault.rotate()")))
    vault.rotate()
    assert len(writes) == 2
    assert token_in(Vault.open(path, key_file=key_file)) == TOKEN
    assert said == ["Another process is changing the vault's key. Nothing was changed; try again."]
    assert other_process(path, key_file, "vault.rotate()") == "done"
    assert token_in(vault) == TOKEN
    assert token_in(Vault.open(path, key_file=key_file)) == TOKEN


@pytest.mark.usefixtures("no_keyring")
def test_s3_two_processes_that_make_the_first_key_at_once_share_one(
    path: Path, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    between(monkeypatch, 1, lambda: other_process(path, key_file, KEEP))
    kept(path, key_file)
    assert other_process(path, key_file, KEEP) == "done"
    assert {grant.problem for grant in Vault.open(path, key_file=key_file).grants(SITE)} == {""}


@pytest.mark.usefixtures("no_keyring")
def test_s3_a_rotation_after_one_in_another_process_starts_from_its_key(path: Path, key_file: Path) -> None:
    vault = kept(path, key_file)
    assert other_process(path, key_file, "vault.rotate()") == "done"
    vault.rotate()
    assert token_in(Vault.open(path, key_file=key_file)) == TOKEN
