"""One login, from the link that the user follows to the session.

The redirect URI that is registered for the app decides the way back: on 127.0.0.1 a listener waits for it; under a
JupyterHub's ``/proxy/PORT/`` the same listener, reached through the hub; on any other the user pastes what the browser
shows.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

import anyio.to_thread
import msgspec

from .. import errors, oauth, portal, tokens, transport, wire
from ..client import AsyncSession, Session
from ..models import Site, Token
from ..portal import on_portal
from .callback import listen

PATIENCE: Final = 300.0
_PROXIED = re.compile(r"/proxy/(\d{1,5})(/.*)$")


class Login:
    """An attempt to sign one user in.

    Show the user ``authorization_url``; then either :meth:`wait` for the browser to come back, or give :meth:`finish`
    what the user pastes: the code, or the whole address that the browser ended up at. Both return the session, once.
    """

    def __init__(self, site: Site, *, redirect_uri: str | None = None) -> None:
        self.site = site
        self._grant = oauth.Grant(site, redirect_uri or site.redirect_uri)

    def __repr__(self) -> str:
        return f"<Login at {self.site.origin}, comes back to {self._grant.redirect_uri}>"

    @property
    def authorization_url(self) -> str:
        """Clio's consent page for this attempt. Show it to this user only."""
        return self._grant.authorization_url

    @property
    def port(self) -> int | None:
        """The port on this machine that the redirect URI leads to, or None when only pasting is possible."""
        parts = urlsplit(self._grant.redirect_uri)
        if parts.path == oauth.APPROVAL:  # Clio's own page, which shows the code
            return None
        if proxied := _PROXIED.search(parts.path):
            return int(proxied[1])
        return (parts.port or 80) if parts.hostname in ("127.0.0.1", "localhost") else None

    @on_portal
    async def wait_async(
        self,
        timeout: float = PATIENCE,  # noqa: ASYNC109 -- how long a person may take
        *,
        show: Callable[[str], object] | None = None,
    ) -> AsyncSession:
        """Listen for the redirect and return the session; ``timeout`` in seconds.

        ``show`` is called with the link, in a thread of its own, once the listener is up.

        Raises :class:`errors.LoginTimeout`, :class:`errors.LoginDeclined`, :class:`errors.PortBusy`, or what
        :meth:`finish` raises.
        """
        port = self.port
        if port is None:
            raise errors.InvalidInput(
                "This redirect URI does not lead to this machine. Follow the link and paste the code into finish().",
                field="redirect_uri",
            )
        parts = urlsplit(self._grant.redirect_uri)
        proxied = _PROXIED.search(parts.path)
        path = proxied[2] if proxied else parts.path
        # a redirect URI that is only a path comes back through a hub whose name this kernel does not know
        hosts = frozenset({f"127.0.0.1:{port}", f"localhost:{port}", parts.netloc} if parts.netloc else ())
        async with listen(self._grant, port, path, hosts) as callback:
            if show is not None:
                await anyio.to_thread.run_sync(show, self.authorization_url)
            try:
                answer = await asyncio.wait_for(callback.answer, timeout)
            except TimeoutError:
                raise errors.LoginTimeout(
                    f"Nobody came back from Clio's consent page within {timeout:.0f} s. Start the login again."
                ) from None
        return await self.finish_async(answer)

    @on_portal
    async def finish_async(self, answer: str) -> AsyncSession:
        """Turn a code, or the whole redirect URL, into the session of the user who allowed it.

        Raises :class:`errors.InvalidInput`, :class:`errors.StateMismatch`, :class:`errors.LoginDeclined`,
        :class:`errors.GrantRefused` (a code works once, for 10 minutes) or :class:`errors.ClientRefused`.
        """
        code = self._grant.code_from(answer)
        return await _session(self.site, await tokens.grant(self.site, self._grant.exchange(code)))

    def wait(self, timeout: float = PATIENCE) -> Session:
        """Wait for the browser to come back: :meth:`wait_async` for notebooks."""
        return Session.of(portal.run(self.wait_async, timeout))

    def finish(self, answer: str) -> Session:
        """Sign in with what the user pastes: :meth:`finish_async` for notebooks."""
        return Session.of(portal.run(self.finish_async, answer))


async def _session(site: Site, token: Token) -> AsyncSession:
    session = AsyncSession(site, token)
    await session.who_am_i()
    return session


@on_portal
async def login_async(
    site: Site,
    user: int | None = None,
    *,
    show: Callable[[str], object] | None = None,
    timeout: float = PATIENCE,  # noqa: ASYNC109
) -> AsyncSession:
    """Sign a user in and return the session: the async twin of :func:`login`."""
    if site.control_url is not None and show is None:
        return await _session(site, await _sandbox_token(site, site.control_url, user))
    return await Login(site).wait_async(timeout, show=show or _print)


def login(
    site: Site, user: int | None = None, *, show: Callable[[str], object] | None = None, timeout: float = PATIENCE
) -> Session:
    """Sign a user in and return the session.

    At Clio itself: ``show`` is called with the link that the user must follow (it is printed unless you give another
    function, such as ``webbrowser.open``), and the call waits up to ``timeout`` seconds for the browser to come back to
    the app's redirect URI on this machine. Where that is impossible use :class:`Login` and paste.

    On a sandbox: no browser is needed; ``user`` is the id of the user to sign in, the account owner if left out. Give
    ``show`` to go through its consent page instead.

    Raises a :class:`errors.LoginError` that says what happened: declined, timed out, wrong secret or region.
    """
    return Session.of(portal.run(login_async, site, user, show=show, timeout=timeout))


def _print(url: str) -> None:
    sys.stdout.write(f"Sign in at Clio: {url}\n")


async def _sandbox_token(site: Site, control_url: str, user: int | None) -> Token:
    """Have the sandbox grant a token without its consent page (``POST tokens``)."""
    raw = await transport.exchange(
        "POST",
        f"{control_url}/tokens",
        headers=wire.control_headers(site.control_key),
        content=msgspec.json.encode({"user_id": user} if user is not None else {}),
    )
    if raw.status != 200:
        wire.decipher(wire.Request("POST", "/control/tokens"), raw.status, raw.headers, raw.body, dict[str, Any])
    return oauth.token_from(raw.status, raw.body)
