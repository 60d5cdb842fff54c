"""The vault: every user's token, sealed, by firm."""

from __future__ import annotations

import functools
import os
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, SupportsIndex
from weakref import WeakValueDictionary

from .. import events
from ..database._private_files import own_file
from ..database.database import Database
from ..database.firm_key import FirmKey
from ..errors import InvalidInput, VaultError
from ..models import Site, Token, User
from ..secret import Secret
from ..tracebacks import verbs
from ..vocabulary import Region
from ._grants import Grant, id_of_user
from ._sealed import SealedGrants, keys_of
from .keys import VARIABLE, Keys, find_keys, passing_keys
from .refresh import VaultTokens

if TYPE_CHECKING:
    from ..ledger.ledger import Ledger

FIRM: Final = "default"
LONGEST: Final = 200  # characters of a firm's name, in the database
WHERE: Final = "CLIO_NB_VAULT"  # in the environment: where the vault is


@verbs
class Vault:
    """Where tokens live: in memory, in a SQLite file, or in PostgreSQL. Sealed in all three.

    ``Vault()`` ends with this process; :meth:`open` gives one that stays. Tokens are kept by region, client id and
    firm; ``firm`` is a name that you choose, needed only when one vault serves several.

    Args:
        database: Where the sealed rows are, opened at its first use; by default in memory.
        keys: What seals them; by default a key that ends with this process.
        find: Looks for the keys again, when another process may have changed them.

    Raises:
        errors.VaultError: The store fails. Every verb can raise this; then nothing was changed.

    Examples:
        >>> vault = clio.Vault()
        >>> vault
        <Vault in memory (ends with this process), sealed with the key in this process alone>
        >>> clio.Firm(site, vault).add(session).name
        'Odalys Hartwell-Oyelaran'
    """

    def __init__(
        self,
        database: Database | None = None,
        keys: Keys | None = None,
        *,
        find: Callable[[], Keys | None] | None = None,
    ) -> None:
        self.database: Final = database or Database()
        self.sealed: Final = SealedGrants(self.database, keys or passing_keys(), find)
        self._sources: WeakValueDictionary[tuple[FirmKey, int], VaultTokens] = WeakValueDictionary()

    @classmethod
    def open(cls, where: str | Path | Secret | None = None, *, key_file: Path | None = None) -> Vault:
        """Open the vault that stays.

        The key comes from the system's keyring, from ``CLIO_NB_KEY``, or from a key file, in this order. A new vault
        makes one when there is none. Where no key can be kept, the vault stays in memory, with a warning.

        Args:
            where: The path of a SQLite file, or a ``postgresql://`` address. Else what the environment's
                ``CLIO_NB_VAULT`` says, or this user's own file.
            key_file: The key file; by default ``vault.key`` in this user's settings folder.

        Returns:
            The vault. ``repr(vault)`` says where tokens and key are.

        Raises:
            errors.VaultError: The store cannot be opened, or the key does not open it.

        Examples:
            >>> from pathlib import Path
            >>> vault = clio.Vault.open("vault.sqlite", key_file=Path("vault.key"))
            >>> clio.Firm(site, vault).add(session).name
            'Odalys Hartwell-Oyelaran'
        """
        where = where or os.environ.get(WHERE) or None
        where = Secret(where) if isinstance(where, str) else where
        database = database_at(where)
        keys = keys_of(database, key_file)
        if keys is None:
            warnings.warn(
                f"The key cannot be kept: no keyring, no {VARIABLE}, no key file. The tokens stay in memory and end "
                "with this process.",
                stacklevel=3,
            )
            return cls()
        vault = cls(database, keys, find=lambda: find_keys(key_file))
        vault.sealed.check()
        return vault

    def __repr__(self) -> str:
        return f"<Vault in {self.database.name}, sealed with the key in {self.sealed.keys.store.name}>"

    @property
    def lasting(self) -> bool:
        """Whether it outlives this process."""
        return self.database.lasting

    @functools.cached_property
    def ledger(self) -> Ledger:
        """What was done with the tokens, what is being done, and what is ours: in the same database."""
        from ..ledger.ledger import Ledger  # noqa: PLC0415 -- SQLAlchemy is loaded at the first use

        return Ledger(self.database)

    def close(self) -> None:
        """Close the file or the connections. The vault can still be used: it opens them again.

        Examples:
            >>> firm.vault.close()
        """
        self.database.close()

    def keep(self, site: Site, user: User, token: Token, *, firm: str = FIRM) -> None:
        """Keep a user's token, in place of an older one.

        Args:
            site: The app and Clio that the token is of.
            user: The user.
            token: The token.
            firm: The firm, when the vault serves several.

        Examples:
            >>> vault = clio.Vault()
            >>> vault.keep(site, clio.who_am_i(session), clio.Token.of("from-your-store"))
            >>> vault.firms(site)
            ['default']
        """
        self.sealed.keep_all([(firm_key_of(site, firm), Grant(user, token))])

    def grant(self, site: Site, user_id: SupportsIndex, *, firm: str = FIRM) -> Grant | None:
        """Return what the vault holds of one user.

        Args:
            site: The app and Clio.
            user_id: Clio's id of the user.
            firm: The firm, when the vault serves several.

        Returns:
            The grant; None when there is none.

        Examples:
            >>> firm.vault.grant(site, site.users[0].id).token.access
            Secret(***)
        """
        return self.sealed.take(firm_key_of(site, firm), user_id)

    def grants(self, site: Site, *, firm: str = FIRM) -> Iterator[Grant]:
        """Give what the vault holds of a firm, in order of user id, without loading it all at once.

        Args:
            site: The app and Clio.
            firm: The firm, when the vault serves several.

        Returns:
            The grants. One that cannot be read has the problem "damaged" and an empty token: sign that user in again,
            or remove it.

        Examples:
            >>> [grant.problem for grant in firm.vault.grants(site)]
            ['', '', '', '', '']
        """
        yield from self.sealed.all(firm_key_of(site, firm))

    def remove(self, site: Site, user_id: SupportsIndex, *, firm: str = FIRM) -> None:
        """Delete a user's token. Clio is not told: revoke it first with the session's ``logout()``.

        Sessions that use it end: at once in this process, in any other when it looks again (every 30 seconds).

        Args:
            site: The app and Clio.
            user_id: Clio's id of the user.
            firm: The firm, when the vault serves several.

        Examples:
            >>> firm.vault.remove(site, site.users[0].id)
            >>> len(firm.tokens())
            4
        """
        self.sealed.remove(firm_key_of(site, firm), user_id)
        events.tell("disconnection", f"the token of user {user_id} is removed", user_id=id_of_user(user_id), firm=firm)

    def firms(self, site: Site) -> list[str]:
        """Return the names of the firms that have tokens here for this app.

        Args:
            site: The app and Clio.

        Returns:
            The names.

        Examples:
            >>> firm.vault.firms(site)
            ['default']
        """
        return list(self.sealed.store.tokens(firm_key_of(site, "").app))

    def firms_of(self, site: Site, user_id: SupportsIndex) -> list[str]:
        """Return the names of the firms in which a user of this app has a token here.

        Args:
            site: The app and Clio.
            user_id: Clio's id of the user.

        Returns:
            The names.

        Examples:
            >>> firm.vault.firms_of(site, site.users[0].id)
            ['default']
        """
        return self.sealed.store.firms_of(firm_key_of(site, "").app, id_of_user(user_id))

    def elsewhere(self, site: Site, *, firm: str = FIRM) -> dict[int, str]:
        """Return which users of this app and firm have a token for another region.

        Args:
            site: The app and Clio.
            firm: The firm, when the vault serves several.

        Returns:
            The region of that token, by user id.

        Examples:
            >>> firm.vault.elsewhere(site)
            {}
        """
        here = firm_key_of(site, firm)
        regions = {region.value for region in Region} - {here.site}
        others = [each for each in self.sealed.store.firm_keys() if each[1:] == here[1:] and each.site in regions]
        return {row.user_id: other.site for other in others for row in self.sealed.store.scan(other)}

    def source(
        self, site: Site, user_id: SupportsIndex, *, firm: str = FIRM, grant: Grant | None = None
    ) -> VaultTokens:
        """Return the token source of one user, for a :class:`Session` of your own: it reads and renews the token here.

        Args:
            site: The app and Clio.
            user_id: Clio's id of the user.
            firm: The firm, when the vault serves several.
            grant: What was read of the user already; it saves reading it again.

        Returns:
            The source: the same object at every call, so that a token is renewed once for all who use it.

        Examples:
            >>> source = firm.vault.source(site, site.users[0].id)
            >>> clio.who_am_i(clio.Session(site, source)).name
            'Odalys Hartwell-Oyelaran'
        """
        key = (firm_key_of(site, firm), id_of_user(user_id))
        source = self._sources.get(key)
        if source is None:
            source = self._sources[key] = VaultTokens(self.sealed, site, *key, grant)
        return source

    def rotate(self) -> None:
        """Seal everything under a new key and forget the old one.

        Both are kept until everything is resealed, so a crash on the way loses nothing; a second process that rotates
        waits. With ``CLIO_NB_KEY`` put the new key in front yourself (``NEW,OLD``), rotate, then drop the old one: no
        process can set a variable for the next one. What cannot be read stays as it is, with a warning. Another vault
        sealed with the same key can no longer be opened: rotate by ``CLIO_NB_KEY`` where several share it.

        Raises:
            errors.VaultError: The key was changed elsewhere at the same time, or cannot be kept. Nothing was changed.

        Examples:
            >>> firm.vault.rotate()
            >>> firm.tokens()["problem"].isna().all()
            np.True_
        """
        unread = self.sealed.rotate()
        if unread:
            warnings.warn(
                f"{unread} of the tokens in {self.database.name} cannot be read and were left as they are. "
                'firm.tokens() shows these users as "damaged": sign them in again, or remove them.',
                stacklevel=2,
            )


