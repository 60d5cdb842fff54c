"""A launch is proved once for all processes that share a vault: the first to claim its nonce there sends it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Final, Protocol

from ..errors import VaultError
from ..launches.proof.sessions import Sessions

CLAIMED_FOR: Final = 120.0
"""Seconds: twice a nonce's life. After that Clio refuses it in any case."""

_log: Final = logging.getLogger("clio_nb.launches")


class Ledger(Protocol):
    """What a claim needs of the ledger of a vault."""

    def claim(self, kind: str, digest: bytes, seconds: float) -> bool:
        """Return True to the first who claims this digest anywhere within so many seconds, False to all others."""


class Claims:
    """Claims nonces in the ledger of the vault that ``sessions`` come from; where there is none, grants them all."""

    def __init__(self, sessions: Sessions) -> None:
        vault = getattr(getattr(sessions, "aio", sessions), "vault", None)
        self._ledger: Ledger | None = getattr(vault, "ledger", None) if getattr(vault, "lasting", False) else None
        self._said = False

    async def first(self, digests: list[bytes]) -> bool:
        """Whether nobody has claimed any of these digests of one nonce before."""
        if self._ledger is None:
            self._say(logging.INFO, "There is no vault that outlives this process")
            return True
        try:
            return await asyncio.to_thread(claim_all, self._ledger, "launch", digests, CLAIMED_FOR)
        except VaultError as error:
            self._say(logging.WARNING, str(error))
            return True

    def _say(self, level: int, why: str) -> None:
        if not self._said:
            _log.log(level, "Each process proves a launch once, not all of them together: %s", why)
        self._said = True


def claim_all(ledger: Ledger, kind: str, digests: Iterable[bytes], seconds: float) -> bool:
    """Return True to the first who claims any of these digests of one thing: by each key, while keys are replaced."""
    claimed = [ledger.claim(kind, digest, seconds) for digest in digests]  # each, whichever of them was claimed
    return all(claimed)
