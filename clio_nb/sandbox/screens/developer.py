"""The developer's page: what came in, what was clicked, what time it is, and what goes wrong."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from starlette.responses import Response

from ..clock import iso
from ..faults import Fault
from ..world.nonces import Launch
from .guard import Sorry
from .switches import SWITCHES, Switch, is_on, turn
from .visit import Visit, number, screen

_SHOWN: Final = 50
_STEPS: Final = ((1, "+1 s"), (61, "+61 s"), (600, "+10 min"))


def _developer(visit: Visit) -> Response:
    state, now = visit.state, visit.state.clock.now()
    minted = state.launches.minted()
    return visit.page(
        "developer.html",
        now=iso(now),
        steps=_STEPS,
        switches=[(switch, is_on(switch, state.faults)) for switch in SWITCHES],
        armed=[(_said(fault), seen) for fault, seen in state.faults.armed()],
        users={user.id: user.name for user in state.users},
        launches=[_launch(visit, launch, now) for launch in itertools.islice(reversed(minted), _SHOWN)],
        launches_total=len(minted),
        requests_rows=_newest(state.log),
        requests_total=len(state.log),
        oauth_rows=_newest(state.oauth_log),
        oauth_total=len(state.oauth_log),
        shown=_SHOWN,
    )


def _advance(visit: Visit) -> Response:
    try:
        visit.world.clock.advance(float(visit.fields.get("seconds", "")))
    except ValueError:
        raise Sorry(422, "The clock goes forward by a number of seconds, such as 61. It was left as it is.") from None
    return visit.go("developer#clock")


def _turn(visit: Visit) -> Response:
    turn(_switch(visit), visit.state.faults)
    return visit.go("developer#faults")


def _arm(visit: Visit) -> Response:
    """Arm the fault of a switch for some requests only: the empty fields of the form mean any."""
    given = {name: text for name in ("method", "path", "user_id", "nth", "times") if (text := visit.fields.get(name))}
    asked = {**msgspec.to_builtins(_switch(visit).fault), "path": None, **given}
    try:
        visit.state.faults.add(msgspec.convert(asked, Fault, strict=False))
    except ValueError as error:  # msgspec's are as well
        raise Sorry(422, f"There is no such fault: {error} Nothing was armed.") from None
    return visit.go("developer#faults")


def _disarm(visit: Visit) -> Response:
    armed = visit.state.faults.armed()
    chosen = number(visit.fields.get("number"))
    if chosen is None or chosen >= len(armed):
        raise Sorry(404, "This fault is not armed any more. Reload the page.")
    visit.state.faults.remove(armed[chosen][0])
    return visit.go("developer#faults")


def _switch(visit: Visit) -> Switch:
    switch = next((switch for switch in SWITCHES if switch.key == visit.fields.get("switch")), None)
    if switch is None:
        raise Sorry(404, "There is no such switch.")
    return switch


def _launch(visit: Visit, launch: Launch, now: float) -> dict[str, Any]:
    """Return a launch as a line of the table. Its nonce is nowhere: only a digest of it is kept."""
    action = visit.state.actions.of(launch.user_id).get(launch.custom_action_id)
    left = launch.minted_at + visit.state.assumptions.nonce_lifetime - now
    return {
        "at": iso(launch.minted_at),
        "user_id": launch.user_id,
        "action": action.data["label"] if action else f"{launch.custom_action_id}, deleted since",
        "subject_url": launch.subject_url,
        "nonce": "Spent" if launch.spent else f"Good for {left:.0f} s" if left > 0 else "Expired",
    }


def _newest(log: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return list(itertools.islice(reversed(list(log)), _SHOWN))


def _said(fault: Fault) -> dict[str, Any]:
    """Return what of a fault was asked for, without what is as usual."""
    usual = msgspec.to_builtins(Fault(kind=fault.kind))
    asked = {name: value for name, value in msgspec.to_builtins(fault).items() if value != usual[name]}
    return {**asked, "kind": fault.kind, **({"times": "always"} if fault.times is None else {})}


ROUTES: Final = [
    screen(f"{base}/developer{path}", view, method, steers=True)
    for base in ("", "/as/{user}")
    for path, view, method in (
        ("", _developer, "GET"),
        ("/clock", _advance, "POST"),
        ("/faults", _turn, "POST"),
        ("/faults/arm", _arm, "POST"),
        ("/faults/disarm", _disarm, "POST"),
    )
]
