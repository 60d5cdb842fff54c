"""The launches that this process has proved or is proving, so that one nonce makes one request. Bounded."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import os
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from .. import portal
from ..places import NONCE_LIFETIME
from .report import Launch
from .verdict import Verdict

KEPT: Final = 2 * NONCE_LIFETIME
"""Seconds that a launch is remembered. After that Clio refuses its nonce in any case."""

CAPACITY: Final = 10_000


@dataclass(slots=True)
class _Entry:
    """One launch: a fingerprint of what it says beside its nonce, when it came, and the proof while under way."""

    fingerprint: bytes
    since: float
    proof: asyncio.Task[Verdict] | None


class Seen:
    """Remembers launches by a digest of the nonce. Used on the library's loop only, so it needs no lock."""

    def __init__(self) -> None:
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    async def once(
        self, launch: Launch, app: str, how: str, prove: Callable[[], Coroutine[Any, Any, Verdict]]
    ) -> Verdict | None:
        """Prove a launch for an app of Clio's, unless its nonce was sent before: then return None.

        Whoever asks for the same launch, for the same app and in the same way (``how``), while it is being proved gets
        the verdict of that one proof. A proof that ended before its nonce was sent is forgotten, so that the launch can
        be tried again.
        """
        self._forget_old()
        nonce = _digest(app, launch.nonce.reveal())
        fingerprint = _digest(how, f"{launch.custom_action_id} {launch.user_id} {launch.subject.path}")
        entry = self._entries.get(nonce)
        if entry is None:
            proof = asyncio.create_task(prove())
            entry = self._entries[nonce] = _Entry(fingerprint, portal.now(), proof)
            proof.add_done_callback(functools.partial(self._settle, nonce, entry))
        if entry.proof is None or entry.fingerprint != fingerprint:
            return None
        return await asyncio.shield(entry.proof)

    def clear(self) -> None:
        """Forget all, as a new process would."""
        self._entries.clear()

    def _settle(self, nonce: bytes, entry: _Entry, proof: asyncio.Task[Verdict]) -> None:
        entry.proof = None
        failed = proof.cancelled() or proof.exception() is not None
        if not failed and not proof.result().nonce_sent and self._entries.get(nonce) is entry:
            del self._entries[nonce]

    def _forget_old(self) -> None:
        oldest = portal.now() - KEPT
        while self._entries and (len(self._entries) >= CAPACITY or self._first().since < oldest):
            self._entries.popitem(last=False)

    def _first(self) -> _Entry:
        return next(iter(self._entries.values()))


def _digest(*texts: str) -> bytes:
    return hashlib.sha256("\0".join(texts).encode()).digest()


seen: Final = Seen()
"""The memory of this process."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=seen.clear)
