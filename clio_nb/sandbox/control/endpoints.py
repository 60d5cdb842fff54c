"""The control endpoints under ``/control``: what a test in any language needs. JSON, for whom ``access`` lets in.

Under ``/control`` they are about the first firm of the region, under ``/control/firms/ACCOUNT_ID`` about that one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec
from msgspec import UNSET
from msgspec.structs import astuple
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from ..clock import iso
from ..faults import Fault, Faults
from ..http.access import may_control
from ..http.answers import Refusal, encode
from ..http.body import receive_all
from ..world.scope import state_of, world_of
from ..world.state import State
from ..world.world import World
from .bodies import AppChange, Click, ClosedMatter, ForUser, Hire, Nothing, OneUser, Step, UserChange

_T = TypeVar("_T")

_WORLD_MAX: Final = 64_000_000  # longest saved world taken, in bytes


def describe(world: World, state: State) -> dict[str, Any]:
    """Return what an app needs to know of a firm (the terminal contract of ``clio-nb sandbox --json``)."""
    app = state.app
    return {
        "base_url": app.origin,
        "api_url": f"{app.origin}/api/v4",
        "region": app.region.value,
        "client_id": app.client_id,
        "client_secret": app.client_secret,
        "redirect_uri": app.redirect_uris[0],
        "control_url": control_url(state),
        "account_id": state.account_id,
        "name": state.name,
        "users": [msgspec.structs.asdict(user) for user in state.users],
        "firms": [
            {
                "account_id": each.account_id,
                "name": each.name,
                "region": each.app.region.value,
                "control_url": control_url(each),
            }
            for each in world.states
        ],
    }


def control_url(state: State) -> str:
    """Return the root of a firm's control endpoints."""
    return f"{state.app.origin}/control" + (f"/firms/{state.account_id}" if state.place else "")


def _revoke(world: World, state: State, asked: ForUser) -> None:
    user_id = _user(state, asked)
    if not state.revoke(user_id):
        raise LookupError(f"User {user_id} has not granted the app any access.")


def _user(state: State, asked: ForUser) -> int:
    return state.users[0].id if asked.user_id is None else asked.user_id


def _change_user(world: World, state: State, asked: UserChange) -> object:
    user = state.people.change(asked.user_id, name=asked.name, email=asked.email, enabled=asked.enabled)
    if asked.enabled is False:
        state.revoke(asked.user_id)
    return user


def _change_app(world: World, state: State, asked: AppChange) -> object:
    if asked.permissions is not None:
        state.app.permit(asked.permissions)
    if asked.deauthorization_url is not UNSET:
        state.set_url("deauthorization_url", asked.deauthorization_url)
    if asked.add_to_clio_url is not UNSET:
        state.set_url("add_to_clio_url", asked.add_to_clio_url)
    return {
        "permissions": sorted(state.app.grants.permissions),
        "deauthorization_url": state.url("deauthorization_url"),
        "add_to_clio_url": state.url("add_to_clio_url"),
    }


def _armed(faults: Faults) -> object:
    return [{**msgspec.to_builtins(fault), "seen": seen} for fault, seen in faults.armed()]


def _time(world: World) -> object:
    return {"now": world.clock.now(), "iso": iso(world.clock.now()), "mode": world.clock.mode}


def _advance(world: World, state: State, asked: Step) -> object:
    world.clock.advance(asked.seconds)
    return _time(world)


def _route(path: str, method: str, act: Callable[[World, State, _T], object], shape: type[_T]) -> Route:
    """Return a route that refuses strangers, reads the body into its shape, and answers JSON."""

    async def endpoint(request: HttpRequest) -> Response:
        world = world_of(request)
        if not may_control(request, world.control_key):
            return _stranger(world.control_key)
        try:
            state = state_of(request)
            with_body = method not in ("GET", "DELETE")
            most = _WORLD_MAX if shape is msgspec.Raw else None
            raw = (await receive_all(request.receive, most)).strip() if with_body else b""
            asked = _asked(raw or b"{}", shape, request.path_params)
            with state.lock:
                told = act(world, state, asked)
            return _json(200, {} if told is None else told)
        except Refusal as no:
            return refusal(no.status, no.type, str(no))
        except (LookupError, ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
            status = 404 if isinstance(error, LookupError) else 422
            return refusal(status, "RecordNotFound" if status == 404 else "ArgumentError", str(error))

    return Route(path, endpoint, methods=[method])


def _asked(raw: bytes, shape: type[_T], path_params: dict[str, Any]) -> _T:
    """Return a body in its shape, with the ids of the path."""
    if not path_params:
        return msgspec.json.decode(raw, type=shape)
    return msgspec.convert({**msgspec.json.decode(raw, type=dict[str, Any]), **path_params}, shape)


def _stranger(key: str | None) -> Response:
    if key is None:
        return refusal(403, "Forbidden", "Control is for this machine only: loopback Host, no foreign Origin.")
    return refusal(
        403, "Forbidden", "Control needs the sandbox's control key (Authorization: Bearer KEY), and no foreign Origin."
    )


def _json(status: int, body: object) -> Response:
    headers = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
    return Response(encode(body), status, headers, "application/json")


def refusal(status: int, type: str, message: str) -> Response:
    """Return a no of the control endpoints, in the API's envelope."""
    return _json(status, {"error": {"type": type, "message": message}})


_ENDPOINTS: Final[list[tuple[str, str, Callable[[World, State, Any], object], type]]] = [
    ("", "GET", lambda world, state, _: describe(world, state), Nothing),
    ("/tokens", "POST", lambda _, state, asked: state.token(_user(state, asked)), ForUser),
    ("/clicks", "POST", lambda _, state, asked: {"launch_url": state.click(*astuple(asked))}, Click),
    ("/revocations", "POST", _revoke, ForUser),
    ("/users", "POST", lambda _, state, asked: state.people.hire(asked.name, asked.email), Hire),
    ("/users/{user_id:int}", "PATCH", _change_user, UserChange),
    ("/users/{user_id:int}", "DELETE", lambda _, state, asked: state.remove(asked.user_id), OneUser),
    (
        "/closed_matters/{matter_id:int}",
        "PUT",
        lambda _, state, asked: state.close_matter(*astuple(asked)),
        ClosedMatter,
    ),
    ("/app", "PATCH", _change_app, AppChange),
    ("/clock", "GET", lambda world, *_: _time(world), Nothing),
    ("/clock/advance", "POST", _advance, Step),
    ("/requests", "GET", lambda _, state, asked: list(state.log), Nothing),
    ("/oauth_requests", "GET", lambda _, state, asked: list(state.oauth_log), Nothing),
    ("/faults", "GET", lambda _, state, asked: _armed(state.faults), Nothing),
    ("/faults", "POST", lambda _, state, fault: state.faults.add(fault), Fault),
    ("/faults", "DELETE", lambda _, state, asked: state.faults.clear(), Nothing),
    ("/world", "GET", lambda world, *_: msgspec.Raw(world.save()), Nothing),
    ("/world", "PUT", lambda world, _, saved: world.load(bytes(saved)), msgspec.Raw),
    ("/reset", "POST", lambda world, *_: world.reset(), Nothing),
]

ROUTES: Final = [
    _route(f"/control{path}", method, act, shape)
    for path, method, act, shape in (*_ENDPOINTS, ("/", *_ENDPOINTS[0][1:]))
]

REQUESTS: Final = [(path.replace(":int", ""), method, shape) for path, method, _, shape in _ENDPOINTS]
"""Path, method and body of each endpoint, for the OpenAPI document."""
