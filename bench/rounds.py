"""Measure ours and its peers in turn: several rounds, each begun by another one, and the median of their ratios."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import TypeVar

T = TypeVar("T")


def rounds(measures: Mapping[str, Callable[[], T]], times: int) -> dict[str, list[T]]:
    """Take every measure once in each round, after one round that does not count; return them by name."""
    names = list(measures)
    taken: dict[str, list[T]] = {name: [] for name in names}
    for number in range(-1, times):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            measure = measures[name]()
            if number >= 0:
                taken[name].append(measure)
    return taken


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median of the ratios within the rounds."""
    return median(mine / other for mine, other in zip(ours, theirs, strict=True))


def seconds(work: Callable[[], object]) -> float:
    """Return how long a piece of work takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def timed(times: int, **works: Callable[[], object]) -> dict[str, list[float]]:
    """Return how long each piece of work takes, round by round."""
    return rounds({name: lambda work=work: seconds(work) for name, work in works.items()}, times)  # type: ignore[misc]
