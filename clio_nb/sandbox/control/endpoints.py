"""The control endpoints under ``/control``: what a test in any language needs. JSON, from this machine only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from ..faults import Fault
from ..http.access import is_local
from ..http.answers import Refusal, encode
from ..http.body import receive_all
from ..world.clock import iso
from ..world.scope import state_of, world_of
from ..world.state import State
from ..world.world import World

_T = TypeVar("_T")


class ForUser(msgspec.Struct, forbid_unknown_fields=True):
    """A user; the account owner when left out."""

    user_id: int | None = None


class Click(msgspec.Struct, forbid_unknown_fields=True):
    """A click on an action of a user, on a record such as ``/api/v4/matters/1``."""

    user_id: int
    custom_action_id: int
    subject_url: str


class Step(msgspec.Struct, forbid_unknown_fields=True):
    """A step of the clock."""

    seconds: float


class Nothing(msgspec.Struct):
    """A request without a body."""


def describe(state: State) -> dict[str, Any]:
    """Return what an app needs to know of a running sandbox (the terminal contract of ``clio-nb sandbox --json``)."""
    return {
        "base_url": state.origin,
        "api_url": f"{state.origin}/api/v4",
        "region": state.region.value,
        "client_id": state.client_id,
        "client_secret": state.client_secret,
        "redirect_uri": state.redirect_uris[0],
        "control_url": f"{state.origin}/control",
        "users": [msgspec.structs.asdict(user) for user in state.users],
    }


def _describe(world: World, state: State, _: Nothing) -> object:
    return describe(state)


def _token(world: World, state: State, asked: ForUser) -> object:
    return state.token(state.users[0].id if asked.user_id is None else asked.user_id)


def _click(world: World, state: State, asked: Click) -> object:
    return {"launch_url": state.click(asked.user_id, asked.custom_action_id, asked.subject_url)}


def _revoke(world: World, state: State, asked: ForUser) -> object:
    user_id = state.users[0].id if asked.user_id is None else asked.user_id
    if not state.revoke(user_id):
        raise LookupError(f"User {user_id} has not granted the app any access.")
    return {}


def _time(world: World, state: State, _: Nothing) -> object:
    return {"now": world.clock.now(), "iso": iso(world.clock.now()), "mode": world.clock.mode}


def _advance(world: World, state: State, asked: Step) -> object:
    world.advance(asked.seconds)
    return _time(world, state, Nothing())


def _requests(world: World, state: State, _: Nothing) -> object:
    return list(state.log)


def _reset(world: World, state: State, _: Nothing) -> object:
    world.reset()
    return {}


def _faults(world: World, state: State, _: Nothing) -> object:
    return [{**msgspec.to_builtins(fault), "seen": seen} for fault, seen in state.faults.armed()]


def _add_fault(world: World, state: State, fault: Fault) -> object:
    state.faults.add(fault)
    return {}


def _clear_faults(world: World, state: State, _: Nothing) -> object:
    state.faults.clear()
    return {}


def _route(path: str, method: str, act: Callable[[World, State, _T], object], shape: type[_T]) -> Route:
    """Return a route that refuses strangers, reads the body into its shape, and answers JSON."""

    async def endpoint(request: HttpRequest) -> Response:
        if not is_local(request):
            return refusal(403, "Forbidden", "Control is for this machine only: loopback Host, no foreign Origin.")
        state = state_of(request)
        try:
            raw = await receive_all(request.receive) if method == "POST" else b""
            asked = msgspec.json.decode(raw.strip() or b"{}", type=shape)
            with state.lock:
                return _json(200, act(world_of(request), state, asked))
        except Refusal as no:
            return refusal(no.status, no.type, str(no))
        except (LookupError, ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
            status = 404 if isinstance(error, LookupError) else 422
            return refusal(status, "RecordNotFound" if status == 404 else "ArgumentError", str(error))

    return Route(f"/control{path}", endpoint, methods=[method])


def _json(status: int, body: object) -> Response:
    headers = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
    return Response(encode(body), status, headers, "application/json")


def refusal(status: int, type: str, message: str) -> Response:
    """Return a no of the control endpoints, in the API's envelope."""
    return _json(status, {"error": {"type": type, "message": message}})


_ENDPOINTS: Final[list[tuple[str, str, Callable[[World, State, Any], object], type]]] = [
    ("", "GET", _describe, Nothing),
    ("/tokens", "POST", _token, ForUser),
    ("/clicks", "POST", _click, Click),
    ("/revocations", "POST", _revoke, ForUser),
    ("/clock", "GET", _time, Nothing),
    ("/clock/advance", "POST", _advance, Step),
    ("/requests", "GET", _requests, Nothing),
    ("/reset", "POST", _reset, Nothing),
    ("/faults", "GET", _faults, Nothing),
    ("/faults", "POST", _add_fault, Fault),
    ("/faults", "DELETE", _clear_faults, Nothing),
]

ROUTES: Final = [_route(*endpoint) for endpoint in (*_ENDPOINTS, ("/", "GET", _describe, Nothing))]

REQUESTS: Final = [(path, method, shape) for path, method, _, shape in _ENDPOINTS]
"""Path, method and body of each endpoint, for the OpenAPI document."""
