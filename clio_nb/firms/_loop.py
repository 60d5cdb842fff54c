"""The one loop over firms: the canaries first, then all others, ten at a time or wherever an executor runs them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final

from .. import tracebacks
from ..firm.apply._user_run import Stop
from ..firm.async_firm import AsyncFirm
from ._one import carried_out
from ._task import FirmName, Task
from ._worker import on_worker
from .report import FirmRow

AT_A_TIME: Final = 10  # firms; how many requests are under way in all is the transport's business
_POLL: Final = 0.2
_STOPPED: Final = "Not begun: the run was stopped."
_log: Final = logging.getLogger("clio_nb")


@dataclass(frozen=True, slots=True)
class Loop:
    """Does tasks, each in its firm. What goes wrong in one is in its row; ``on_row`` is called with each row."""

    opened: Callable[[FirmName], AsyncFirm]
    executor: Executor | None
    on_row: Callable[[FirmRow], object]
    stop: Stop

    async def rows(self, tasks: Sequence[Task], canary: Collection[FirmName], canary_failures: int) -> list[FirmRow]:
        """Return a row for each task. When more canaries fail than may, no other firm is begun."""
        rows = await self._together([task for task in tasks if task.of in canary])
        others = [task for task in tasks if task.of not in canary]
        failed = sum(bool(row.error) for row in rows.values())
        if failed > canary_failures:
            said = f"Not begun: of {len(rows)} canary firms {failed} failed."
            rows |= {task.number: task.row(error=said) for task in others}
        else:
            rows |= await self._together(others)
        return [rows[task.number] for task in tasks]

    async def _together(self, tasks: Sequence[Task]) -> dict[str, FirmRow]:
        """Do tasks, ten at a time; an executor gets them all, since it knows how many it can do."""
        rows, left = dict[str, FirmRow](), iter(tasks)

        async def work() -> None:
            for task in left:
                row = task.row(error=_STOPPED) if self.stop.asked else await self._row_of(task)
                rows[task.number] = row
                self.on_row(row)

        at_a_time = min(len(tasks), AT_A_TIME if self.executor is None else len(tasks))
        workers = [asyncio.ensure_future(work()) for _ in range(at_a_time)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        return rows

    async def _row_of(self, task: Task) -> FirmRow:
        """Do one task here or where the executor runs it. Anything unexpected ends this firm only."""
        work: asyncio.Future[FirmRow]
        if self.executor is None:
            work = asyncio.ensure_future(carried_out(self.opened(task.of), task, self.stop))
        else:
            work = asyncio.wrap_future(await asyncio.to_thread(self.executor.submit, on_worker, task))
        try:
            while not (await asyncio.wait([work], timeout=_POLL if self.executor else None))[0]:
                if self.stop.asked:
                    work.cancel()
        finally:
            if not work.done():
                work.cancel()
                await asyncio.wait([work])
        if work.cancelled():
            return task.row(error="Stopped before it ended; what has begun is in the ledger. Apply again.")
        if error := work.exception():
            tracebacks.cut(error)
            _log.error("%s failed unexpectedly in %s", task.verb, task.of, exc_info=error)
            return task.row(error=f"Unexpected error ({type(error).__name__}). What has begun is in the ledger.")
        return work.result()
