"""Which key seals the tokens: from the OS keyring, from ``CLIO_NB_KEY``, or from a key file, in this order.

Every key that is found can open. A first one is made for a new store: in the keyring if there is a usable one, else in
the file. A place that cannot be used is passed over, and that is said once. Each of the three may hold several keys,
newest first, separated by commas: that is how keys rotate.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from ..database._private_files import locked, own_file, read_private, write_whole
from ..errors import VaultError
from ..secret import Secret, sendable

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
    return own_file("vault.key", settings=True)


class KeyStore(Protocol):
    """Where keys are kept."""

    @property
    def name(self) -> str:
        """What to call it in messages."""

    def read(self) -> Secret | None:
        """Return the keys there, or None. Raises :class:`VaultError` where that is impossible."""

    def write(self, keys: Secret) -> None:
        """Replace the keys. Raises :class:`VaultError` where that is impossible."""

    def locked(self) -> AbstractContextManager[None]:
        """Hold the right to change the keys: two processes at once would overwrite each other's new key."""


class InKeyring:
    """The operating system's keyring."""

    name = "the keyring of this system"

    def read(self) -> Secret | None:
        """Return the keys, or None. Raises :class:`NoKeyring` where there is none, which is usual on servers."""
        return _ask_keyring("get_password")

    def write(self, keys: Secret) -> None:
        """Keep the keys in the keyring."""
        _ask_keyring("set_password", keys)

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
    """A file that only its owner can read; by default this user's own."""

    given: Path | None = None

    @property
    def path(self) -> Path:
        """Which file it is."""
        return self.given or default_key_file()

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


def key_stores(key_file: Path | None = None) -> tuple[KeyStore, ...]:
    """Return where this user's keys may be, in the order in which they count."""
    return InKeyring(), InEnvironment(), InFile(key_file)


def find_keys(key_file: Path | None = None) -> Keys | None:
    """Return the keys of this user, or None where there are none.

    Raises :class:`VaultError` for a text that is not a key, and for a key file that cannot be used or that others can
    read where no other place has a key.
    """
    found: list[tuple[KeyStore, Secret]] = []
    passed_over: list[VaultError] = []
    for store in key_stores(key_file):
        try:
            texts = store.read()
        except NoKeyring as absent:
            _log.info("%s", absent)
        except VaultError as error:
            if not isinstance(store, InKeyring):
                passed_over.append(error)
            _warn_once(f"{error} The key is looked for in the next place.")
        else:
            found += [(store, texts)] if texts is not None else []
    if not found:
        if passed_over:
            raise passed_over[0]
        return None
    keys = Keys(found)
    _log.info("tokens are sealed with the key in %s", keys.store.name)
    return keys


def make_keys(key_file: Path | None = None) -> Keys | None:
    """Keep a first key in the first place that takes it, unless another process has just done so; None if none does."""
    key = new_key()
    passed_over: list[str] = []
    for store in key_stores(key_file):
        try:
            with store.locked():
                if store.read() is None:
                    store.write(key)
                there = store.read()
        except VaultError as error:
            if not isinstance(error, NoKeyring) and not isinstance(store, InEnvironment):
                passed_over.append(str(error))
            continue
        if there is not None:
            for said in passed_over:
                _warn_once(f"{said} The key is kept in the next place.")
            return Keys([(store, there)])
    for said in passed_over:
        _warn_once(said)
    return None


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


class NoKeyring(VaultError):
    """There is no keyring on this machine."""


def _ask_keyring(verb: str, *values: Secret) -> Secret | None:
    """Call a verb of the package keyring for our entry. Raises :class:`VaultError` whatever its backend raises."""
    try:
        import keyring  # noqa: PLC0415 -- talks to the desktop; only when a vault is opened
        import keyring.errors  # noqa: PLC0415 -- as above

        text = getattr(keyring, verb)(_SERVICE, "vault", *(value.reveal() for value in values))
    except Exception as cause:  # noqa: BLE001 -- backends raise anything: OSError, KeyError, errors of D-Bus and Win32
        kind = type(cause).__name__  # its text could hold what was to be kept
        if getattr(cause, "name", "") == "keyring":  # on servers, which install what they need alone
            raise NoKeyring(f"The package keyring is not installed. Set {VARIABLE} instead.") from None
        if kind == "NoKeyringError":
            raise NoKeyring(f"This system has no keyring. Set {VARIABLE} instead.") from None
        raise VaultError(f"The keyring of this system cannot be used ({kind}). Set {VARIABLE} instead.") from None
    if text is not None and not isinstance(text, str):
        raise VaultError(f"The keyring of this system answered with {type(text).__name__}. Set {VARIABLE} instead.")
    return Secret(text) if text else None


@functools.cache
def _warn_once(sentence: str) -> None:
    _log.warning("%s", sentence)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with locked(path, timeout=PATIENCE) as held:
        if not held:
            raise VaultError("Another process is changing the vault's key. Nothing was changed; try again.")
        yield


def _split(store: KeyStore, texts: Secret) -> list[Secret]:
    keys = [sendable(text) or Secret("") for text in texts.reveal().split(",")]
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
