"""A keyring that holds nothing of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keyring
import keyring.backend
import keyring.errors
import pytest


class Keyring(keyring.backend.KeyringBackend):
    """A keyring in memory; ``works = False`` makes it one that cannot be used."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.works = True
        self.entries: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        self._check()
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._check()
        self.entries[service, username] = password

    def _check(self) -> None:
        if not self.works:
            raise keyring.errors.NoKeyringError


@pytest.fixture(autouse=True)
def os_keyring(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Keyring]:
    before, ours = keyring.get_keyring(), Keyring()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))  # where the lock of the keyring lies
    monkeypatch.delenv("CLIO_NB_KEY", raising=False)
    keyring.set_keyring(ours)
    yield ours
    keyring.set_keyring(before)


@pytest.fixture
def no_keyring(os_keyring: Keyring) -> None:
    os_keyring.works = False
