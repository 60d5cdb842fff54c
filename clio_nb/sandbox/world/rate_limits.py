"""The rate limit: so many requests per access token in a fixed window of 60 seconds."""

from __future__ import annotations

import math
from typing import Final

from ..clock import Clock
from ..http.answers import Headers, Refusal

WINDOW: Final = 60.0  # seconds of one window (Clio's documentation, rate limits)

_HELD_MAX: Final = 20_000


class RateLimit:
    """Count the requests of each token. ``limit`` may be changed at any time, as at Clio when peak hours begin."""

    def __init__(self, clock: Clock, limit: int | None) -> None:
        self._clock = clock
        self.limit = limit
        self._windows: dict[str, tuple[float, int]] = {}

    def count(self, token: str, refusal_type: str) -> Headers:
        """Count a request and return the three rate headers; raise 429 with Retry-After when the window is full."""
        if self.limit is None:
            return []
        now = self._clock.now()
        began, used = self._windows.get(token, (now, 0))
        if now >= began + WINDOW:
            began, used = now, 0
        full = used >= self.limit
        if not full:
            used += 1
            if len(self._windows) >= _HELD_MAX:
                self._drop_old(now)
            self._windows[token] = (began, used)
        ends = began + WINDOW
        headers = [
            (b"x-ratelimit-limit", b"%d" % self.limit),
            (b"x-ratelimit-remaining", b"%d" % max(0, self.limit - used)),
            (b"x-ratelimit-reset", b"%d" % math.ceil(ends)),
        ]
        if full:
            wait = max(1, math.ceil(ends - now))
            headers.append((b"retry-after", b"%d" % wait))
            raise Refusal(429, refusal_type, f"Too many requests. Please wait {wait} seconds.", headers)
        return headers

    def clear(self) -> None:
        """Begin every window anew."""
        self._windows.clear()

    def _drop_old(self, now: float) -> None:
        self._windows = {token: window for token, window in self._windows.items() if now < window[0] + WINDOW}
