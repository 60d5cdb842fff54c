"""The grants of a store, sealed and opened: what the verbs of a vault, its token sources and a firm are built on."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, SupportsIndex

from ..database._private_files import can_be_made
from ..database.database import Database
from ..database.firm_key import FirmKey
from ..errors import VaultError
from ..http import timeouts
from ._grants import Grant, Row, damaged, id_of_user, opened, sealed
from .keys import VARIABLE, InEnvironment, Keys, find_keys, make_keys

if TYPE_CHECKING:
    from .store import Store

LOOK: Final = 30.0  # seconds after which a session looks whether its token was changed by another process
_changed: Final[dict[tuple[FirmKey, int], float]] = {}
_told: Final[list[weakref.WeakMethod[Callable[[], object]]]] = []
_NO_KEY: Final = "{}: {}. Give the key that sealed it (keyring, CLIO_NB_KEY or key file); nothing was changed."


def keys_of(database: Database, key_file: Path | None) -> Keys | None:
    """Return the keys for a database, made now only where nothing in it is sealed; None where none can be kept.

    Raises :class:`VaultError` when it is sealed and there is no key, and what :func:`find_keys` raises.
    """
    from .store import Store  # noqa: PLC0415 -- SQLAlchemy is loaded at the first use

    if (keys := find_keys(key_file)) is not None:
        return keys
    new = database.path is not None and can_be_made(database.path)
    if new or Store(database).sealed_under() is None:
        return make_keys(key_file)
    if (keys := find_keys(key_file)) is None:  # another process may have made it just now
        raise VaultError(_NO_KEY.format(database.name, "there is no key for it here"))
    return keys


class SealedGrants:
    """The grants of a database and the keys that open them. ``find`` looks for the keys again."""

    def __init__(self, database: Database, keys: Keys, find: Callable[[], Keys | None] | None = None) -> None:
        self.database = database
        self.keys = keys
        self._find = find

    @functools.cached_property
    def store(self) -> Store:
        """The rows."""
        from .store import Store  # noqa: PLC0415 -- SQLAlchemy is loaded at the first use

        return Store(self.database)

    def check(self) -> None:
        """Raise :class:`VaultError` when the database cannot be used or the key does not open it."""
        self._key_id = self._sealed_under()

    @functools.cached_property
    def _key_id(self) -> str:
        return self._sealed_under()

    def take(self, firm_key: FirmKey, user_id: SupportsIndex) -> Grant | None:
        """Return one user's grant, or None."""
        now = timeouts.now()
        row = self.store.read(firm_key, id_of_user(user_id))
        return None if row is None else self._opened(firm_key, row, now)

    def all(self, firm_key: FirmKey) -> Iterator[Grant]:
        """Give the grants of a firm in order of user id."""
        now = timeouts.now()
        return (self._opened(firm_key, row, now) for row in self.store.scan(firm_key))

    def is_current(self, firm_key: FirmKey, grant: Grant) -> bool:
        """Whether a grant was read a short time ago and no vault of this process has changed it since."""
        if abs(timeouts.now() - grant.read_at) >= LOOK:
            return False
        changed = _changed.get((firm_key, grant.user.id))
        return changed is None or changed < grant.read_at

    def keep_all(self, grants: Iterable[tuple[FirmKey, Grant]]) -> None:
        """Keep many grants, all or none."""
        several = list(grants)
        self._write(lambda: self.store.put([(key, self._row(key, grant)) for key, grant in several], self._key_id))
        _note_change([(key, grant.user.id) for key, grant in several])

    def swap(self, firm_key: FirmKey, grant: Grant) -> bool:
        """Keep a renewed grant if nobody changed it since ``grant.version`` was read."""
        return self._write(lambda: self.store.swap(firm_key, self._row(firm_key, grant), self._key_id))

    def remove(self, firm_key: FirmKey, user_id: SupportsIndex) -> None:
        """Delete one user's grant."""
        plain = id_of_user(user_id)
        self.store.remove(firm_key, plain)
        _note_change([(firm_key, plain)])

    def rotate(self) -> int:
        """Reseal everything under a new key; return how many grants could not be read and stay as they are.

        One process at a time changes the keys, and the old one is kept until the store is sealed under the new one.
        """
        with self.keys.store.locked():
            if self._find is not None:
                self.keys = self._find() or self.keys  # another process may have rotated
            before = self._key_id = self._sealed_under()
            by_hand = isinstance(self.keys.store, InEnvironment)
            if by_hand and self.keys.first == before:
                raise VaultError(f"Put a new key in front of the old one in {VARIABLE} (NEW,OLD), then rotate.")
            keys = self.keys if by_hand else self.keys.with_new()
            unread = 0

            def again(text: object) -> bytes | None:
                nonlocal unread
                plain = keys.open(text)
                unread += plain is None
                return None if plain is None else keys.seal(plain, keys.first)

            if not self.store.reseal(again, before, keys.first):
                raise VaultError(
                    f"{self.store.name}: another process rotated the key at the same time. Nothing was changed."
                )
            self._key_id = keys.first
            self.keys = keys if by_hand else keys.only_first()
        return unread

    def _row(self, firm_key: FirmKey, grant: Grant) -> Row:
        return sealed(self.keys, self._key_id, firm_key, grant)

    def _write(self, write: Callable[[], bool]) -> bool:
        """Write; if another process rotated the key meanwhile, seal under the new one and write again."""
        if write():
            return True
        before, self._key_id = self._key_id, self._sealed_under()
        return self._key_id != before and write()

    def _opened(self, firm_key: FirmKey, row: Row, read_at: float) -> Grant:
        grant = opened(self.keys, firm_key, row, read_at)
        if grant is None:
            self._key_id = self._sealed_under()  # raises when the key is wrong, and not this row
            grant = opened(self.keys, firm_key, row, read_at)
        return damaged(row, read_at) if grant is None else grant

    def _sealed_under(self) -> str:
        """Return the id of the key that seals the store, looking for that key again if another process made it."""
        key_id = self.store.key_id(self.keys.first)
        if key_id not in self.keys and self._find is not None:
            self.keys = self._find() or self.keys
        if key_id not in self.keys:
            raise VaultError(_NO_KEY.format(self.store.name, "the key does not open it"))
        return key_id


def on_change(method: Callable[[], object]) -> None:
    """Have a method called, in whichever thread, when a vault of this process has kept or removed a grant.

    That ends with the object of the method.
    """
    _told.append(weakref.WeakMethod(method, _told.remove))


def _note_change(changed: list[tuple[FirmKey, int]]) -> None:
    """Remember for as long as it matters what was changed in this process, by whichever of its vaults."""
    now = timeouts.now()
    for key in [key for key, at in list(_changed.items()) if abs(now - at) >= LOOK]:
        _changed.pop(key, None)
    _changed.update(dict.fromkeys(changed, now))
    for told in _told.copy():
        if method := told():
            method()
