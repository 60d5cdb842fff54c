"""Faults on demand: which requests they hit, and what goes wrong then."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Awaitable, Callable
from email.utils import format_datetime
from fnmatch import fnmatchcase
from typing import Any, Final, Literal

import msgspec

from .clock import Clock
from .http.answers import JSON_TYPE, Answer, Headers, encode
from .http.request import Request

Kind = Literal[
    "status", "rate_limit", "delay", "reset", "truncated", "html", "redirect", "wrong_record", "revoked", "rotate"
]
"""
- ``status``: an answer of your choice (``status``, ``body``, ``headers``)
- ``rate_limit``: 429, with ``retry_after`` as seconds, date, none or nonsense
- ``delay``: ``seconds`` of real time pass first
- ``reset``: the connection is torn down; with ``after=True`` once the request took effect
- ``truncated``: the true answer, cut in the middle of its JSON
- ``html``: a page instead of JSON, with ``status``
- ``redirect``: 302 to ``location``, another host
- ``wrong_record``: the true status, with another record in it
- ``revoked``: the token that the request carries is revoked just before
- ``rotate``: the refresh token is replaced by a new one in this refresh
"""

_LAST_WORDS: Final = ("status", "rate_limit", "reset", "html", "redirect")
_BODILESS: Final = (204, 304)
_HEADER: Final = re.compile(r"[!-~]([ -~]*[!-~])?")
_HTML: Final = b"<!doctype html><html><head><title>Error</title></head><body>Something went wrong</body></html>"


class Fault(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What goes wrong, and when: on the ``nth`` matching request and so many ``times`` in a row (None: from then on).

    ``path`` is a shell pattern on the path without ``.json``, such as ``/api/v4/custom_actions*``. ``after`` lets the
    request take effect first.
    """

    kind: Kind
    method: str | None = None
    path: str | None = None
    user_id: int | None = None
    nth: int = 1
    times: int | None = 1
    after: bool = False
    status: int = 503
    body: Any = None
    headers: dict[str, str] = {}
    retry_after: Literal["seconds", "date", "none", "nonsense"] = "seconds"
    seconds: float = 1.0
    location: str = "https://elsewhere.example/"

    def __post_init__(self) -> None:
        if not 200 <= self.status <= 599:
            raise ValueError("status must be from 200 to 599.")
        if self.nth < 1 or (self.times is not None and self.times < 1):
            raise ValueError("nth and times count from 1.")
        if not 0 <= self.seconds <= 3600:
            raise ValueError("seconds must be from 0 to 3600.")
        if not (
            all(map(_HEADER.fullmatch, [*self.headers, *self.headers.values()])) and _HEADER.fullmatch(self.location)
        ):
            raise ValueError("headers and location are one line of plain ASCII.")

    def fits(self, request: Request, user_id: int | None) -> bool:
        """Whether a request is one of those meant."""
        return (
            (self.method is None or self.method.upper() == request.method)
            and (self.path is None or fnmatchcase(request.path.removesuffix(".json"), self.path.removesuffix(".json")))
            and (self.user_id is None or self.user_id == user_id)
        )


class Faults:
    """The faults of one region, in the order they were asked for."""

    def __init__(self) -> None:
        self._asked: list[tuple[Fault, list[int]]] = []

    def __bool__(self) -> bool:
        return bool(self._asked)

    def add(self, fault: Fault) -> None:
        """Arm a fault."""
        self._asked.append((fault, [0]))

    def remove(self, unwanted: Fault) -> None:
        """Disarm a fault. What else is armed stays as it is."""
        self._asked = [(fault, seen) for fault, seen in self._asked if fault != unwanted]

    def clear(self) -> None:
        """Disarm all."""
        self._asked.clear()

    def armed(self) -> list[tuple[Fault, int]]:
        """Return the faults, each with the number of requests that fitted so far."""
        return [(fault, seen[0]) for fault, seen in self._asked]

    def hitting(self, request: Request, user_id: int | None) -> list[Fault]:
        """Count a request, and return the faults that hit it; behind one that answers, the others wait their turn."""
        hitting = []
        for fault, seen in self._asked:
            if not fault.fits(request, user_id):
                continue
            seen[0] += 1
            if seen[0] >= fault.nth and (fault.times is None or seen[0] < fault.nth + fault.times):
                hitting.append(fault)
                if fault.kind in _LAST_WORDS:
                    break
        return hitting


class Effects(msgspec.Struct):
    """What a fault may do besides answering: let the request take effect, wait, revoke its token, swap a record."""

    act: Callable[[], Answer]
    wait: Callable[[float], Awaitable[None]]
    revoke: Callable[[], None]
    swap: Callable[[Answer], Answer]


async def strike(faults: list[Fault], request: Request, effects: Effects, clock: Clock) -> Answer | None:
    """Let faults hit a request, in their order; return the answer, or None where the connection is to be reset."""
    answer: Answer | None = None
    for fault in faults:
        if answer is None and (fault.after or fault.kind in ("truncated", "wrong_record")):
            answer = effects.act()
        if fault.kind == "reset":
            return None
        if fault.kind == "delay":
            await effects.wait(fault.seconds)
        elif fault.kind == "revoked":
            effects.revoke()
        elif fault.kind == "rotate":
            request.rotate = True
        elif fault.kind == "truncated" and answer:
            answer = answer._replace(body=answer.body[: len(answer.body) // 2])
        elif fault.kind == "wrong_record" and answer:
            answer = effects.swap(answer)
        else:
            return _canned(fault, clock)
    return answer or effects.act()


def _canned(fault: Fault, clock: Clock) -> Answer:
    """Return the answer that a fault brings along."""
    extra = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in fault.headers.items()]
    if fault.kind in ("status", "html") and fault.status in _BODILESS:
        return Answer(fault.status, extra)
    if fault.kind == "html":
        return Answer(fault.status, [(b"content-type", b"text/html; charset=utf-8"), *extra], _HTML)
    if fault.kind == "redirect":
        return Answer(302, [(b"location", fault.location.encode()), *extra])
    if fault.kind == "rate_limit":
        error = {"error": {"type": "RateLimited", "message": "Too many requests"}}
        return Answer(429, [JSON_TYPE, *_retry_after(fault, clock), *extra], encode(error))
    if isinstance(fault.body, str):
        return Answer(fault.status, [(b"content-type", b"text/plain; charset=utf-8"), *extra], fault.body.encode())
    default = {"error": {"type": "Fault", "message": "This answer was asked for"}}
    return Answer(fault.status, [JSON_TYPE, *extra], encode(default if fault.body is None else fault.body))


def _retry_after(fault: Fault, clock: Clock) -> Headers:
    if fault.retry_after == "none":
        return []
    if fault.retry_after == "nonsense":
        return [(b"retry-after", b"soon")]
    if fault.retry_after == "seconds":
        return [(b"retry-after", b"%g" % fault.seconds)]
    moment = dt.datetime.fromtimestamp(clock.now() + fault.seconds, dt.UTC)
    return [(b"retry-after", format_datetime(moment, usegmt=True).encode())]
