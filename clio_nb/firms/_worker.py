"""One firm's task in another process, which has the vault's password, its key and the app's secret from elsewhere.

A task comes with names alone. What is missing here is said in the firm's row, with the name of this worker.
"""

from __future__ import annotations

import functools
import os
import socket
from pathlib import Path

from ..database.database import Database
from ..errors import ClioError, InvalidInput, VaultError
from ..firm.apply._user_run import Stop
from ..firm.async_firm import AsyncFirm
from ..http import loop, timeouts
from ..login import connect
from ..secret import Secret
from ..vault import Vault
from ..vault.keys import VARIABLE, find_keys
from ..vault.vault import WHERE, database_at
from ._one import carried_out
from ._task import FirmName, Task
from .report import FirmRow


def on_worker(task: Task) -> FirmRow:
    """Do a task, and return the firm's row. It may run twice: the ledger sees to it that no change is made twice."""
    try:
        firm = _firm_here(task.of, task.vault)
    except ClioError as error:
        return task.row(error=f"Worker {socket.gethostname()} (process {os.getpid()}): {error}")
    with timeouts.timeout(task.seconds):
        return loop.run(carried_out, firm, task, Stop())


def _firm_here(of: FirmName, address: str) -> AsyncFirm:
    site = connect(of.site)
    if site.client_id != of.client_id:
        raise InvalidInput(f"its app in {of.region} is {site.client_id}, and this firm is of {of.client_id}.")
    return AsyncFirm(site, _vault_at(address), name=of.name)


@functools.cache
def _vault_at(address: str) -> Vault:
    """Open the vault once for all tasks here, with what this process's environment has."""
    keys = find_keys()
    if keys is None:
        raise VaultError(f"it has no key of the vault. Set {VARIABLE} for this worker.")
    vault = Vault(_database_at(address), keys, find=find_keys)
    try:
        vault.sealed.check()
    except VaultError as error:
        if "password" not in str(error):
            raise
        said = f"Set {WHERE} to the whole address for this worker, or PGPASSWORD. {error}"
        raise VaultError(f"it has no password of the vault, or a wrong one. {said}") from None
    return vault


def _database_at(address: str) -> Database:
    if "://" not in address:
        if not Path(address).exists():
            raise VaultError(f"there is no file {address} here. A vault for several machines is in PostgreSQL.")
        return Database(Path(address))
    own = os.environ.get(WHERE, "")
    if "://" in own and (database := database_at(Secret(own))).address == address:
        return database
    return database_at(Secret(address))
