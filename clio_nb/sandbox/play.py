"""Plays how a firm uses its custom actions, day by day: those who click and who never do, a new hire, an attack.

A click mints a launch as Clio's screens do, and opens it as a browser would.
"""

from __future__ import annotations

import http.client
import random
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from ..vocabulary import Location
from .clock import Clock
from .firm.build import User
from .firm.rows import Row
from .world.state import State

DAY: Final = 86_400.0
FORGED: Final = 60  # launches of the attack
_OPENS_WITHIN: Final = 30.0  # seconds that a page has


class Play:
    """One firm, played for some days."""

    def __init__(self, state: State, days: int, seed: int, on_hire: Callable[[User], object] | None) -> None:
        if not (isinstance(days, int) and 1 <= days <= 3660):
            raise ValueError("days must be a whole number from 1 to 3660.")
        self._state = state
        self._clock: Clock = state.clock
        self._days = days
        self._chance = random.Random(seed)  # noqa: S311 -- a play, repeatable
        self._on_hire = on_hire
        first, *others = [user.id for user in state.users]
        clicking = [user_id for user_id in (first, *others) if user_id not in set(others[2::4])]
        self._habits = {user_id: self._chance.uniform(0.5, 3.0) for user_id in clicking}
        self._revoked = others[1] if len(others) > 1 else None
        self._launched = ""

    def run(self) -> None:
        """Play every day; the clock ends at the same hour, so many days later."""
        hired_on, revoked_on, attack_on = self._days // 3, self._days // 2, 2 * self._days // 3
        began = self._clock.now()
        for day in range(self._days):
            start = began + day * DAY
            if day == hired_on and self._on_hire is not None:
                self._hire()
            if day == revoked_on and self._revoked is not None:
                with self._state.lock:
                    self._state.revoke(self._revoked)
            for at, user_id in sorted(self._plan(weekend=self._is_weekend(start))):
                self._clock.move_to(start + at)
                self._click(user_id)
            if day == attack_on:
                self._attack()
            self._clock.move_to(start + DAY)

    def _hire(self) -> None:
        with self._state.lock:
            user = self._state.people.hire("Wilhelmina Osei")
        self._habits[user.id] = 2.0
        if self._on_hire is not None:
            self._on_hire(user)

    def _is_weekend(self, moment: float) -> bool:
        return int(moment // DAY + 4) % 7 in (0, 6)  # 1970-01-01 was a Thursday

    def _plan(self, *, weekend: bool) -> Iterator[tuple[float, int]]:
        """Give when in a day, in seconds after its beginning, which user clicks."""
        for user_id, habit in self._habits.items():
            if weekend and self._chance.random() > 0.05:
                continue
            for _ in range(int(self._chance.expovariate(1 / habit))):
                yield self._chance.triangular(0, 10 * 3600, 3 * 3600), user_id

    def _click(self, user_id: int) -> None:
        """Click one of a user's actions on a record that the user sees. Nothing happens where there is none."""
        with self._state.lock:
            action = self._choose(list(self._state.actions.of(user_id).values()))
            if action is None:
                return
            record = self._choose(self._state.visible(Location(action.data["ui_reference"]).resource, user_id))
            if record is None:
                return
            resource = Location(action.data["ui_reference"]).resource
            url = self._state.click(user_id, action.id, f"/api/v4/{resource}/{record.id}")
        self._launched = url
        _open(url)
        if self._chance.random() < 0.02:
            _open(url)  # in a second tab

    def _choose(self, rows: list[Row]) -> Row | None:
        return self._chance.choice(rows) if rows else None

    def _attack(self) -> None:
        """Forge launches within a minute: by what was seen in the address of a genuine one, and by guessing."""
        if not self._launched:
            return
        parts = urlsplit(self._launched)
        seen = dict(parse_qsl(parts.query))
        mark = int(self._clock.now())  # another one in each play
        for number in range(FORGED):
            kind = number % 10
            forged = dict(seen, custom_action_nonce=f"forged-{mark}-{number}")
            if kind < 5:
                forged["user_id"] = str(10**9 + self._chance.randrange(10**6))
            elif kind < 8:
                forged["subject_url"] = "//elsewhere.example/api/v4/matters/1"
            elif kind == 8 or number > 30:
                forged["custom_action_id"] = "1"
                forged["user_id"] = str(10**9 + number)
            _open(urlunsplit(parts._replace(query=urlencode(forged, quote_via=quote))))


def _open(url: str) -> None:
    """Open an address as a browser does, with its first redirect and cookie. A page that does not answer is left."""
    parts = urlsplit(url)
    make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = make(parts.netloc, timeout=_OPENS_WITHIN)
    try:
        connection.request("GET", f"{parts.path or '/'}?{parts.query}")
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return
    finally:
        connection.close()
