"""Which key seals the tokens: from the OS keyring, from ``CLIO_NB_KEY``, or from a key file, in this order.

Every key that is found can open. Where there is none yet, one is made: in the keyring if there is a usable one, else in
the file. Each of the three may hold several keys, newest first, separated by commas: that is how keys rotate.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import platformdirs
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from ..database._private_files import locked, read_private, write_whole
from ..errors import VaultError
from ..secret import Secret

VARIABLE: Final = "CLIO_NB_KEY"
PATIENCE: Final = 10.0  # seconds to wait for another process that changes the keys
_SERVICE: Final = "clio-nb"
_log: Final = logging.getLogger("clio_nb.vault")


def new_key() -> Secret:
    """Return a fresh key: text for ``CLIO_NB_KEY``, a key file or a keyring.

    Returns:
        The key. It does not show; ``reveal()`` gives the text.

    Examples:
        >>> from clio_nb.vault import new_key
        >>> len(new_key().reveal())
        44
    """
    return Secret(Fernet.generate_key().decode())


def default_key_file() -> Path:
    """Return the key file in this user's settings folder, apart from the data that it opens."""
    return platformdirs.user_config_path("clio-nb") / "vault.key"


class KeyStore(Protocol):
    """Where keys are kept."""

    @property
    def name(self) -> str:
        """What to call it in messages."""

    def read(self) -> Secret | None:
        """Return the keys there, or None."""

    def write(self, keys: Secret) -> None:
        """Replace the keys. Raises :class:`VaultError` where that is impossible."""

    def locked(self) -> AbstractContextManager[None]:
        """Hold the right to change the keys: two processes at once would overwrite each other's new key."""


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

    def locked(self) -> AbstractContextManager[None]:
        """Lock by a file, as a keyring has no lock."""
        return _locked(default_key_file())


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

    def locked(self) -> AbstractContextManager[None]:
        """Do nothing: only a person changes the variable."""
        return contextlib.nullcontext()


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

    def locked(self) -> AbstractContextManager[None]:
        """Lock a file beside it."""
        return _locked(self.path)


class Keys:
    """The keys of a vault. They seal and open; their texts stay inside.

    A ``key_id`` names a key without telling it: a store remembers under which one it is sealed.
    """

    def __init__(self, found: list[tuple[KeyStore, Secret]]) -> None:
        self.store = found[0][0]
        self._texts = {_key_id(text): text for store, texts in found for text in _split(store, texts)}
        self._here = _split(*found[0])
        self._all = MultiFernet([Fernet(text.reveal()) for text in self._texts.values()])

    @property
    def first(self) -> str:
        """The id of the newest key in the first store."""
        return _key_id(self._here[0])

    def __contains__(self, key_id: object) -> bool:
        return key_id in self._texts

    def seal(self, plain: bytes, key_id: str) -> bytes:
        """Encrypt under the key with that id."""
        return Fernet(self._texts[key_id].reveal()).encrypt(plain)

    def open(self, sealed: object) -> bytes | None:
        """Decrypt with whichever key fits; return None when none does, or this is not a sealed text."""
        try:
            return self._all.decrypt(sealed) if isinstance(sealed, bytes) else None
        except InvalidToken:
            return None

    def with_new(self) -> Keys:
        """Put a new key in front, also where they are kept, and keep the old ones."""
        return self._kept([new_key(), *self._texts.values()])

    def only_first(self) -> Keys:
        """Keep only the first key, also where they are kept."""
        return self._kept(self._here[:1])

    def _kept(self, texts: list[Secret]) -> Keys:
        both = Secret(",".join(text.reveal() for text in texts))
        self.store.write(both)
        return Keys([(self.store, both)])


def find_keys(key_file: Path | None = None, *, make: bool = True) -> Keys | None:
    """Return the keys of this user, made now if there are none, unless told not to; None where there are none then.

    Raises :class:`VaultError` for a text that is not a key, and for a key file that others can read.
    """
    stores: list[KeyStore] = [InKeyring(), InEnvironment(), InFile(key_file or default_key_file())]
    found = [(store, texts) for store in stores if (texts := store.read()) is not None]
    if not found and make:
        found = _kept(new_key(), stores)
    if not found:
        return None
    keys = Keys(found)
    _log.info("tokens are sealed with the key in %s", keys.store.name)
    return keys


def passing_keys() -> Keys:
    """Return a key that ends with this process, for a vault that does so too."""
    return Keys([(_InMemory(), new_key())])


class _InMemory:
    name = "this process alone"

    def read(self) -> Secret | None:
        return None

    def write(self, keys: Secret) -> None:
        """Keep nothing: the process has them."""

    def locked(self) -> AbstractContextManager[None]:
        return contextlib.nullcontext()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with locked(path, timeout=PATIENCE) as held:
        if not held:
            raise VaultError("Another process is changing the vault's key. Nothing was changed; try again.")
        yield


def _kept(key: Secret, stores: list[KeyStore]) -> list[tuple[KeyStore, Secret]]:
    """Keep the first key of this user in the first store that takes it, unless another process has just done so."""
    for store in stores:
        try:
            with store.locked():
                if store.read() is None:
                    store.write(key)
                there = store.read()
        except VaultError:
            continue
        if there is not None:
            return [(store, there)]
    return []


def _split(store: KeyStore, texts: Secret) -> list[Secret]:
    keys = [Secret(text.strip()) for text in texts.reveal().split(",")]
    for key in keys:
        try:
            Fernet(key.reveal())
        except ValueError:
            raise VaultError(
                f"Invalid key in {store.name}. A key has 44 characters; make one with clio_nb.vault.new_key()."
            ) from None
    return keys


def _key_id(key: Secret) -> str:
    """Name a key without telling it: it is 256 random bits, so a part of its hash is of no use."""
    return hashlib.sha256(b"clio_nb vault key " + key.reveal().encode()).hexdigest()[:16]
