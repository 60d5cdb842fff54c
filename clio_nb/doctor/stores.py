"""Where keys, tokens and the ledger are, and whether they can be used. Nothing is made, and nothing is changed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..database.database import Database
from ..errors import VaultError
from ..models import Site
from ..secret import Secret
from ..vault import Vault
from ..vault._sealed import keys_of
from ..vault.keys import InFile, InKeyring, Keys, KeyStore, NoKeyring, key_stores
from ..vault.vault import database_at
from .check import NOT_CHECKED, Check, failed

if TYPE_CHECKING:
    from ..vault import Grant

PART: Final = "Keys and tokens"
ROOM: Final = 10_000_000  # bytes that the disk of a vault must have left
_SIGN_IN: Final = "Run: clio-nb login"
_SHOWN: Final = 3  # users that are named


def keyring() -> Check:
    """Look for the keyring of this system."""
    try:
        InKeyring().read()
    except NoKeyring:
        return Check(PART, "keyring", True, "This system has none, as is usual on a server.")
    except VaultError as error:
        said = failed(PART, "keyring", error)
        fix = "The key is kept elsewhere meanwhile. Repair it, or do without: set PYTHON_KEYRING_BACKEND="
        return Check(PART, "keyring", False, said.sentence, f"{fix}keyring.backends.fail.Keyring")
    import keyring as package  # noqa: PLC0415 -- it is there, as it was asked just now

    return Check(PART, "keyring", True, f"{package.get_keyring().name} can be read.")


def key() -> tuple[Check, Keys | None]:
    """Look for the key, and return all that are found."""
    found: list[tuple[KeyStore, Secret]] = []
    wrong: VaultError | None = None
    for store in key_stores():
        try:
            texts = store.read()
        except VaultError as error:
            wrong = wrong if isinstance(store, InKeyring) else error
        else:
            found += [(store, texts)] if texts is not None else []
    try:
        keys = Keys(found) if found else None
    except VaultError as error:
        return failed(PART, "key", error), None
    if wrong is not None:
        return failed(PART, "key", wrong), keys
    if keys is not None:
        return Check(PART, "key", True, f"In {keys.store.name}."), keys
    return _no_key(), None


def _no_key() -> Check:
    made = "None yet: it is made when the first user signs in."
    try:
        InKeyring().read()
    except VaultError:
        path = InFile().path
        if why := _cannot_be_made(path):
            fix = "Set CLIO_NB_KEY; python -c 'from clio_nb.vault import new_key; print(new_key().reveal())' makes one."
            return Check(PART, "key", False, f"There is none, and {path} cannot be made: {why}.", fix)
    return Check(PART, "key", None, made)


def vault(where: str | Path | None, keys: Keys | None) -> tuple[Check, Vault | None]:
    """Look at the vault, and return it where it can be read."""
    try:
        database = database_at(Secret(where) if isinstance(where, str) else where)
        path = database.path
        if path is not None and not os.path.lexists(path):
            if why := _cannot_be_made(path):
                fix = "Choose another path with --vault or CLIO_NB_VAULT."
                return Check(PART, "vault", False, f"{path} cannot be made: {why}.", fix), None
            return Check(PART, "vault", None, f"None yet: {path} is made when the first user signs in."), None
        return _opened(database, keys)
    except VaultError as error:
        return failed(PART, "vault", error), None


def _opened(database: Database, keys: Keys | None) -> tuple[Check, Vault | None]:
    from ..vault.store import Store  # noqa: PLC0415 -- SQLAlchemy is loaded at the first use

    if not database.is_current():
        said = f"{database.name}. Its tables are made or upgraded when a command opens it first."
        return Check(PART, "vault", None, said), None
    if Store(database).sealed_under() is None:
        return Check(PART, "vault", True, f"{database.name}. It holds no token yet."), Vault(database, keys)
    opened = Vault(database, keys or keys_of(database, None))
    opened.sealed.check()
    if database.path is not None and shutil.disk_usage(database.path.parent).free < ROOM:
        said = f"The disk of {database.path} is full."
        return Check(PART, "vault", False, said, "Free some space: a renewed token could not be kept."), opened
    return Check(PART, "vault", True, f"{database.name}. The key opens it."), opened


def ledger(opened: Vault | None) -> Check:
    """See whether the ledger, and with it the vault, can be written to: by changes to no row."""
    if opened is None:
        return Check(PART, "ledger", None, f"{NOT_CHECKED}: it is in the vault.")
    import sqlalchemy as sa  # noqa: PLC0415 -- as above

    from ..database import schema  # noqa: PLC0415 -- as above

    try:
        with opened.database.transaction(write=True) as database:
            for table in schema.meta.sorted_tables:
                nothing = sa.select(*table.columns).where(sa.false())
                database.execute(sa.insert(table).from_select(list(table.columns.keys()), nothing))
                database.execute(sa.update(table).values({table.columns[0]: table.columns[0]}).where(sa.false()))
                database.execute(sa.delete(table).where(sa.false()))
    except VaultError as error:
        said = failed(PART, "ledger", error)
        why = "Until then launches can be verified, but no user can sign in and no change can be made."
        return Check(PART, "ledger", False, said.sentence, f"{said.fix.removesuffix(' Nothing was changed.')} {why}")
    return Check(PART, "ledger", True, "It can be written to.")


def _cannot_be_made(path: Path) -> str:
    """Say why a file that is not there cannot be made, without making it; nothing where it can."""
    folder = next(each for each in path.absolute().parents if os.path.lexists(each))
    if not folder.is_dir():
        return f"{folder} is not a folder"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"{folder} cannot be written to"
    disk = shutil.disk_usage(folder)
    if not disk.total:
        return f"{folder} keeps no files"  # /proc and its like
    return "the disk is full" if disk.free < ROOM else ""


def users(site: Site, opened: Vault | None) -> tuple[Check, Grant | None]:
    """Look for users who have signed in, and return what the vault holds of one."""
    if opened is None:
        return Check(PART, "users", False, "No user has signed in: there is no vault.", _SIGN_IN), None
    try:
        grants = [grant for firm in opened.firms(site) for grant in opened.grants(site, firm=firm)]
        elsewhere = sorted(set(opened.elsewhere(site).values()))
    except VaultError as error:
        return failed(PART, "users", error), None
    works = next((grant for grant in grants if not grant.problem), None)
    if works is None and not grants:
        said = f"No user has signed in to this app in region {site.region.value}."
        if elsewhere:
            said += f" There are tokens of region {', '.join(elsewhere)}."
        return Check(PART, "users", False, said, "Set CLIO_NB_SITE to that region." if elsewhere else _SIGN_IN), None
    ended = [f"{grant.user} ({grant.problem})" for grant in grants if grant.problem]
    if not ended:
        return Check(PART, "users", True, f"{len(grants)} signed in."), works
    named = ", ".join(ended[:_SHOWN]) + (f" and {len(ended) - _SHOWN} more" if len(ended) > _SHOWN else "")
    said = f"{len(ended)} of {len(grants)} have to sign in again: {named}."
    return Check(PART, "users", None if works else False, said, _SIGN_IN), works
