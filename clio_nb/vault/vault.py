"""The vault: every user's token, sealed, on the shelf of its firm."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final
from weakref import WeakValueDictionary

import platformdirs

from ..errors import VaultError
from ..frames import verbs
from ..http import waiting
from ..models import Site, Token, User
from ..secret import Secret
from ..vocabulary import Region
from ._grants import Grant, damaged, opened, sealed
from .keys import VARIABLE, InEnvironment, Keys, find_keys, passing_keys
from .refresh import VaultTokens
from .store import MemoryStore, Row, Shelf, Store

FIRM: Final = "default"


@verbs
class Vault:
    """Where tokens live: in memory, in a SQLite file, or in PostgreSQL. Sealed in all three.

    ``Vault()`` ends with this process. :meth:`open` gives one that stays. Tokens lie on shelves by region, client id
    and firm; ``firm`` is a name that you choose, needed only when one vault serves several.

    Every verb raises :class:`VaultError` when the store fails, and then nothing was changed.
    """

    def __init__(
        self, store: Store | None = None, keys: Keys | None = None, *, find: Callable[[], Keys | None] | None = None
    ) -> None:
        self._store = store or MemoryStore()
        self._keys = keys or passing_keys()
        self._find = find
        self._sources: WeakValueDictionary[tuple[Shelf, int], VaultTokens] = WeakValueDictionary()
        self._mark = self._sealed_under()

    @classmethod
    def open(cls, where: str | Path | Secret | None = None, *, key_file: Path | None = None) -> Vault:
        """Open the vault that stays: this user's own, a SQLite file by its path, or a ``postgresql://`` address.

        The key comes from the system's keyring, from ``CLIO_NB_KEY``, or from ``key_file`` (by default in this user's
        settings folder), in this order, and is made when there is none. Where no key can be kept, the vault stays in
        memory, with a warning. ``repr(vault)`` says where tokens and key are.
        """
        where = Secret(where) if isinstance(where, str) else where
        keys = find_keys(key_file)
        if keys is None:
            warnings.warn(
                f"No place for a key: no keyring, no {VARIABLE}, no key file. The tokens stay in memory and end with "
                "this process.",
                stacklevel=3,
            )
            return cls()
        return cls(_store_at(where), keys, find=lambda: find_keys(key_file))

    def __repr__(self) -> str:
        return f"<Vault in {self._store.name}, sealed with the key in {self._keys.place.name}>"

    @property
    def lasting(self) -> bool:
        """Whether it outlives this process."""
        return not isinstance(self._store, MemoryStore)

    def close(self) -> None:
        """Let go of the file or database. The vault can be used again: it opens it anew."""
        self._store.close()

    def keep(self, site: Site, user: User, token: Token, *, firm: str = FIRM) -> None:
        """Keep a user's token, in place of an older one."""
        self.keep_all([(shelf_of(site, firm), Grant(user, token))])

    def grant(self, site: Site, user_id: int, *, firm: str = FIRM) -> Grant | None:
        """Return what the vault holds of one user, or None."""
        return self.take(shelf_of(site, firm), user_id)

    def grants(self, site: Site, *, firm: str = FIRM) -> Iterator[Grant]:
        """Give what the vault holds of a firm, in order of user id, without loading it all at once.

        What cannot be read comes with the trouble "damaged" and an empty token: sign that user in again, or remove it.
        """
        shelf, now = shelf_of(site, firm), waiting.now()
        yield from (self._opened(shelf, row, now) for row in self._store.scan(shelf))

    def remove(self, site: Site, user_id: int, *, firm: str = FIRM) -> None:
        """Forget a user's token. Clio is not told: revoke it first with the session's ``logout()``.

        Sessions that use it end: at once in this process, in any other when it looks again (every 30 seconds).
        """
        self._store.remove(shelf_of(site, firm), user_id)
        _note_change([(shelf_of(site, firm), user_id)])

    def firms(self, site: Site) -> list[str]:
        """Return the names of the firms that have tokens here for this app."""
        here = shelf_of(site, "")
        return [shelf.firm for shelf in self._store.shelves() if shelf[:2] == here[:2]]

    def elsewhere(self, site: Site, *, firm: str = FIRM) -> dict[int, str]:
        """Return which users of this app and firm have a token for another region, and for which."""
        here = shelf_of(site, firm)
        regions = {region.value for region in Region} - {here.site}
        others = [shelf for shelf in self._store.shelves() if shelf[1:] == here[1:] and shelf.site in regions]
        return {row.user_id: shelf.site for shelf in others for row in self._store.scan(shelf)}

    def source(self, site: Site, user_id: int, *, firm: str = FIRM, grant: Grant | None = None) -> VaultTokens:
        """Return the token source of one user: the same object for all who ask, so that they renew as one.

        ``grant`` saves reading it where it was read already.
        """
        key = (shelf_of(site, firm), user_id)
        source = self._sources.get(key)
        if source is None:
            source = self._sources[key] = VaultTokens(self, site, *key, grant)
        return source

    def rotate(self) -> None:
        """Seal everything under a new key and forget the old one.

        Both are kept until all is sealed anew, so a crash on the way loses nothing. A process cannot set a variable for
        the next one: with ``CLIO_NB_KEY`` put the new key in front yourself (``NEW,OLD``), rotate, then drop the old.
        What cannot be read stays as it is, with a warning.
        """
        before = self._mark = self._sealed_under()
        by_hand = isinstance(self._keys.place, InEnvironment)
        if by_hand and self._keys.first == before:
            raise VaultError(f"Put a new key in front of the old one in {VARIABLE} (NEW,OLD), then rotate.")
        keys = self._keys if by_hand else self._keys.with_new()
        unread = 0

        def again(text: object) -> bytes | None:
            nonlocal unread
            plain = keys.open(text)
            unread += plain is None
            return None if plain is None else keys.seal(plain, keys.first)

        if not self._store.reseal(again, before, keys.first):
            raise VaultError(
                f"{self._store.name}: another process rotated the key at the same time. Nothing was changed."
            )
        self._mark = keys.first
        self._keys = keys if by_hand else keys.only_first()
        if unread:
            warnings.warn(
                f"{unread} of the tokens in {self._store.name} cannot be read and were left as they are. firm.tokens() "
                'names their users as "damaged": sign them in again, or remove them.',
                stacklevel=2,
            )

    # Below: what the rooms around it build on.

    def take(self, shelf: Shelf, user_id: int) -> Grant | None:
        """Return one user's grant, or None."""
        now = waiting.now()
        row = self._store.read(shelf, user_id)
        return None if row is None else self._opened(shelf, row, now)

    def still(self, shelf: Shelf, grant: Grant) -> bool:
        """Whether a grant was read a short time ago and not changed in this process since, in no vault of it."""
        if abs(waiting.now() - grant.read_at) >= LOOK:
            return False
        changed = _changed.get((shelf, grant.user.id))
        return changed is None or changed < grant.read_at

    def keep_all(self, grants: Iterable[tuple[Shelf, Grant]]) -> None:
        """Keep many grants, all or none."""
        several = list(grants)
        self._write(lambda: self._store.put([(shelf, self._row(shelf, grant)) for shelf, grant in several], self._mark))
        _note_change([(shelf, grant.user.id) for shelf, grant in several])

    def swap(self, shelf: Shelf, grant: Grant) -> bool:
        """Keep a renewed grant if nobody changed it since ``grant.version`` was read."""
        return self._write(lambda: self._store.swap(shelf, self._row(shelf, grant), self._mark))

    def note_trouble(self, shelf: Shelf, grant: Grant, trouble: str) -> bool:
        """Keep only why a grant is of no use any more, if nobody changed it since."""
        return self._store.note(shelf, grant.user.id, grant.version, trouble)

    def lease(self, shelf: Shelf, user_id: int, owner: str, seconds: float) -> bool:
        """Take the sole right to renew one grant, among all processes; False while another has it."""
        return self._store.lease(shelf, user_id, owner, seconds)

    def release(self, shelf: Shelf, user_id: int, owner: str) -> None:
        """Give that right back."""
        self._store.release(shelf, user_id, owner)

    def _row(self, shelf: Shelf, grant: Grant) -> Row:
        return sealed(self._keys, self._mark, shelf, grant)

    def _write(self, write: Callable[[], bool]) -> bool:
        """Write; if another process rotated the key meanwhile, seal under the new one and write again."""
        if write():
            return True
        before, self._mark = self._mark, self._sealed_under()
        return self._mark != before and write()

    def _opened(self, shelf: Shelf, row: Row, read_at: float) -> Grant:
        grant = opened(self._keys, shelf, row, read_at)
        if grant is None:
            self._mark = self._sealed_under()  # which raises when it is the key that is wrong, and not this row
            grant = opened(self._keys, shelf, row, read_at)
        return damaged(row, read_at) if grant is None else grant

    def _sealed_under(self) -> str:
        """Return the mark of the key that seals the store, looking for it again if another process made it."""
        mark = self._store.mark(self._keys.first)
        if mark not in self._keys and self._find is not None:
            self._keys = self._find() or self._keys
        if mark not in self._keys:
            raise VaultError(_NO_KEY.format(self._store.name))
        return mark


