"""Whatever a keyring raises, the next place is taken, and nothing is made that is not needed."""

from __future__ import annotations

import logging
import os
import stat
import subprocess
import sys
from pathlib import Path

import keyring
import keyring.errors
import platformdirs
import pytest

from clio_nb.errors import VaultError
from clio_nb.models import App, Token, User
from clio_nb.secret import Secret
from clio_nb.vault import Vault, keys, new_key
from clio_nb.vocabulary import Region

from .conftest import Keyring

SITE = App(Region.US, "app-1", Secret("hush"))
ANNA = User(id=7, name="Anna Demo")
TOKEN = Token(access=Secret("canary-access"), refresh=Secret("canary-refresh"))


class DBusErrorResponse(Exception):
    """As jeepney's, which is no KeyringError."""


class Win32Error(Exception):
    """As pywintypes.error: three values, the first a number."""


RAISED: dict[str, BaseException] = {
    "a system that is locked": keyring.errors.KeyringLocked("canary-text"),
    "a backend that cannot start": keyring.errors.InitError("canary-text"),
    "a backend that refuses": keyring.errors.PasswordSetError("canary-text"),
    "no file": FileNotFoundError(2, "canary-text"),
    "no right": PermissionError(13, "canary-text"),
    "another error of the system": OSError(22, "canary-text"),
    "no environment": KeyError("HOME"),
    "a missing module": ModuleNotFoundError("canary-text", name="win32ctypes"),
    "half a module": ImportError("canary-text"),
    "an old backend": AttributeError("canary-text"),
    "other arguments": TypeError("canary-text"),
    "what is no text": UnicodeDecodeError("utf-8", b"\xff", 0, 1, "canary-text"),
    "what is no value": ValueError("canary-text"),
    "D-Bus": DBusErrorResponse("canary-text"),
    "Win32": Win32Error(1312, "CredWrite", "canary-text"),
    "nothing that is known": Exception("canary-text"),
    "a recursion": RecursionError("canary-text"),
    "no answer": TimeoutError("canary-text"),
    "not there yet": NotImplementedError("canary-text"),
    "not viable": RuntimeError("canary-text"),
}


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "settings" / "vault.key"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "vault.sqlite"


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "own"))
    keys._warn_once.cache_clear()


def raising(os_keyring: Keyring, monkeypatch: pytest.MonkeyPatch, error: BaseException, *verbs: str) -> None:
    def fail(*_: object) -> None:
        raise error

    for verb in verbs:
        monkeypatch.setattr(os_keyring, verb, fail)


BOTH = ("get_password", "set_password")


@pytest.mark.parametrize("verbs", [BOTH, BOTH[1:]], ids=["at all", "when it is to keep something"])
@pytest.mark.parametrize("what", RAISED)
def test_n3_whatever_a_keyring_raises_the_key_file_is_taken_and_that_is_said_once(
    os_keyring: Keyring,
    path: Path,
    key_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    what: str,
    verbs: tuple[str, ...],
) -> None:
    raising(os_keyring, monkeypatch, RAISED[what], *verbs)
    with caplog.at_level(logging.WARNING, "clio_nb"):
        Vault.open(path, key_file=key_file).keep(SITE, ANNA, TOKEN)
        again = Vault.open(path, key_file=key_file)
    assert repr(again) == f"<Vault in SQLite file {path}, sealed with the key in the key file {key_file}>"
    grant = again.grant(SITE, ANNA.id)
    assert grant is not None
    assert grant.token == TOKEN
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert type(RAISED[what]).__name__ in caplog.text
    assert "next place" in caplog.text
    assert len(caplog.records) == len(set(caplog.messages))
    assert "canary" not in caplog.text


@pytest.mark.parametrize("answer", [b"bytes", 7, ["x"]])
def test_n3_a_keyring_that_answers_with_what_is_no_text_is_passed_over(
    os_keyring: Keyring, path: Path, key_file: Path, monkeypatch: pytest.MonkeyPatch, answer: object
) -> None:
    monkeypatch.setattr(os_keyring, "get_password", lambda *_: answer)
    assert str(key_file) in repr(Vault.open(path, key_file=key_file))


