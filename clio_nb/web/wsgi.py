"""Receive launches in a WSGI app (Flask): proved launches reach your page, all others are refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol
from urllib.parse import quote

from ..http import loop
from ..launches._pages import PRIVATE, Page, Visit
from . import onboarding
from ._guard import KEY, Guard, launch_in
from .proved_launch import ProvedLaunch

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]


class HasEnviron(Protocol):
    """A request of Flask or Werkzeug."""

    @property
    def environ(self) -> Mapping[str, Any]:
        """The request as WSGI describes it."""


class LaunchMiddleware(Guard[WsgiApp]):
    """Guard one address of a WSGI app. Its arguments are those of :class:`clio_nb.web.asgi.LaunchMiddleware`.

    In Flask::

        app.wsgi_app = LaunchMiddleware(app.wsgi_app, sessions=firm, key=os.environ["LAUNCH_KEY"], path="/launch")
    """

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        prefix, path = (_text(environ, name) for name in ("SCRIPT_NAME", "PATH_INFO"))
        places = self.places(prefix, f"{prefix}/{path}")
        if not places:
            return self._app(environ, start_response)
        outcome = loop.run(self.admit, _visit(environ, prefix.rstrip("/") + path), places)
        if isinstance(outcome, Page):
            start_response(outcome.phrase, [*outcome.headers, ("content-length", str(len(outcome.body)))])
            return [outcome.body]
        return self._app({**environ, KEY: ProvedLaunch.of(outcome)}, _privately(start_response))


class Onboarding(onboarding.Onboarding):
    """The pages by which users connect. Its arguments are those of :class:`clio_nb.web.onboarding.Onboarding`."""

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        length = str(environ.get("CONTENT_LENGTH") or 0)
        size = int(length) if length.isascii() and length.isdigit() and len(length) < 10 else onboarding.BODY_MAX + 1
        body = environ["wsgi.input"].read(size) if size <= onboarding.BODY_MAX else None
        prefix, path = (_text(environ, name) for name in ("SCRIPT_NAME", "PATH_INFO"))
        page = loop.run(self.respond, path, _visit(environ, prefix + path), body)
        start_response(page.phrase, [*page.headers, ("content-length", str(len(page.body)))])
        return [page.body]


def launch_of(request: HasEnviron | Mapping[str, Any]) -> ProvedLaunch:
    """Return the launch that has led to this request.

    Args:
        request: Flask's ``request``, or the ``environ`` of WSGI.

    Returns:
        The proved launch.

    Raises:
        errors.NotAdmitted: No middleware guards this page, so nothing was proved.
    """
    environ = request if isinstance(request, Mapping) else request.environ
    return launch_in(environ.get(KEY), environ.get("PATH_INFO", ""), ProvedLaunch)


def _text(environ: Environ, name: str) -> str:
    """Return a path, which WSGI gives as bytes in the form of Latin-1."""
    return str(environ.get(name, "")).encode("latin-1").decode(errors="replace")


def _visit(environ: Environ, path: str) -> Visit:
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    host = headers.get("host") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
    plain = quote(path, safe="/:@!$&'()*+,;=~")
    return Visit(
        environ["REQUEST_METHOD"], environ["wsgi.url_scheme"], host, plain, environ.get("QUERY_STRING", ""), headers
    )


def _privately(start_response: StartResponse) -> StartResponse:
    """Add the headers of privacy to an answer that does not set them itself."""

    def starting(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
        names = {name.lower() for name, _ in headers}
        return start_response(status, [*headers, *(pair for pair in PRIVATE if pair[0] not in names)], *rest)

    return starting
