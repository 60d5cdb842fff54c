"""Which firm, and which world, a request to the pages and the control endpoints is about."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from starlette.requests import HTTPConnection
from starlette.types import Scope

from .regional import Regional
from .state import State
from .world import World

_OF_A_FIRM: Final = re.compile(r"(.*/control)/firms/([0-9]{1,19})(/.*)?")


def bind(scope: Scope, regional: Regional, world: World) -> None:
    """Say which region and which world the request of a scope came to, and which firm where its path names one.

    ``/control/firms/ACCOUNT_ID/tokens`` is then routed as ``/control/tokens``.
    """
    scope["clio_nb.regional"], scope["clio_nb.world"], scope["clio_nb.account_id"] = regional, world, None
    named = _OF_A_FIRM.fullmatch(scope["path"])
    if named:
        scope["path"], scope["clio_nb.account_id"] = named[1] + (named[3] or ""), int(named[2])


def states_of(request: HTTPConnection) -> Sequence[State]:
    """Return the firms of the region that a request came to."""
    regional: Regional = request.scope["clio_nb.regional"]
    return regional.states


def state_of(request: HTTPConnection) -> State:
    """Return the firm whose account or user the path names, or else the first of the region.

    Raises LookupError for an account that is not there.
    """
    regional: Regional = request.scope["clio_nb.regional"]
    account_id = request.scope["clio_nb.account_id"]
    if account_id is not None:
        found = next((state for state in regional.states if state.account_id == account_id), None)
        if found is None:
            raise LookupError(f"There is no firm {account_id} in this region; take one from firms in GET /control.")
        return found
    user = str(request.path_params.get("user", ""))
    return regional.state_of(int(user) if user.isascii() and user.isdigit() and len(user) < 20 else None)


def world_of(request: HTTPConnection) -> World:
    """Return the world of the sandbox that a request came to."""
    world: World = request.scope["clio_nb.world"]
    return world
