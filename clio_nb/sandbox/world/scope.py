"""Which firm, and which world, a request to the pages and the control endpoints is about."""

from __future__ import annotations

from starlette.requests import HTTPConnection
from starlette.types import Scope

from .state import State
from .world import World


def bind(scope: Scope, state: State, world: World) -> None:
    """Say what the request of a scope is about."""
    scope["clio_nb.state"], scope["clio_nb.world"] = state, world


def state_of(request: HTTPConnection) -> State:
    """Return the state of the region that a request came to."""
    state: State = request.scope["clio_nb.state"]
    return state


def world_of(request: HTTPConnection) -> World:
    """Return the world of the sandbox that a request came to."""
    world: World = request.scope["clio_nb.world"]
    return world
