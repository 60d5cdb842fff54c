"""The world of one sandbox: one clock and one store, and Clio in each region that it plays."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import msgspec

from ...vocabulary import Region
from ..assumptions import Assumptions
from ..clock import START, Clock, ClockMode
from .regional import Regional
from .registration import Registration, Settings
from .state import State
from .store import Kept, Store


class _Made(msgspec.Struct, frozen=True):
    """What the ids in a store depend on."""

    seed: int
    users: int
    firms: int = 1


class World:
    """Everything that is true in a sandbox. Regions share the clock and nothing else."""

    def __init__(
        self,
        origins: Mapping[Region, str],
        settings: Settings,
        assumptions: Assumptions,
        clock: ClockMode,
        db: str | os.PathLike[str] | None,
        control_key: str | None = None,
        kept: list[Kept] | None = None,
    ) -> None:
        self.control_key: Final = control_key
        self._asked: Final = (origins, settings, assumptions, clock)
        self.lock: Final = threading.RLock()
        self.clock: Final = Clock(clock)
        self.clock.kept = self._keep_time
        self._store: Final = Store(db)
        self._shelf: Final = self._store.shelf("")
        self._made: Final = _Made(settings.seed, settings.users, settings.firms)
        try:
            if kept is not None:
                self._store.replace(kept)
            self._remember()
            self.regions: Final = {
                region: self._region(region, origin, settings, assumptions) for region, origin in origins.items()
            }
        except BaseException:
            self._store.close()
            raise

    @property
    def names(self) -> frozenset[str]:
        """The host names by which it is reached."""
        origins = (regional.app.origin for regional in self.regions.values())
        return frozenset(urlsplit(origin).hostname or "" for origin in origins)

    @property
    def states(self) -> list[State]:
        """Every firm, region by region."""
        return [state for regional in self.regions.values() for state in regional.states]

    def reset(self) -> None:
        """Put everything back to the beginning, the clock as well."""
        with self.lock:
            self._begin([])

    def save(self) -> bytes:
        """Return the world as it is, as JSON that :meth:`load` takes. It holds digests and no secret."""
        with self.lock:
            self._keep_time()
            return msgspec.json.encode(self._store.dump())

    def load(self, saved: bytes) -> None:
        """Put everything back to a saved world; raise ValueError, and change nothing, for anything else."""
        try:
            kept = msgspec.json.decode(saved, type=list[Kept])
            World(*self._asked, None, kept=kept).close()  # a trial: it can be laid out
        except (ValueError, LookupError, TypeError, OverflowError) as error:  # msgspec's errors are ValueErrors
            raise ValueError(f"Not a saved world of such a sandbox; nothing was changed. {error}") from None
        with self.lock:
            self._begin(kept)

    def close(self) -> None:
        """Keep the time and close the store."""
        self._keep_time()
        self._store.close()

    def _region(self, region: Region, origin: str, settings: Settings, assumptions: Assumptions) -> Regional:
        shelf = self._store.shelf(region)
        app = Registration(
            region, origin, settings, clock=self.clock, lock=self.lock, shelf=shelf, assumptions=assumptions
        )
        further = [self._store.shelf(f"{region}/{place}") for place in range(1, settings.firms)]
        return Regional(app, [State(app, place, each) for place, each in enumerate([shelf, *further])])

    def _begin(self, rows: list[Kept]) -> None:
        self._store.replace(rows)
        self._remember()
        for regional in self.regions.values():
            regional.begin()

    def _remember(self) -> None:
        before = self._shelf.all("made", _Made).get("", self._made)
        if before != self._made:
            raise ValueError(
                f"The file was made with seed={before.seed}, users={before.users} and firms={before.firms}; "
                "start it with the same, or give another file."
            )
        self._shelf.put("made", "", self._made)
        self.clock.restart(self._shelf.all("shifted", float).get("", 0.0))

    def _keep_time(self) -> None:
        passed = self.clock.shifted if self.clock.mode == "real" else self.clock.now() - START
        self._shelf.put("shifted", "", passed)
