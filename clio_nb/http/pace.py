"""One token's budget of requests, as arithmetic: when the next request may go so that Clio never answers 429.

Clio counts per access token in windows of 60 s and says in every answer what is left (reference, "Rate Limiting").
Until it has said so, the lowest documented budget holds: 50 a minute.
"""

from __future__ import annotations

from typing import Final

from .messages import Rate

WINDOW: Final = 60.0
LOWEST: Final = 50
LONGEST_WAIT: Final = 2 * WINDOW  # no header can make us wait longer


class Pace:
    """Counts one token's requests. Times are seconds of one monotonic clock that the caller reads.

    ``window`` numbers the current window: an answer to a request of an earlier one says nothing about its budget.
    """

    def __init__(self) -> None:
        self.window = 0
        self._limit = LOWEST
        self._sent = 0
        self.in_flight = 0
        self._left_at_clio = LOWEST
        self._ends_at: float | None = None

    def take(self, now: float) -> float:
        """Take one request from the budget; returns 0, or the seconds to wait before asking again."""
        if self._ends_at is None or now >= self._ends_at:
            self._open_window(now)
        if min(self._limit - self._sent, self._left_at_clio) <= 0:
            assert self._ends_at is not None  # noqa: S101 -- set by _open_window, for mypy
            return max(self._ends_at - now, 0.01)
        self._sent += 1
        self._left_at_clio -= 1
        self.in_flight += 1
        return 0.0

    def _open_window(self, now: float) -> None:
        """Begin a window. Requests still under way may fall into it, so they count."""
        self.window += 1
        self._sent = self.in_flight
        self._left_at_clio = self._limit - self._sent
        self._ends_at = now + WINDOW

    def answered(self, window: int, now: float, rate: Rate | None) -> None:
        """Count a request of that window as over, with what its answer said of the budget."""
        self.in_flight -= 1
        if rate is None or window != self.window:
            return
        if rate.limit != self._limit:
            self._limit = max(rate.limit, 1)
            self._left_at_clio = self._limit
        self._left_at_clio = min(self._left_at_clio, max(rate.remaining, 0))
        self._ends_at = now + min(rate.resets_in, LONGEST_WAIT)

    def refused(self, now: float, wait: float | None) -> None:
        """Clio answered 429: nothing more before the wait that it asks for is over (a window, when it names none)."""
        self._left_at_clio = 0
        self._ends_at = now + min(WINDOW if wait is None else max(wait, 0.01), LONGEST_WAIT)
