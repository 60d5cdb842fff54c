"""Receive launches in a WSGI app (Flask, Django): proved launches reach your page, all others are refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final
from urllib.parse import quote

from ..http import loop
from ..launches._pages import PRIVATE, Page, Visit
from ..launches.proof.sessions import Sessions
from ..launches.proof.steps import Actions
from ._guard import Guard
from .signed_cookie import Key

KEY: Final = "clio_nb.launch"
"""Where the page finds its :class:`~clio_nb.launches.ProvedLaunch`: ``request.environ["clio_nb.launch"]``."""

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]


class LaunchMiddleware:
    """Guard one path of an app, as :class:`clio_nb.web.asgi.LaunchMiddleware` does.

    In Flask::

        app.wsgi_app = LaunchMiddleware(app.wsgi_app, sessions=firm, key=os.environ["LAUNCH_KEY"], path="/launch")
    """

    def __init__(
        self,
        app: WsgiApp,
        sessions: Sessions,
        key: Key,
        *,
        path: str = "/launch",
        target: str | None = None,
        actions: Actions = "known",
        timeout: float | None = None,
    ) -> None:
        self._app = app
        self._path = path
        self._guard = Guard(sessions, key, target=target, actions=actions, timeout=timeout)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        if environ.get("PATH_INFO", "") != self._path:
            return self._app(environ, start_response)
        outcome = loop.run(self._guard.admit, _visit(environ))
        if isinstance(outcome, Page):
            start_response(outcome.phrase, [*outcome.headers, ("content-length", str(len(outcome.body)))])
            return [outcome.body]
        return self._app({**environ, KEY: outcome}, _privately(start_response))


def _visit(environ: Environ) -> Visit:
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    raw = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    path = quote(raw.encode("latin-1"), safe="/:@!$&'()*+,;=~")
    host = headers.get("host") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
    query = environ.get("QUERY_STRING", "")
    return Visit(environ["REQUEST_METHOD"], environ["wsgi.url_scheme"], host, path, query, headers)


def _privately(start_response: StartResponse) -> StartResponse:
    """Add the headers of privacy to an answer that does not set them itself."""

    def starting(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
        names = {name.lower() for name, _ in headers}
        return start_response(status, [*headers, *(pair for pair in PRIVATE if pair[0] not in names)], *rest)

    return starting
