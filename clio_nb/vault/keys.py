"""Which key seals the tokens: from the OS keyring, from ``CLIO_NB_KEY``, or from a key file, in this order.

Every key that is found can open. Where there is none yet, one is made: in the keyring if there is a usable one, else in
the file. A place may hold several keys, newest first, separated by commas: that is how keys rotate.
"""

from __future__ import annotations

import hashlib
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import platformdirs
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from ..errors import VaultError
from ..secret import Secret
from ._private_files import read_private, write_whole

VARIABLE: Final = "CLIO_NB_KEY"
_SERVICE: Final = "clio-nb"
_log: Final = logging.getLogger("clio_nb.vault")


def new_key() -> Secret:
    """Return a fresh key: text for ``CLIO_NB_KEY``, a key file or a keyring."""
    return Secret(Fernet.generate_key().decode())


def default_key_file() -> Path:
    """Return the key file in this user's settings folder, apart from the data that it opens."""
    return platformdirs.user_config_path("clio-nb") / "vault.key"


class KeyPlace(Protocol):
    """Somewhere that keys are kept."""

    @property
    def name(self) -> str:
        """What to tell a person about it."""

    def read(self) -> Secret | None:
        """Return the keys there, or None."""

    def write(self, keys: Secret) -> None:
        """Keep these keys instead. Raises :class:`VaultError` where that is impossible."""


class InKeyring:
    """The operating system's keyring."""

    name = "the keyring of this system"

    def read(self) -> Secret | None:
        """Return the keys, or None where there is no usable keyring."""
        try:
            import keyring  # noqa: PLC0415 -- talks to the desktop; only when a vault is opened
            import keyring.errors  # noqa: PLC0415 -- as above
        except ImportError:  # on servers, which install what they need alone
            _log.info("the package keyring is not installed, so the key comes from %s or a key file", VARIABLE)
            return None
        try:
            text = keyring.get_password(_SERVICE, "vault")
        except (keyring.errors.KeyringError, RuntimeError):  # a backend that cannot start raises RuntimeError
            return None
        return Secret(text) if text else None

    def write(self, keys: Secret) -> None:
        """Keep the keys in the keyring."""
        try:
            import keyring  # noqa: PLC0415 -- as above
            import keyring.errors  # noqa: PLC0415 -- as above
        except ImportError:
            raise VaultError(f"The package keyring is not installed. Set {VARIABLE} instead.") from None
        try:
            keyring.set_password(_SERVICE, "vault", keys.reveal())
        except (keyring.errors.KeyringError, RuntimeError):
            raise VaultError(f"The keyring of this system cannot be used. Set {VARIABLE} instead.") from None


class InEnvironment:
    """The variable ``CLIO_NB_KEY``."""

    name = f"the variable {VARIABLE}"

    def read(self) -> Secret | None:
        """Return the keys, or None where the variable is not set."""
        text = os.environ.get(VARIABLE)
        return Secret(text) if text else None

    def write(self, keys: Secret) -> None:
        """Refuse: a process cannot set a variable for the next one."""
        raise VaultError(
            f"Put the new key in front of the old one in {VARIABLE} yourself (NEW,OLD), then rotate again."
        )


@dataclass(frozen=True, slots=True)
class InFile:
    """A file that only its owner can read."""

    path: Path

    @property
    def name(self) -> str:
        """The file, by its path."""
        return f"the key file {self.path}"

    def read(self) -> Secret | None:
        """Return the keys, or None where there is no file."""
        text = read_private(self.path)
        return Secret(text.strip()) if text and text.strip() else None

    def write(self, keys: Secret) -> None:
        """Write the file, 0600, whole or not at all."""
        write_whole(self.path, Secret(keys.reveal() + "\n"))


class Keys:
    """The keys of a vault. They seal and open; their texts stay inside.

    A ``mark`` names a key without telling it: a store remembers under which one it is sealed.
    """

    def __init__(self, found: list[tuple[KeyPlace, Secret]]) -> None:
        self.place = found[0][0]
        self._texts = {_mark(text): text for place, texts in found for text in _split(place, texts)}
        self._here = _split(*found[0])
        self._all = MultiFernet([Fernet(text.reveal()) for text in self._texts.values()])

    @property
    def first(self) -> str:
        """The mark of the newest key in the first place."""
        return _mark(self._here[0])

    def __contains__(self, mark: object) -> bool:
        return mark in self._texts

    def seal(self, plain: bytes, mark: str) -> bytes:
        """Encrypt under the key of that mark."""
        return Fernet(self._texts[mark].reveal()).encrypt(plain)

    def open(self, sealed: object) -> bytes | None:
        """Decrypt with whichever key fits, or return None when none does, or it is no sealed text at all."""
        try:
            return self._all.decrypt(sealed) if isinstance(sealed, bytes) else None
        except InvalidToken:
            return None

    def with_new(self) -> Keys:
        """Put a new key in front, in its place too, and keep the old ones."""
        return self._kept([new_key(), *self._texts.values()])

    def only_first(self) -> Keys:
        """Keep nothing but the first key, in its place too."""
        return self._kept(self._here[:1])

    def _kept(self, texts: list[Secret]) -> Keys:
        both = Secret(",".join(text.reveal() for text in texts))
        self.place.write(both)
        return Keys([(self.place, both)])


def find_keys(key_file: Path | None = None) -> Keys | None:
    """Return the keys of this user, made now if there are none; None where none can be kept.

    Raises :class:`VaultError` for a text that is no key, and for a key file that others can read.
    """
    places: list[KeyPlace] = [InKeyring(), InEnvironment(), InFile(key_file or default_key_file())]
    found = [(place, texts) for place in places if (texts := place.read()) is not None]
    if not found:
        found = _kept(new_key(), [place for place in places if not isinstance(place, InEnvironment)])
    if not found:
        return None
    keys = Keys(found)
    _log.info("tokens are sealed with the key in %s", keys.place.name)
    return keys


def passing_keys() -> Keys:
    """Return a key that ends with this process, for a vault that does so too."""
    return Keys([(_Nowhere(), new_key())])


class _Nowhere:
    name = "this process alone"

    def read(self) -> Secret | None:
        return None

    def write(self, keys: Secret) -> None:
        """Keep nothing: the process has them."""


def _kept(key: Secret, places: list[KeyPlace]) -> list[tuple[KeyPlace, Secret]]:
    for place in places:
        try:
            place.write(key)
        except VaultError:
            continue
        if place.read() == key:
            return [(place, key)]
    return []


def _split(place: KeyPlace, texts: Secret) -> list[Secret]:
    keys = [Secret(text.strip()) for text in texts.reveal().split(",")]
    for key in keys:
        try:
            Fernet(key.reveal())
        except ValueError:
            raise VaultError(
                f"What is in {place.name} is no key. A key is 44 characters; make one with clio_nb.vault.new_key()."
            ) from None
    return keys


def _mark(key: Secret) -> str:
    """Name a key without telling it: it is 256 random bits, so a part of its hash is of no use."""
    return hashlib.sha256(b"clio_nb vault key " + key.reveal().encode()).hexdigest()[:16]
