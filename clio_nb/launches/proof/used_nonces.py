"""The nonces that this process has sent or is sending, so that one nonce makes one request. Bounded."""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
from collections import OrderedDict
from typing import Final, NamedTuple
from weakref import WeakValueDictionary

from ...http import timeouts
from ...vocabulary import NONCE_LIFETIME
from ..report import Launch
from .confirmation import Confirmation

REMEMBERED_FOR: Final = 2 * NONCE_LIFETIME
"""Seconds that a nonce is remembered. After that Clio refuses it in any case."""

NONCES_MAX: Final = 10_000


class Shared(NamedTuple):
    """What Clio is asked for several callers, and the task that asks."""

    confirmation: Confirmation
    asking: asyncio.Task[None]

    async def answer(self) -> None:
        """Wait for Clio's answer. Raises :class:`errors.NetworkError` when this caller's timeout ends before."""
        await timeouts.within(asyncio.shield(self.asking), "Clio's answer")


class _Group(dict[bytes, Shared]):
    """What Clio is asked about one nonce at the same time, by what the callers said. It can be referred to weakly."""


class Asker:
    """One caller who asks about a nonce. It shares every answer that was not known yet when it joined."""

    def __init__(self, group: _Group) -> None:
        self.group: Final = group
        self.answered: Final = {shared.asking for shared in list(group.values()) if shared.asking.done()}


class UsedNonces:
    """Remembers nonces by a digest. Callers join in any thread; everything else runs on the library's loop."""

    def __init__(self) -> None:
        self._entries: OrderedDict[bytes, float] = OrderedDict()
        self._groups: WeakValueDictionary[bytes, _Group] = WeakValueDictionary()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def join(self, launch: Launch) -> Asker:
        """Register a caller who asks about a launch, before anything is waited for."""
        with self._lock:
            return Asker(self._groups.setdefault(_digest(launch.nonce.reveal()), _Group()))

    def has(self, app: str, launch: Launch) -> bool:
        """Whether the nonce of a launch was sent for an app, or is being sent."""
        return _digest(app, launch.nonce.reveal()) in self._entries

    def share(self, asker: Asker, app: str, mine: Confirmation) -> Shared | None:
        """Return what to wait for: my confirmation, begun now, or another's; None when the nonce was sent before.

        All who joined before the answer was known, for the same app and launch, share one. No caller's timeout ends it.
        """
        self._forget_old()
        launch = mine.launch
        nonce = _digest(app, launch.nonce.reveal())
        said = _digest(app, f"{launch.custom_action_id} {launch.user_id} {launch.subject.path}")
        shared = asker.group.get(said)
        if shared is None or shared.asking in asker.answered:
            if nonce in self._entries:
                return None
            self._entries[nonce] = timeouts.now()
            shared = asker.group[said] = Shared(mine, timeouts.apart(self._ask(nonce, mine, asker.group)))
        return shared

    async def _ask(self, nonce: bytes, mine: Confirmation, _: _Group) -> None:
        """Ask Clio, and forget a nonce that was not sent in the end. Whoever asks meanwhile finds the group."""
        since = self._entries[nonce]
        await mine.ask()
        if not mine.nonce_sent and self._entries.get(nonce) == since:
            del self._entries[nonce]

    def clear(self) -> None:
        """Forget everything, as a new process would."""
        self._entries.clear()
        self._groups.clear()
        self._lock = threading.Lock()

    def _forget_old(self) -> None:
        oldest = timeouts.now() - REMEMBERED_FOR
        while self._entries and (len(self._entries) >= NONCES_MAX or next(iter(self._entries.values())) < oldest):
            self._entries.popitem(last=False)


def _digest(*texts: str) -> bytes:
    return hashlib.sha256("\0".join(texts).encode()).digest()


used_nonces: Final = UsedNonces()  # those of this process

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=used_nonces.clear)