_NO_KEY: Final = (
    "{}: the key does not open it. Give the key that sealed it (keyring, CLIO_NB_KEY or key file); nothing was changed."
)


LOOK: Final = 30.0  # seconds after which a session looks whether its token was changed by another process
_changed: Final[dict[tuple[Shelf, int], float]] = {}


def _note_change(keys: list[tuple[Shelf, int]]) -> None:
    """Remember for as long as it matters what was changed in this process, by whichever of its vaults."""
    now = waiting.now()
    for key in [key for key, at in list(_changed.items()) if abs(now - at) >= LOOK]:
        _changed.pop(key, None)
    _changed.update(dict.fromkeys(keys, now))


def shelf_of(site: Site, firm: str) -> Shelf:
    """Return the shelf of a firm. A sandbox is no region: its tokens lie under its own address."""
    at_clio = site.origin == site.region.origin
    return Shelf(site.region.value if at_clio else site.origin, site.client_id, firm)


def _store_at(where: str | Path | Secret | None) -> Store:
    from .database import postgresql_store, sqlite_store  # noqa: PLC0415 -- a database is loaded only for a vault that stays

    if isinstance(where, Secret) and "://" in where.reveal():
        if not where.reveal().startswith(("postgresql://", "postgres://", "postgresql+psycopg://")):
            raise VaultError("A vault is opened at a path (SQLite) or at a postgresql:// address; this is neither.")
        return postgresql_store(Secret(where.reveal().replace("postgres://", "postgresql://", 1)))
    path = Path(where.reveal() if isinstance(where, Secret) else where) if where else None
    return sqlite_store(path or platformdirs.user_data_path("clio-nb") / "vault.sqlite")
