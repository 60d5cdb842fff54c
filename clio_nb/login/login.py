"""One login, from the link that the user follows to the session.

The redirect URI that is registered for the app decides the way back: on 127.0.0.1 a listener waits for it; under a
JupyterHub's ``/proxy/PORT/`` the same listener, reached through the hub; on any other the user pastes what the browser
shows.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import anyio.to_thread

from .. import errors
from ..arguments import a_site
from ..http import oauth, timeouts, tokens
from ..http.sandbox_control import Control
from ..http.sync_and_async import awaited, on_loop, sync_function_into, sync_method_into
from ..models import Site, Token
from ..secret import Secret
from ..session import AsyncSession, Session
from ..tracebacks import verbs
from ._callback import Callback, listen
from .redirect_uri import way_back

PATIENCE: Final = 300.0
Ask = Callable[[errors.ClioError | None], Awaitable[Secret | str]]


@awaited
@verbs
class AsyncLogin:
    """One attempt to sign a user in, awaited; used as :class:`clio_nb.login.Login`.

    Args:
        site: The app to sign in to.
        redirect_uri: Another one of those that the app has registered.

    Raises:
        errors.InvalidInput: A redirect URI that no app can register.
    """

    def __init__(self, site: Site, *, redirect_uri: str | None = None) -> None:
        self.site = a_site(site)
        self._grant = oauth.Authorization(site, redirect_uri or site.redirect_uri)
        self._way = way_back(self._grant.redirect_uri)

    def __repr__(self) -> str:
        return f"<Login at {self.site.origin}, comes back to {self._grant.redirect_uri}>"

    @property
    def authorization_url(self) -> str:
        """Clio's consent page for this attempt. Show it to this user only."""
        return self._grant.authorization_url

    @property
    def port(self) -> int | None:
        """The port on this machine that the redirect URI leads to, or None when only pasting is possible."""
        return self._way.port

    @on_loop
    async def wait(
        self,
        timeout: float = PATIENCE,  # noqa: ASYNC109 -- how long a person may take
        *,
        show: Callable[[str], object] | None = None,
        ask: Ask | None = None,
    ) -> AsyncSession:
        """Wait for the browser to come back, or for what the user pastes, and return the session.

        Args:
            timeout: Seconds to wait.
            show: Called with the link, in a thread of its own, once an answer can be received.
            ask: A coroutine function that returns what the user pastes, for as long as the browser has not come back:
                called with None first, and again with the error whenever that was not an answer to this attempt. Where
                another program has the port, it is called with that error, and pasting is the only way.

        Returns:
            The session of the user who allowed it.

        Raises:
            errors.LoginTimeout: Nobody answered in time.
            errors.LoginDeclined: The user said no.
            errors.PortBusy: Another program has the port, or it is forbidden, and there is no ``ask``.
            errors.InvalidInput: No listener here can receive the answer, and there is no ``ask``.

        Examples:
            >>> from clio_nb.login import Login
            >>> Login(site, redirect_uri=site.origin + "/oauth/approval").wait()
            Traceback (most recent call last):
            clio_nb.errors.InvalidInput: This redirect URI does not lead to this machine. ...
        """
        if self.port is None and ask is None:
            raise errors.InvalidInput(self._way.why, field="redirect_uri")
        callback, problem = None, None
        async with contextlib.AsyncExitStack() as listening:
            try:
                if self.port is not None:
                    callback = await listening.enter_async_context(listen(self._grant, self._way))
            except errors.PortBusy as error:
                if ask is None:
                    raise
                problem = error
            ways: list[asyncio.Task[AsyncSession]] = []
            listening.push_async_callback(_give_up, ways)
            if callback is not None:
                ways.append(asyncio.create_task(self._come_back(callback)))
            if ask is not None:
                ways.append(asyncio.create_task(self._be_pasted(ask, problem)))
            if show is not None:
                await anyio.to_thread.run_sync(show, self.authorization_url)
            patience = min(timeout, timeouts.left())
            done, _ = await asyncio.wait(ways, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                raise errors.LoginTimeout(
                    f"No answer came within {timeout:.0f} s. Start the login again. If the browser could not open "
                    "the page that it was sent to, paste the address of that page: into clio-nb login, the sign-in "
                    "form, or Login(site).finish()."
                )
            return done.pop().result()

    async def _come_back(self, callback: Callback) -> AsyncSession:
        return await self.finish(await callback.answer)

    async def _be_pasted(self, ask: Ask, problem: errors.ClioError | None) -> AsyncSession:
        while True:
            answer = await ask(problem)
            try:
                return await self.finish(answer)
            except (errors.InvalidInput, errors.StateMismatch, errors.GrantRefused) as error:
                problem = error

    @on_loop
    async def finish(self, answer: str | Secret) -> AsyncSession:
        """Turn a code, or the whole redirect URL, into the session of the user who allowed it.

        Args:
            answer: What the user pastes: the code, or the address that the browser ended up at.

        Returns:
            The session of the user who allowed it.

        Raises:
            errors.InvalidInput: It is not a code and not such an address.
            errors.StateMismatch: It belongs to another attempt.
            errors.LoginDeclined: The user said no.
            errors.GrantRefused: The code is used or too old: it works once, for 10 minutes.
            errors.ClientRefused: Clio does not know this app.

        Examples:
            >>> from clio_nb.login import Login
            >>> Login(site).finish("no-such-code")
            Traceback (most recent call last):
            clio_nb.errors.GrantRefused: ...
        """
        answer = self._grant.code_from(answer)
        return await _session(self.site, await tokens.grant(self.site, self._grant.exchange(answer)))


class Login:
    """One attempt to sign a user in, for where the browser cannot come back by itself.

    Show the user ``authorization_url``; then either :meth:`wait` for the browser to come back, or give :meth:`finish`
    what the user pastes. Both return the session, once.

    Args:
        site: The app to sign in to.
        redirect_uri: Another one of those that the app has registered.

    Examples:
        >>> from clio_nb.login import Login
        >>> Login(site).port
        8765
    """

    def __init__(self, site: Site, *, redirect_uri: str | None = None) -> None:
        self.aio = AsyncLogin(site, redirect_uri=redirect_uri)

    def __repr__(self) -> str:
        return repr(self.aio)

    @property
    def site(self) -> Site:
        """The app and Clio that the user signs in to."""
        return self.aio.site

    @property
    def authorization_url(self) -> str:
        """Clio's consent page for this attempt. Show it to this user only."""
        return self.aio.authorization_url

    @property
    def port(self) -> int | None:
        """The port on this machine that the redirect URI leads to, or None when only pasting is possible."""
        return self.aio.port

    wait = sync_method_into(Session.of)(AsyncLogin.wait)
    finish = sync_method_into(Session.of)(AsyncLogin.finish)


async def _give_up(ways: Iterable[asyncio.Task[AsyncSession]]) -> None:
    for way in ways:
        way.cancel()
    await asyncio.gather(*ways, return_exceptions=True)


async def _session(site: Site, token: Token) -> AsyncSession:
    session = AsyncSession(site, token)
    await session.who_am_i()
    return session


@sync_function_into(Session.of)
async def login(
    site: Site,
    user: int | None = None,
    *,
    show: Callable[[str], object] | None = None,
    timeout: float = PATIENCE,  # noqa: ASYNC109 -- how long a person may take
) -> AsyncSession:
    """Sign a user in.

    At Clio itself a browser is needed, which comes back to the app's redirect URI on this machine; where that is
    impossible, use :class:`clio_nb.login.Login` and paste. On a sandbox none is needed.

    Args:
        site: The app to sign in to: what :func:`clio_nb.connect` or :func:`clio_nb.sandbox` returns.
        user: On a sandbox the id of the user to sign in, the account owner if left out.
        show: Called with the link that the user must follow, such as ``webbrowser.open``; without it, it is printed. On
            a sandbox, give it to go through the consent page.
        timeout: Seconds to wait for the browser.

    Returns:
        The session of the user who allowed it.

    Raises:
        errors.LoginError: It did not work; the class says why: declined, timed out, a wrong secret or region.
        errors.PortBusy: Another program has the port of the redirect URI.
        errors.InvalidInput: ``site`` is not a site, or the redirect URI does not lead to this machine.

    Examples:
        >>> clio.login(site, user=site.users[1].id).user.name
        'Renwick Vantongeren'
    """
    if (site := a_site(site)).control_url is not None and show is None:
        return await _session(site, await Control(site).token(user))
    return await AsyncLogin(site).wait(timeout, show=show or _print)


def _print(url: str) -> None:
    sys.stdout.write(f"Sign in at Clio: {url}\n")
