"""One request to the screens: who asks, as which user, with what form; and the ways to answer it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..firm.rows import Row
from ..http import pages
from ..http.answers import Refusal
from ..http.body import pairs, receive_all
from ..world.scope import state_of, world_of
from ..world.state import State
from ..world.world import World
from .guard import Sorry, demand_key, form_token, is_own_form, refuse_strangers

_HEADERS: Final = {
    **pages.HEADERS,
    # With "no-referrer" a browser would send its own forms with "Origin: null".
    "referrer-policy": "same-origin",
    # Framed by a notebook on this machine, or by a hub that serves both.
    "content-security-policy": pages.HEADERS["content-security-policy"]
    + "; frame-ancestors 'self' http://127.0.0.1:* http://localhost:*",
}

_IN_URLS: Final = "%/:?#[]@!$&'()*+,;=|"


@dataclass(frozen=True, slots=True)
class Visit:
    """A request. ``user`` is the one it is made as, None outside the user's own pages."""

    request: Request
    state: State
    world: World
    fields: Mapping[str, str]
    user: Row | None

    @property
    def path(self) -> str:
        """The path from the root of the screens, without a leading slash."""
        return _path(self.request)

    @property
    def root(self) -> str:
        """The way from this page to the root, relative, so that it holds behind any proxy."""
        return _way_to_root(self.request)

    @property
    def base(self) -> str:
        """The way from this page to the user's own pages, or to the root where there is no user."""
        return f"{self.root}as/{self.user.id}/" if self.user else self.root

    @property
    def me(self) -> Row:
        """The user whose page this is."""
        if self.user is None:
            raise Sorry(404, "This page belongs to a user. Pick one first.")
        return self.user

    def page(self, template: str, **values: Any) -> Response:
        """Answer with a page."""
        html = pages.render(
            f"screens/{template}",
            visit=self,
            firm_name=self.state.name,
            region=self.state.app.region.value.upper(),
            form_token=form_token(self.state),
            **values,
        )
        return Response(html.encode(errors="replace"), 200, _HEADERS)

    def go(self, path: str) -> Response:
        """Send the browser to one of the user's own pages, after a form."""
        return Response(status_code=303, headers={**_HEADERS, "location": self.base + path})

    def leave(self, url: str) -> Response:
        """Send the browser away."""
        location = quote(url, safe=_IN_URLS, errors="replace")
        return Response(status_code=303, headers={**_HEADERS, "referrer-policy": "no-referrer", "location": location})


View = Callable[[Visit], Response]


def number(text: str | None) -> int | None:
    """Return a whole number that a person or a link gave, or None for anything else."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 20 else None


def row(state: State, resource: str, given: str) -> Row | None:
    """Return the record with the id that a link gave, or None."""
    known = number(given)
    return None if known is None else state.row(resource, known)


def screen(path: str, view: View, method: str = "GET", *, steers: bool = False) -> Route:
    """Return a route to a view; strangers, foreign forms and wrong users never reach it.

    A view that ``steers`` the sandbox is for those who have the control key, where there is one.
    """

    async def endpoint(request: Request) -> Response:
        state = state_of(request)
        try:
            refuse_strangers(request, world_of(request))
            if steers:
                demand_key(request, world_of(request))
            fields = await _fields(request, state) if method == "POST" else {}
            with state.lock:
                user = _user(state, request.path_params["user"]) if "user" in request.path_params else None
                return view(Visit(request, state, world_of(request), fields, user))
        except Sorry as sorry:
            page = _problem(request, sorry.status, str(sorry))
            if sorry.status == 401:
                page.headers["www-authenticate"] = 'Basic realm="clio-nb sandbox: control key", charset="UTF-8"'
            return page
        except Refusal as refusal:
            return _problem(request, refusal.status, f"{refusal}.")

    return Route(path, endpoint, methods=[method])


async def _fields(request: Request, state: State) -> dict[str, str]:
    raw = await receive_all(request.receive)
    fields = dict(await pairs(request.headers.get("content-type", "").encode(), raw))
    if not is_own_form(state, fields):
        raise Sorry(403, "This form is not from a page of this sandbox, or older than its start. Reload the page.")
    return fields


def _user(state: State, given: str) -> Row:
    user = row(state, "users", given)
    if user is None:
        raise Sorry(404, "There is no such user in this firm. Go back to the list of users and pick one.")
    if not user.data["enabled"]:
        raise Sorry(403, f"{user.data['name']} is disabled and cannot sign in. Pick another user.")
    return user


def _problem(request: Request, status: int, sentence: str) -> Response:
    html = pages.render("problem.html", sentence=sentence, way_back=_way_to_root(request))
    return Response(html.encode(errors="replace"), status, _HEADERS)


def _path(request: Request) -> str:
    full: str = request.scope["path"]
    return full.removeprefix(request.scope.get("root_path", "")).lstrip("/")


def _way_to_root(request: Request) -> str:
    # Asked for as /proxy/PORT, the root cannot be told from /proxy/PORT/: there the proxy's own word is taken.
    return "../" * _path(request).count("/") or f"{request.scope.get('root_path') or '.'}/"