def firm_key_of(site: Site, firm: str) -> FirmKey:
    """Return what identifies a firm in a vault. A sandbox is not a region: its own address stands for one."""
    if not firm.isprintable() or len(firm) > LONGEST:
        raise InvalidInput(f"The name of a firm has up to {LONGEST} visible characters.", field="name")
    at_clio = site.origin == site.region.origin
    return FirmKey(site.region.value if at_clio else site.origin, site.client_id, firm)


_ADDRESS: Final = re.compile(r"[a-z][\w+.-]+:|[^/\\]*:[^/\\]*@|.*\bpassword\s*=", re.IGNORECASE | re.DOTALL)
"""What begins with a scheme, or may hold a password, is no path: a path is shown. ``C:`` is a drive."""


def database_at(where: str | Path | Secret | None) -> Database:
    """Return the database at a path or an address, not opened yet; by default this user's own file."""
    where = Secret(where.reveal().strip()) if isinstance(where, Secret) else where
    if isinstance(where, Secret) and _ADDRESS.match(where.reveal()):
        if not where.reveal().startswith(("postgresql://", "postgres://", "postgresql+psycopg://")):
            raise VaultError(
                "Unknown kind of vault address. Use the path of a SQLite file, or an address that begins with "
                "postgresql://, such as postgresql://user@host/database."
            )
        return Database(Secret(where.reveal().replace("postgres://", "postgresql://", 1)))
    path = Path(where.reveal() if isinstance(where, Secret) else where) if where else None
    return Database(path or own_file("vault.sqlite"))
