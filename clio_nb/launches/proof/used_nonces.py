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

from ...http import waiting
from ...vocabulary import NONCE_LIFETIME
from ..report import Launch
from .confirmation import Confirmation

KEPT: Final = 2 * NONCE_LIFETIME
"""Seconds that a nonce is remembered. After that Clio refuses it in any case."""

CAPACITY: Final = 10_000

_Asking = asyncio.Task[Confirmation]


class _Group:
    """All who ask about one nonce at the same time, and what Clio is asked for them. It ends with the last of them."""

    def __init__(self) -> None:
        self.asking: dict[bytes, _Asking] = {}


class Asker:
    """One who asks about a nonce: gets what was not known yet when he came."""

    def __init__(self, group: _Group) -> None:
        self.group: Final = group
        self.known: Final = {asking for asking in list(group.asking.values()) if asking.done()}


class Seen:
    """Remembers nonces by a digest. People join in any thread; all else is done on the library's loop."""

    def __init__(self) -> None:
        self._entries: OrderedDict[bytes, float] = OrderedDict()
        self._groups: WeakValueDictionary[bytes, _Group] = WeakValueDictionary()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def join(self, launch: Launch) -> Asker:
        """Note that somebody asks about a launch, before anything is waited for."""
        with self._lock:
            return Asker(self._groups.setdefault(_digest(launch.nonce.reveal()), _Group()))

    async def once(
        self, asker: Asker, app: str, launch: Launch, make: Callable[[], Confirmation]
    ) -> Confirmation | None:
        """Have Clio confirm a launch for an app; None when its nonce was sent before.

        All who joined before the answer was known, for the same app and launch, get that one answer. A nonce that was
        not sent in the end is forgotten, so that the launch can be tried again.
        """
        self._forget_old()
        nonce = _digest(app, launch.nonce.reveal())
        said = _digest(app, f"{launch.custom_action_id} {launch.user_id} {launch.subject.path}")
        asking = asker.group.asking.get(said)
        if asking is None or asking in asker.known:
            if nonce in self._entries:
                return None
            self._entries[nonce] = waiting.now()
            asking = asker.group.asking[said] = asyncio.create_task(make().ask())
            asking.add_done_callback(functools.partial(self._settle, nonce, self._entries[nonce]))
        return await asyncio.shield(asking)  # one who gives up must not end it for the others

    def clear(self) -> None:
        """Forget all, as a new process would."""
        self._entries.clear()
        self._groups.clear()
        self._lock = threading.Lock()

    def _settle(self, nonce: bytes, since: float, asking: _Asking) -> None:
        failed = asking.cancelled() or asking.exception() is not None
        if not failed and not asking.result().nonce_sent and self._entries.get(nonce) == since:
            del self._entries[nonce]

    def _forget_old(self) -> None:
        oldest = waiting.now() - KEPT
        while self._entries and (len(self._entries) >= CAPACITY or next(iter(self._entries.values())) < oldest):
            self._entries.popitem(last=False)


def _digest(*texts: str) -> bytes:
    return hashlib.sha256("\0".join(texts).encode()).digest()


seen: Final = Seen()
"""The memory of this process."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=seen.clear)
