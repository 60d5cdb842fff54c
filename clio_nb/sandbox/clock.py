"""The one virtual clock of a sandbox: nonces, codes, tokens, rate windows and the Date header live by it."""

from __future__ import annotations

import datetime as dt
import time
from email.utils import formatdate
from typing import Final, Literal, get_args

ClockMode = Literal["frozen", "advancing", "real"]

START: Final = dt.datetime(2026, 1, 15, 17, 0, tzinfo=dt.UTC).timestamp()
"""Where a frozen or advancing clock begins: 2026-01-15T17:00:00Z, a Thursday morning in peak hours."""

_END: Final = dt.datetime(9000, 1, 1, tzinfo=dt.UTC).timestamp()


class Clock:
    """Tell the time of a sandbox, in seconds since the epoch.

    ``frozen`` stands still until :meth:`advance`; ``advancing`` starts at the same moment and runs; ``real`` is the
    time of day. Any of them can be advanced, none goes back.
    """

    def __init__(self, mode: ClockMode = "frozen") -> None:
        if mode not in get_args(ClockMode):
            raise ValueError(f"{mode!r} is no clock; choose one of: {', '.join(get_args(ClockMode))}.")
        self.mode: Final = mode
        self.restart()
        self._dated = (-1, b"")

    def restart(self, shifted: float = 0.0) -> None:
        """Go back to the beginning, or to so many seconds after it."""
        self.shifted = shifted
        self._since = time.monotonic()

    def now(self) -> float:
        """Return the time in seconds since the epoch."""
        if self.mode == "frozen":
            return START + self.shifted
        if self.mode == "real":
            return time.time() + self.shifted
        return START + self.shifted + time.monotonic() - self._since

    def advance(self, seconds: float) -> float:
        """Move forward by so many seconds and return the new time; raise ValueError for anything but a step forward."""
        if not 0 <= seconds < _END - self.now():
            raise ValueError("A clock advances by a number of seconds, 0 or more, and stays within this age.")
        self.shifted += seconds
        return self.now()

    def http_date(self) -> bytes:
        """Return the time as the Date header wants it."""
        second = int(self.now())
        if second != self._dated[0]:
            self._dated = (second, formatdate(second, usegmt=True).encode())
        return self._dated[1]


def iso(seconds: float) -> str:
    """Return a time as Clio's ISO-8601 text: ``2026-01-15T17:00:00Z``."""
    return dt.datetime.fromtimestamp(int(seconds), dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
