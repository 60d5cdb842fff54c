"""The ASGI app: API and OAuth straight through, with faults where asked for; everything else by Starlette's routes."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from .. import openapi, screens
from ..api import endpoints as api
from ..control import endpoints as control
from ..faults import Effects, Fault, strike
from ..http import body
from ..http.answers import Answer, Refusal, encode
from ..http.pages import HEADERS, problem
from ..http.request import Request
from ..oauth import endpoints as oauth
from ..world import scope as about
from ..world.regional import Regional
from ..world.state import State
from ..world.world import World
from .connections import Lines

_WITH_BODY: Final = frozenset({"POST", "PATCH", "PUT"})
_PREFIX: Final = re.compile(rb"(/[A-Za-z0-9._~%@-]+)+")


class App:
    """Serve a world. ``ports`` says which region listens where."""

    def __init__(self, world: World, ports: Mapping[int, Regional], lines: Lines) -> None:
        self._world = world
        self._ports = ports
        self._lines = lines
        self._ids = itertools.count(1)
        self._pages = Starlette(
            routes=[*control.ROUTES, Route("/openapi.json", _document), *screens.ROUTES],
            exception_handlers={HTTPException: _no_page},
        )
        self._pages.router.redirect_slashes = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        here = self._ports[scope["server"][1]]
        headers = dict(scope["headers"])
        path = _unprefixed(scope, headers)
        if path.startswith(("/api/", oauth.PREFIX)):
            request = Request(scope["method"], path, scope["query_string"], headers)
            await self._exchange(here, request, scope, receive, send)
        else:
            about.bind(scope, here, self._world)
            await self._pages(scope, receive, send)

    async def _exchange(self, here: Regional, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
        if request.method in _WITH_BODY:
            request.body = await _body(request.headers, receive)
        answer: Answer | None = None
        with here.app.lock:  # from the token to the answer: nobody revokes it in between
            user_id = _user_of(here, request)
            state = here.state_of(user_id)
            hitting = state.faults.hitting(request, user_id) if state.faults else None
            if hitting is None:
                answer = _act(here, state, request)
        if hitting is not None:
            answer = await self._with_faults(hitting, here, state, request, user_id)
        _note(state, request, user_id, answer)
        if answer is None:
            self._lines.abort(scope)
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        await self._send(answer, state, send)

    async def _with_faults(
        self, hitting: list[Fault], here: Regional, state: State, request: Request, user_id: int | None
    ) -> Answer | None:
        def revoke() -> None:
            with state.lock:
                if request.bearer:
                    here.app.grants.end(request.bearer)
                elif user_id is not None:
                    here.app.grants.revoke(user_id)

        effects = Effects(
            act=lambda: _act_now(here, state, request),
            wait=self._lines.pause,
            revoke=revoke,
            swap=lambda answer: api.other_record(state, request, answer),
        )
        return await strike(hitting, request, effects, state.clock)

    async def _send(self, answer: Answer, state: State, send: Send) -> None:
        status, headers, content = answer
        headers += [(b"date", state.clock.http_date()), (b"x-request-id", b"%032x" % next(self._ids))]
        if status not in (204, 304):
            headers.append((b"content-length", b"%d" % len(content)))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})


def _act(here: Regional, state: State, request: Request) -> Answer:
    return oauth.answer(here, request) if request.path.startswith(oauth.PREFIX) else api.answer(state, request)


def _act_now(here: Regional, state: State, request: Request) -> Answer:
    """Act after a fault: by now the token may have ended."""
    with here.app.lock:
        _user_of(here, request)
        return _act(here, state, request)


def _unprefixed(scope: Scope, headers: Mapping[bytes, bytes]) -> str:
    """Return the path without the prefix of a proxy, and tell Starlette of it (jupyter-server-proxy names it)."""
    path: str = scope["path"]
    prefix = headers.get(b"x-forwarded-prefix")
    if prefix and _PREFIX.fullmatch(prefix):
        root = prefix.decode("ascii")
        path = path.removeprefix(root) if path.startswith(f"{root}/") else path
        scope["root_path"], scope["path"] = root, root + path
    return path


async def _document(request: HttpRequest) -> Response:
    return Response(encode(openapi.document(about.state_of(request).app.origin)), media_type="application/json")


async def _no_page(request: HttpRequest, error: Exception) -> Response:
    """Say that there is no such page: in JSON to a program, as a page to a person."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    if request.scope["path"].startswith("/control"):
        return control.refusal(status, "RecordNotFound", "There is no such control endpoint; see /openapi.json.")
    return Response(problem("There is no such page.").body, status, HEADERS)


async def _body(headers: Mapping[bytes, bytes], receive: Receive) -> Any:
    try:
        raw = await body.receive_all(receive)
        return await body.decode(headers.get(b"content-type", b""), raw)
    except Refusal as refusal:
        return refusal


def _user_of(here: Regional, request: Request) -> int | None:
    if request.path.startswith(oauth.PREFIX):
        return oauth.user_of(here, request)
    request.access = here.app.grants.access(request.bearer) if request.bearer else None
    return request.access.user_id if request.access else None


def _note(state: State, request: Request, user_id: int | None, answer: Answer | None) -> None:
    """Remember a request, without any value that it carried."""
    try:
        names = request.query.names()
    except Refusal:
        names = []
    log = state.oauth_log if request.path.startswith(oauth.PREFIX) else state.log
    log.append(
        {
            "method": request.method,
            "path": request.path,
            "query": names,
            "status": answer.status if answer else None,
            "user_id": user_id,
        }
    )
