"""Receive launches in an ASGI app (Starlette, FastAPI): proved launches reach your page, all others are refused."""

from __future__ import annotations

from typing import Final

from ..http.loopback import AsgiApp, Message, Receive, Send
from ..launches._pages import PRIVATE, Page, answer, visit_of
from ..launches.proof.sessions import Sessions
from ..launches.proof.steps import Actions
from ._guard import Guard
from .signed_cookie import Key

KEY: Final = "clio_nb.launch"
"""Where the page finds its :class:`~clio_nb.launches.ProvedLaunch`: ``request.scope["clio_nb.launch"]``."""


class LaunchMiddleware:
    """Guard one path of an app: what comes through it is a launch whose user Clio has confirmed.

    ``sessions``, ``target`` and ``actions`` are those of :func:`clio_nb.verify_launch`; ``key`` signs the cookie that
    shows a proved launch again on a reload (32 characters or more, the same in every process; ``[new, old]`` while it
    is being replaced); ``path`` is where the launches come in; ``timeout`` is how many seconds a proof may take. Give
    ``target`` only where the app sees its public scheme and host. Other paths are left alone::

        app.add_middleware(LaunchMiddleware, sessions=firm, key=os.environ["LAUNCH_KEY"], path="/launch")
    """

    def __init__(
        self,
        app: AsgiApp,
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

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or scope["path"].removeprefix(scope.get("root_path", "")) != self._path:
            await self._app(scope, receive, send)
            return
        outcome = await self._guard.admit(visit_of(scope))
        if isinstance(outcome, Page):
            await answer(outcome, send)
        else:
            await self._app({**scope, KEY: outcome}, receive, _privately(send))


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
