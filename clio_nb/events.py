"""Events for operations: one structured log record for each thing that happened, and OpenTelemetry where it is there.

The logger is ``clio_nb.events``. A record has what happened as ``event``, and its words as further fields, so that a
JSON logger shows them. Ids only: no name, no label, no secret, no query of an address.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final, Literal

Event = Literal["proof", "connection", "disconnection", "renewal", "run", "item"]

A_MINUTE: Final = 10
"""Warnings of one kind that are logged one by one in a minute. More are counted, and their number is told later."""

_KINDS: Final = ("state", "reason", "outcome", "kind")  # words with few values: the labels of the counter
_log: Final = logging.getLogger("clio_nb.events")
_log.addHandler(logging.NullHandler())  # else Python prints warnings where nobody has configured logging


def tell(event: Event, message: str, warn: bool = False, /, **words: object) -> None:
    """Log that something happened: at INFO, or at WARNING, where too much of one kind is counted instead."""
    kinds: dict[str, str] = {name: str(words[name]) for name in _KINDS if name in words}
    if counter := _counter():
        counter.add(1, {"clio_nb.event": event, **{f"clio_nb.{name}": value for name, value in kinds.items()}})
    if warn and not _warnings.has_room(event, kinds):
        return
    _log.log(logging.WARNING if warn else logging.INFO, "%s", message, extra={"event": event, **words})


class _Warnings:
    """Counts the warnings of each kind, minute by minute."""

    def __init__(self) -> None:
        self._minute = 0
        self._counts: Counter[tuple[Event, tuple[tuple[str, str], ...]]] = Counter()

    def has_room(self, event: Event, kinds: dict[str, str]) -> bool:
        """Whether one more warning of this kind is logged in this minute."""
        minute = int(time.monotonic() // 60)
        if minute != self._minute:
            self.settle()
            self._minute = minute
        kind = (event, tuple(kinds.items()))
        self._counts[kind] += 1
        if self._counts[kind] == A_MINUTE + 1:
            with contextlib.suppress(RuntimeError):  # no loop here: then the next warning settles it
                asyncio.get_running_loop().call_later(60, self.settle)
        return self._counts[kind] <= A_MINUTE

    def settle(self) -> None:
        """Tell how many there were beyond those that were logged."""
        for (event, kinds), count in self._counts.items():
            if count > A_MINUTE:
                said = " ".join(value for _, value in kinds)
                message = f"{count - A_MINUTE} more of these within a minute: {event} {said}"
                _log.warning("%s", message, extra={"event": event, **dict(kinds), "more": count - A_MINUTE})
        self._counts.clear()


_warnings: Final = _Warnings()


@functools.cache
def _counter() -> Any:
    """Return the counter of events; None without OpenTelemetry."""
    try:
        from opentelemetry import metrics  # noqa: PLC0415 -- an extra, and only once something happens
    except ImportError:
        return None
    return metrics.get_meter("clio_nb").create_counter("clio_nb.events", description="What happened, by kind")


@functools.cache
def _tracer() -> Any:
    try:
        from opentelemetry import trace  # noqa: PLC0415 -- as above
    except ImportError:
        return None
    return trace.get_tracer("clio_nb")


class Span:
    """What is being done, for OpenTelemetry. Without it, nothing is noted."""

    def __init__(self, span: Any = None) -> None:
        self._span = span

    def note(self, **words: object) -> None:
        """Note attributes; a point in a name is written as two underscores."""
        if self._span is not None:
            for name, value in words.items():
                if value is not None:
                    self._span.set_attribute(name.replace("__", "."), value)


@contextlib.contextmanager
def request_span(method: str, host: str | None, port: int | None, url: str) -> Iterator[Span]:
    """Trace a request by the conventions for HTTP clients. ``url`` has no query."""
    tracer = _tracer()
    if tracer is None:
        yield Span()
        return
    from opentelemetry.trace import SpanKind, Status, StatusCode  # noqa: PLC0415 -- as above

    about: dict[str, str | int] = {"http.request.method": method, "server.address": host or "", "url.full": url}
    if port is not None:
        about["server.port"] = port
    # an exception is noted by its type alone: what it says is for the person who meets it
    with tracer.start_as_current_span(
        method, kind=SpanKind.CLIENT, attributes=about, record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            yield Span(span)
        except BaseException as error:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(Status(StatusCode.ERROR))
            raise
