"""Wait for a run while a bar shows how far it is; Ctrl-C ends it safely."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, wait
from typing import Final, TypeVar

from .apply._user_run import Stop

T = TypeVar("T")
POLL: Final = 0.1  # seconds between two looks at a run: to be woken for every result would slow it down


def watched(work: Future[T], ended: Sequence[object], total: int, *, what: str, unit: str, bar: bool, stop: Stop) -> T:
    """Return the result of some work, with a progress bar over the parts that have ``ended``.

    Ctrl-C asks it to ``stop``, waits until that is done and raises ``KeyboardInterrupt``; a second one does not wait.
    """
    from tqdm.auto import tqdm  # noqa: PLC0415 -- looks for a notebook when it is imported

    interrupted = False
    with tqdm(total=total, desc=what, unit=unit, disable=not bar) as shown:
        while not work.done():
            try:
                wait([work], timeout=POLL)
            except KeyboardInterrupt:
                if interrupted:
                    work.cancel()
                    raise
                stop.asked = interrupted = True
            shown.update(len(ended) - shown.n)
    if interrupted:
        raise KeyboardInterrupt
    return work.result()
