"""The faults of the developer page: one switch for each kind, and what it arms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from ..faults import Fault, Faults

_API: Final = "/api/v4/*"
_TOKENS: Final = "/oauth/token"


@dataclass(frozen=True, slots=True)
class Switch:
    """A fault under a name that people understand. It hits every fitting request until it is turned off."""

    key: str
    name: str
    fault: Fault


def _switch(key: str, name: str, fault: Fault, path: str = _API) -> Switch:
    return Switch(key, name, msgspec.structs.replace(fault, path=path, times=None))


SWITCHES: Final = (
    _switch("status", "503 Service Unavailable", Fault(kind="status", status=503)),
    _switch("seconds", "429, Retry-After in seconds", Fault(kind="rate_limit", seconds=30)),
    _switch("date", "429, Retry-After as a date", Fault(kind="rate_limit", retry_after="date", seconds=30)),
    _switch("none", "429 without Retry-After", Fault(kind="rate_limit", retry_after="none")),
    _switch("nonsense", "429, Retry-After is nonsense", Fault(kind="rate_limit", retry_after="nonsense")),
    _switch("delay", "Answers take two seconds", Fault(kind="delay", seconds=2)),
    _switch("before", "Reset before taking effect", Fault(kind="reset")),
    _switch("after", "Reset after taking effect", Fault(kind="reset", after=True)),
    _switch("truncated", "JSON cut in the middle", Fault(kind="truncated")),
    _switch("html", "An HTML page instead of JSON", Fault(kind="html", status=502)),
    _switch("redirect", "Redirect to another host", Fault(kind="redirect")),
    _switch("wrong_record", "Another record in a 200", Fault(kind="wrong_record")),
    _switch("revoked", "The token is revoked", Fault(kind="revoked")),
    _switch("rotate", "Refresh tokens rotate", Fault(kind="rotate"), _TOKENS),
)
"""Every fault there is, each on all requests to the API (the last: to the token endpoint)."""


def is_on(switch: Switch, faults: Faults) -> bool:
    """Whether a switch is on."""
    return any(fault == switch.fault for fault, _ in faults.armed())


def turn(switch: Switch, faults: Faults) -> None:
    """Turn a switch over."""
    if is_on(switch, faults):
        faults.remove(switch.fault)
    else:
        faults.add(switch.fault)
