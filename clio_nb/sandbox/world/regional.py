"""Clio in one region: the firms there, and the app that all of them can allow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from .registration import Registration
from .state import State


class Regional:
    """The firms of one region. User ids are unique, so a token leads to its firm."""

    def __init__(self, app: Registration, states: Sequence[State]) -> None:
        self.app: Final = app
        self.states: Final = states

    def state_of(self, user_id: int | None) -> State:
        """Return the firm that a user belongs to; the first one where nobody is known."""
        first = self.states[0]
        if len(self.states) == 1 or user_id is None:
            return first
        return next((state for state in self.states if state.row("users", user_id)), first)

    def begin(self) -> None:
        """Lay everything out as the store remembers it."""
        self.app.begin()
        for state in self.states:
            state.begin()
