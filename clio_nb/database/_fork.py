"""What no fork may copy: a database connection belongs to the process that opened it.

SQLite keeps its locks in memory too, and a child that has only those writes unprotected
(https://sqlite.org/howtocorrupt.html, 2.6). So files are closed in the parent for the moment of the fork, and both open
them again when they need them. Connections to a server stay the parent's: the child forgets them.
"""

from __future__ import annotations

import concurrent.futures.thread  # noqa: F401 -- its own hook must not be installed in the middle of a fork
import os
import threading
from typing import Final
from weakref import WeakSet


class Unshared:
    """Something with connections. Hold ``use`` while a file is used; :meth:`part` runs, with it held, before a fork."""

    def __init__(self) -> None:
        self.use: Final = threading.RLock()
        with _forking:
            _all.add(self)

    def part(self) -> None:
        """Close what a child must not inherit."""

    def forget(self) -> None:
        """In the child, forget what is the parent's without closing it."""


_all: Final[WeakSet[Unshared]] = WeakSet()
_held: Final[list[Unshared]] = []
_forking: Final = threading.RLock()


def _before() -> None:
    _forking.acquire()
    for each in list(_all):
        each.use.acquire()
        _held.append(each)
        each.part()


def _after() -> None:
    while _held:
        _held.pop().use.release()
    _forking.release()


def _after_in_child() -> None:
    for each in _held:
        each.forget()
    _after()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_after, after_in_child=_after_in_child)
