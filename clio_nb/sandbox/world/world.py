"""The world of one sandbox: one clock and one store, and the state of each region it plays."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

import msgspec

from ...places import Region
from ..assumptions import Assumptions
from .clock import START, Clock, ClockMode
from .state import Settings, State
from .store import Store


class _Made(msgspec.Struct, frozen=True):
    """What the ids in a store depend on."""

    seed: int
    users: int


class World:
    """Everything that is true in a sandbox. Regions share the clock and nothing else."""

    def __init__(
        self,
        origins: Mapping[Region, str],
        settings: Settings,
        assumptions: Assumptions,
        clock: ClockMode,
        db: str | os.PathLike[str] | None,
    ) -> None:
        self.clock: Final = Clock(clock)
        self._store: Final = Store(db)
        self._shelf: Final = self._store.shelf("")
        try:
            self._remember(settings)
            self.states: Final = {
                region: State(
                    region,
                    origin,
                    settings,
                    clock=self.clock,
                    shelf=self._store.shelf(region),
                    assumptions=assumptions,
                )
                for region, origin in origins.items()
            }
        except BaseException:
            self._store.close()
            raise

    def advance(self, seconds: float) -> float:
        """Move the clock forward and return the new time in seconds since the epoch."""
        now = self.clock.advance(seconds)
        self._keep_time()
        return now

    def reset(self) -> None:
        """Put everything back to the beginning, the clock as well."""
        self.clock.restart()
        self._keep_time()
        for state in self.states.values():
            with state.lock:
                state.reset()

    def close(self) -> None:
        """Keep the time and close the store."""
        self._keep_time()
        self._store.close()

    def _remember(self, settings: Settings) -> None:
        made = _Made(settings.seed, settings.users)
        before = self._shelf.all("made", _Made).get("", made)
        if before != made:
            raise ValueError(
                f"The file was made with seed={before.seed} and users={before.users}; "
                "start it with the same, or give another file."
            )
        self._shelf.put("made", "", made)
        self.clock.restart(self._shelf.all("shifted", float).get("", 0.0))

    def _keep_time(self) -> None:
        passed = self.clock.shifted if self.clock.mode == "real" else self.clock.now() - START
        self._shelf.put("shifted", "", passed)