def test_n3_a_system_without_a_keyring_is_usual_and_says_nothing(
    os_keyring: Keyring, path: Path, key_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    os_keyring.works = False
    with caplog.at_level(logging.WARNING, "clio_nb"):
        Vault.open(path, key_file=key_file)
    assert caplog.messages == []


@pytest.mark.parametrize("what", RAISED)
def test_n3_a_keyring_that_fails_while_the_key_is_rotated_loses_no_token(
    os_keyring: Keyring, path: Path, key_file: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    vault = Vault.open(path, key_file=key_file)
    vault.keep(SITE, ANNA, TOKEN)
    with monkeypatch.context() as failing:
        raising(os_keyring, failing, RAISED[what], "set_password")
        with pytest.raises(VaultError, match="cannot be used"):
            vault.rotate()
    grant = Vault.open(path, key_file=key_file).grant(SITE, ANNA.id)
    assert grant is not None
    assert grant.token == TOKEN


def child(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run something as a person would, with the keyring that the environment names."""
    there = {name: value for name, value in os.environ.items() if name != "PYTHON_KEYRING_BACKEND"}
    command = [sys.executable, "-c", f"import logging; logging.basicConfig()\nimport clio_nb as clio\n{program}"]
    return subprocess.run(command, env={**there, **environment}, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("backend", "says"),
    [
        ("nosuch.Keyring", "ModuleNotFoundError"),
        ("keyring.backends.fail.NoSuch", "AttributeError"),
        ("nothing", "ValueError"),
        ("os.path.join", "AttributeError"),
        ("keyring.backends.Windows.WinVaultKeyring", "RuntimeError"),
        ("keyring.backends.null.Keyring", ""),
        ("keyring.backends.fail.Keyring", ""),
    ],
)
def test_n3_a_backend_of_any_name_ends_with_a_vault(tmp_path: Path, path: Path, backend: str, says: str) -> None:
    done = child(f"print(clio.Vault.open({str(path)!r}))", PYTHON_KEYRING_BACKEND=backend)
    assert done.returncode == 0, done.stderr
    assert f"key file {tmp_path / 'config' / 'clio-nb' / 'vault.key'}" in done.stdout
    assert says in done.stderr
    assert bool(done.stderr) == bool(says)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("text", ["[backend]\ndefault-keyring=nosuch.Keyring", "no section", "[backend]\nx=\xff"])
def test_n3_settings_of_keyring_that_cannot_be_used_end_with_a_vault(tmp_path: Path, path: Path, text: str) -> None:
    (tmp_path / "config" / "python_keyring").mkdir(parents=True)
    (tmp_path / "config" / "python_keyring" / "keyringrc.cfg").write_bytes(text.encode("latin-1"))
    done = child(f"print(clio.Vault.open({str(path)!r}))")
    assert done.returncode == 0, done.stderr
    assert "key file" in done.stdout


@pytest.mark.usefixtures("no_keyring")
def test_no_key_is_made_for_a_vault_that_cannot_be_opened(tmp_path: Path, key_file: Path) -> None:
    text = tmp_path / "text" / "vault.sqlite"
    text.parent.mkdir()
    text.write_text("a shopping list, long enough to be taken for a header " * 40)
    for where in (text, text / "below", "mysql://x/y", "postgresql://127.0.0.1:1/none"):
        with pytest.raises(VaultError):
            Vault.open(where, key_file=key_file)
        assert not key_file.parent.exists(), where


@pytest.mark.parametrize("keyring_works", [True, False])
def test_no_key_is_made_beside_a_vault_that_is_sealed_with_another(
    os_keyring: Keyring, path: Path, key_file: Path, monkeypatch: pytest.MonkeyPatch, *, keyring_works: bool
) -> None:
    os_keyring.works = keyring_works
    key = new_key().reveal()
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("CLIO_NB_KEY", key)
        Vault.open(path, key_file=key_file).keep(SITE, ANNA, TOKEN)
    with pytest.raises(VaultError, match=r"there is no key for it here\. Give the key that sealed it"):
        Vault.open(path, key_file=key_file)
    assert os_keyring.entries == {}
    assert not key_file.parent.exists()
    monkeypatch.setenv("CLIO_NB_KEY", key)
    assert Vault.open(path, key_file=key_file).grant(SITE, ANNA.id) is not None


@pytest.mark.usefixtures("no_keyring")
def test_a_vault_in_memory_and_a_key_in_the_environment_make_no_file(
    tmp_path: Path, path: Path, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Vault().keep(SITE, ANNA, TOKEN)
    monkeypatch.setenv("CLIO_NB_KEY", new_key().reveal())
    Vault.open(path, key_file=key_file).keep(SITE, ANNA, TOKEN)
    assert [each.name for each in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o022, 0o077], ids=oct)
@pytest.mark.usefixtures("no_keyring")
def test_every_folder_that_is_made_is_0700_and_every_file_0600(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        Vault.open(tmp_path / "a" / "b" / "c" / "vault.sqlite").keep(SITE, ANNA, TOKEN)
        Vault.open().keep(SITE, ANNA, TOKEN)
    finally:
        os.umask(before)
    made = {each: stat.S_IMODE(each.stat().st_mode) for each in tmp_path.rglob("*")}
    assert {mode for each, mode in made.items() if each.is_dir()} == {0o700}
    assert {mode for each, mode in made.items() if each.is_file()} == {0o600}
    assert {"own", "config", "a"} == {each.name for each in tmp_path.iterdir()}


@pytest.mark.usefixtures("no_keyring")
def test_this_users_own_folders_are_tightened_whatever_else_is_in_them(tmp_path: Path) -> None:
    own, settings = tmp_path / "own" / "clio-nb", tmp_path / "config" / "clio-nb"
    for folder, other in ((own, "sandboxes.sqlite"), (settings, "notes.txt")):
        folder.mkdir(mode=0o755, parents=True)
        (folder / other).touch()
    Vault.open()
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in (own, settings)} == {0o700}


def test_a_key_file_that_cannot_be_used_does_no_harm_where_the_key_is_in_the_environment(
    tmp_path: Path, path: Path, key_file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CLIO_NB_KEY", new_key().reveal())
    key_file.parent.mkdir()
    key_file.symlink_to(tmp_path / "elsewhere")
    with caplog.at_level(logging.WARNING, "clio_nb"):
        for _ in range(2):
            assert "variable CLIO_NB_KEY" in repr(Vault.open(path, key_file=key_file))
    (said,) = caplog.messages
    assert said.startswith(f"{key_file} is a symbolic link")


@pytest.mark.parametrize("kind", ["folder", "pipe", "bytes"])
@pytest.mark.usefixtures("no_keyring")
def test_a_key_file_that_holds_no_text_is_named(path: Path, key_file: Path, kind: str) -> None:
    key_file.parent.mkdir(mode=0o700)
    if kind == "folder":
        key_file.mkdir()
    elif kind == "pipe":
        os.mkfifo(key_file, 0o600)
    else:
        key_file.touch(0o600)
        key_file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(VaultError, match="Invalid key in" if kind == "bytes" else "not a regular file"):
        Vault.open(path, key_file=key_file)


@pytest.mark.parametrize("found", [RuntimeError("no home"), Path("~/.local/share/clio-nb")], ids=["now", "before 4.4"])
@pytest.mark.usefixtures("no_keyring")
def test_a_user_without_a_home_is_told_and_no_folder_of_a_strange_name_is_made(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch, found: Path | Exception
) -> None:
    def nowhere(_: str) -> Path:
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.chdir(tmp_path)
    for name in ("user_data_path", "user_config_path"):
        monkeypatch.setattr(platformdirs, name, nowhere)
    with pytest.raises(VaultError, match=r"no home folder for vault.*Set HOME"):
        Vault.open()
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv("CLIO_NB_KEY", new_key().reveal())
    assert "variable CLIO_NB_KEY" in repr(Vault.open(path))
