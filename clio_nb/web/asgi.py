"""Receive launches in an ASGI app (Starlette, FastAPI): proved launches reach your page, all others are refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from ..http.loopback import AsgiApp, Message, Receive, Send
from ..launches._pages import PRIVATE, Page, answer, visit_of
from . import onboarding
from ._guard import KEY, Guard, launch_in
from .proved_launch import AsyncProvedLaunch


class HasScope(Protocol):
    """A request of Starlette or FastAPI."""

    @property
    def scope(self) -> Mapping[str, Any]:
        """The connection as ASGI describes it."""


class LaunchMiddleware(Guard[AsgiApp]):
    """Guard one address of an ASGI app: what comes through it is a launch whose user Clio has confirmed.

    Other addresses are left alone. The page reads the launch with :func:`launch_of`::

        app.add_middleware(LaunchMiddleware, sessions=firm, key=os.environ["LAUNCH_KEY"], path="/launch")

    Args:
        app: Your app.
        sessions: Where the token of the user who clicked is found: a firm, a list of sessions, or
            :class:`clio_nb.web.VaultSessions` for all firms of a vault.
        key: Signs the cookie that shows a proved launch again on a reload: 32 characters or more, the same in every
            process; ``[new, old]`` while it is being replaced.
        path: Where the launches come in, as your routes have it; it counts with and without a slash at the end.
        url: The public address of ``path``. Needed behind a proxy: the path and ``Secure`` of the cookie come from it.
        target: As in :func:`clio_nb.verify_launch`: launches of any other target are refused.
        actions: Which actions count as yours, as in :func:`clio_nb.verify_launch`.
        connect_url: Where a user connects your app to Clio; every page of a refusal leads there.
        templates: A folder whose templates replace the pages of a refusal: ``click_again.html``,
            ``not_a_launch.html``, ``too_early.html``, and what they have in common, ``page.html``.
        timeout: How many seconds a visit may wait in all.
        record: True to record each launch in the ledger of the vault, for 400 days, or a ``timedelta`` for how long.
            Some firms forbid to watch employees: nothing is recorded unless you say so.

    Raises:
        errors.InvalidInput: One of these cannot work; ``field`` names it.
    """

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        places = self.places(scope.get("root_path", ""), scope["path"]) if scope["type"] == "http" else ()
        if not places:
            await self._app(scope, receive, send)
            return
        outcome = await self.admit(visit_of(scope), places)
        if isinstance(outcome, Page):
            await answer(outcome, send)
        else:
            await self._app({**scope, KEY: outcome}, receive, _privately(send))


class Onboarding(onboarding.Onboarding):
    """The pages by which users connect. Its arguments are those of :class:`clio_nb.web.onboarding.Onboarding`."""

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            raise RuntimeError("These pages are served over HTTP only.")
        route = scope["path"].removeprefix(scope.get("root_path", ""))
        page = await self.respond(route, visit_of(scope), await body_of(receive))
        await answer(page, send)


async def body_of(receive: Receive) -> bytes | None:
    """Return the body of a request; None when it is larger than any that is expected."""
    body = b""
    while len(body) <= onboarding.BODY_MAX:
        message = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body"):
            break
    return body if len(body) <= onboarding.BODY_MAX else None


def launch_of(request: HasScope) -> AsyncProvedLaunch:
    """Return the launch that has led to this request.

    Args:
        request: What the page was called with.

    Returns:
        The proved launch.

    Raises:
        errors.NotAdmitted: No middleware guards this page, so nothing was proved.
    """
    return launch_in(request.scope.get(KEY), request.scope.get("path", ""), AsyncProvedLaunch)


def _privately(send: Send) -> Send:
    """Add the headers of privacy to an answer that does not set them itself."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            names = {bytes(name).lower() for name, _ in headers}
            headers += [(name.encode(), value.encode()) for name, value in PRIVATE if name.encode() not in names]
            message = {**message, "headers": headers}
        await send(message)

    return sending
