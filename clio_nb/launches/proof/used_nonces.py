"""The nonces that this process has sent or is sending, so that one nonce makes one request. Bounded."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final
from weakref import WeakValueDictionary

from ...http import timeouts
from ...vocabulary import NONCE_LIFETIME
from ..report import Launch
from .confirmation import Confirmation

KEPT: Final = 2 * NONCE_LIFETIME
"""Seconds that a nonce is remembered. After that Clio refuses it in any case."""

CAPACITY: Final = 10_000

_Asking = asyncio.Task[Confirmation]


class _Group:
    """The callers who ask about one nonce at the same time, and what Clio is asked for them."""

    def __init__(self) -> None:
        self.asking: dict[bytes, _Asking] = {}


class Asker:
    """One caller who asks about a nonce. It shares every answer that was not known yet when it joined."""

    def __init__(self, group: _Group) -> None:
        self.group: Final = group
        self.answered: Final = {asking for asking in list(group.asking.values()) if asking.done()}


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

    async def once(
        self, asker: Asker, app: str, launch: Launch, make: Callable[[], Confirmation]
    ) -> Confirmation | None:
        """Have Clio confirm a launch for an app; None when its nonce was sent before.

        All who joined before the answer was known, for the same app and launch, get that one answer. Each waits as
        long as its own timeouts allow, which end nothing for the others; then it raises :class:`errors.NetworkError`.
        A nonce that was not sent in the end is forgotten, so that the launch can be tried again.
        """
        self._forget_old()
        nonce = _digest(app, launch.nonce.reveal())
        said = _digest(app, f"{launch.custom_action_id} {launch.user_id} {launch.subject.path}")
        asking = asker.group.asking.get(said)
        if asking is None or asking in asker.answered:
            if nonce in self._entries:
                return None
            self._entries[nonce] = timeouts.now()
            asking = asker.group.asking[said] = timeouts.apart(make().ask())
            asking.add_done_callback(functools.partial(self._settle, nonce, self._entries[nonce]))
        return await timeouts.within(asyncio.shield(asking), "Clio's answer")

    def clear(self) -> None:
        """Forget everything, as a new process would."""
        self._entries.clear()
        self._groups.clear()
        self._lock = threading.Lock()

    def _settle(self, nonce: bytes, since: float, asking: _Asking) -> None:
        failed = asking.cancelled() or asking.exception() is not None
        if not failed and not asking.result().nonce_sent and self._entries.get(nonce) == since:
            del self._entries[nonce]

    def _forget_old(self) -> None:
        oldest = timeouts.now() - KEPT
        while self._entries and (len(self._entries) >= CAPACITY or next(iter(self._entries.values())) < oldest):
            self._entries.popitem(last=False)


def _digest(*texts: str) -> bytes:
    return hashlib.sha256("\0".join(texts).encode()).digest()


used_nonces: Final = UsedNonces()
"""Those of this process."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=used_nonces.clear)
