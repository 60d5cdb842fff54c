"""Sign users in, one after another: follow a link to Clio's consent page, or paste what it shows."""

from __future__ import annotations

import asyncio
import os
from typing import Final

import anyio
import ipywidgets as w
from traitlets import Enum, Unicode

from .. import errors, markup
from ..arguments import a_site
from ..http import loop, oauth
from ..http.hub import in_browser, on_binder, redirect_uri_here
from ..login import AsyncLogin, connect
from ..login.login import PATIENCE
from ..models import Site, User
from ..secret import Secret
from ..session import AsyncSession, Session
from ..vocabulary import Region
from ._form import Form, Status, Work, call, html, push, say

STATES: Final = ("ready", "waiting", "connected", "declined", "timed out", "failed")
_FOLLOW: Final = "Follow the link and allow the access."
_PASTE: Final = "If the tab shows an error or a code, paste its address or the code here."


class LoginForm(Form[Session]):
    """Sign a user in, at a site or at one whose app is named in the form.

    ``value`` is the session of the user who came last, ``sessions`` all of them, ``state`` how far the login is. The
    link leads to Clio's consent page; ``paste`` takes the code, or the address that the browser ended up at, where the
    browser cannot come back to this machine. The fields for secrets are emptied as they are read.
    """

    state = Enum(STATES, "ready")
    region = Enum(list(Region), Region.US)
    client_id = Unicode()
    redirect_uri = Unicode()

    def __init__(self, site: Site | None = None, *, timeout: float = PATIENCE) -> None:
        super().__init__("Sign in to Clio", "Start sign-in")
        self._site: Final = site and a_site(site)
        self._timeout: Final = timeout
        self._client_secret = Secret("")
        self._attempt: AsyncLogin | None = None
        self._pasted: asyncio.Queue[Secret] = asyncio.Queue()
        self.sessions: tuple[Session, ...] = ()
        self.region = site.region if site else Region.US
        self._app: Final = self._fields_of_app()
        self._way: Final = html(hint=True)
        self._link: Final = html(hint=True)
        self.paste: Final = self._widget_for(
            "answer", w.Password(description="Code or address", continuous_update=False)
        )
        self.paste.placeholder = "Only if the browser does not come back by itself"
        self.paste.observe(self._take, "value")
        self.cancel: Final = push("Cancel", self.stop)
        self.cancel.layout.display = "none"
        self._people: Final = html()
        self._field("redirect_uri", w.Combobox(description="Redirect URI"))
        self._choose_way()
        rows = (*self._app, self.fields["redirect_uri"], self._way, self._link, self.paste)
        self._arrange(*rows, buttons=(self.cancel,), below=(self._people,))
        self.observe(self._draw_way, "redirect_uri")
        self.observe(self._choose_way, "region")
        self.observe(self._draw_state, "state")
        self.observe(self._draw_app, ["client_id", "region", "redirect_uri"])
        self._draw_way()
        self._draw_app()

    @property
    def authorization_url(self) -> str | None:
        """Clio's consent page for the attempt that is under way."""
        return self._attempt.authorization_url if self._attempt else None

    def prepare(self) -> Work[Session]:
        """Begin an attempt, and wait for the browser or for what is pasted."""
        self._attempt = attempt = AsyncLogin(self._connected(), redirect_uri=self.redirect_uri.strip() or None)
        self._pasted = asyncio.Queue()
        self.state = "waiting"

        async def work() -> Session:
            try:
                session = Session.of(await self._first_answer(attempt))
            except errors.LoginDeclined:
                self.state = "declined"
                raise
            except errors.LoginTimeout:
                self.state = "timed out"
                raise
            except errors.ClioError:
                self.state = "failed"
                raise
            except asyncio.CancelledError:
                self.state = "ready"
                raise
            finally:
                say(self._link, "")
                self._attempt = None
            self._welcome(session)
            return session

        return work

    def outcome(self, value: Session) -> Status:
        """Say who signed in."""
        user = value.user
        firm = f" of {user.account.name}" if user and user.account else ""
        return Status("done", f"Connected as {user.name if user else 'a user'}{firm}.")

    # The app: at a site it is known; otherwise the form asks for it.

    def _fields_of_app(self) -> tuple[w.Widget, ...]:
        if self._site is not None:
            host = "the embedded Clio" if self._site.control_url else f"{self._site.region.host}"
            return (w.HTML(markup.muted(f"At {markup.text(host)}, region {self._site.region.value}.")),)
        regions = [(f"{region.value}: {region.host}", region) for region in Region]
        self._field("region", w.Dropdown(description="Region", options=regions, value=self.region))
        self._field("client_id", w.Text(description="Client id", placeholder=_from_environment("CLIO_CLIENT_ID")))
        secret = self._widget_for("client_secret", w.Password(description="Client secret", continuous_update=False))
        secret.placeholder = _from_environment("CLIO_CLIENT_SECRET")
        secret.observe(self._take_secret, "value")
        self._public = self._widget_for(
            "on_public_machine", w.Checkbox(description="Use real data on this public machine")
        )
        self._public.layout.display = "flex" if on_binder() else "none"
        return (self.fields["region"], self.fields["client_id"], secret, self._public)

    def _connected(self) -> Site:
        if self._site is not None:
            return self._site
        return connect(
            self.region,
            client_id=self.client_id.strip() or None,
            client_secret=self._client_secret or None,
            redirect_uri=self.redirect_uri.strip() or None,
            on_public_machine=self._public.value,
        )

    def _take_secret(self, change: dict[str, str]) -> None:
        """Read the client secret, and empty the box at once."""
        if change["new"]:
            self.fields["client_secret"].value = ""
            self._client_secret = Secret(change["new"].strip())
            self.fields["client_secret"].placeholder = "entered; not shown again"

    # The way back: the redirect URI decides it.

    def _choose_way(self, _change: object = None) -> None:
        """Offer the redirect URIs that work from here, the best one first."""
        here = self._site.redirect_uri if self._site else redirect_uri_here(self.region)
        approval = (self._site.origin if self._site else self.region.origin) + oauth.APPROVAL
        self.fields["redirect_uri"].options = tuple(dict.fromkeys((here, approval)))
        self.redirect_uri = here

    def _draw_way(self, _change: object = None) -> None:
        if self.redirect_uri.endswith(oauth.APPROVAL):
            way = "Clio shows a code. Paste it below."
        elif "/proxy/" in self.redirect_uri:
            way = "The browser comes back through this server's proxy."
        else:
            way = "The browser comes back to this machine by itself."
        say(self._way, markup.muted(f"{way} The app must have this redirect URI registered."))

    def _draw_app(self, _change: object = None) -> None:
        if self._site is not None:
            self.code = "session = clio.login(site)"
            return
        arguments = [repr(self.region.value), f"client_id={self.client_id!r}", "client_secret=..."]
        self.code = f"site = {call('connect', *arguments, f'redirect_uri={self.redirect_uri!r}')}\n"
        self.code += "session = clio.login(site)"

    # Waiting for the answer.

    async def _first_answer(self, attempt: AsyncLogin) -> AsyncSession:
        """Return the session of whichever comes first: the browser or a pasted answer."""
        ways = [asyncio.create_task(way) for way in (self._come_back(attempt), self._be_pasted(attempt))]
        try:
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            return done.pop().result()
        finally:
            for way in ways:
                way.cancel()
            with anyio.CancelScope(shield=True):  # also when the login is given up: the listener must be gone
                await asyncio.gather(*ways, return_exceptions=True)

    async def _come_back(self, attempt: AsyncLogin) -> AsyncSession:
        """Wait for the browser; where it cannot come back to this machine, for the time that pasting may take."""
        if attempt.port is None:
            self._offer(attempt.authorization_url)
        else:
            try:
                return await attempt.wait(self._timeout, show=self._offer)
            except errors.PortBusy as error:
                self._offer(attempt.authorization_url)
                self.status = Status("busy", f"Port {error.port} is in use by another program. {_FOLLOW} {_PASTE}")
        await asyncio.sleep(self._timeout)
        raise errors.LoginTimeout(f"Nothing was pasted within {self._timeout:.0f} s. Start the sign-in again.")

    async def _be_pasted(self, attempt: AsyncLogin) -> AsyncSession:
        """Try what is pasted until it is the answer to this attempt."""
        while True:
            answer = await self._pasted.get()
            try:
                return await attempt.finish(answer)
            except (errors.InvalidInput, errors.StateMismatch) as error:
                self._tell(error)

    def _offer(self, authorization_url: str) -> None:
        """Show the link, now that an answer can be received."""
        say(self._link, markup.link(in_browser(authorization_url), "Open Clio's consent page in a new tab"))
        self.status = Status("busy", f"{_FOLLOW} {_PASTE}")

    def _take(self, change: dict[str, str]) -> None:
        """Read what is pasted, which holds a code, and empty the box at once."""
        if answer := change["new"].strip():
            self.paste.value = ""
            if self.state == "waiting":
                loop.submit(self._pasted.put, Secret(answer))
            else:
                problem = "Start the sign-in first: a code works only for the sign-in that it was made for."
                self._tell(errors.InvalidInput(problem, field="answer"))

    def _draw_state(self, _change: object = None) -> None:
        self.cancel.layout.display = "flex" if self.state == "waiting" else "none"
        again = "Sign in another user" if self.sessions else "Start sign-in"
        self.button.description = "Retry" if self.state in ("declined", "timed out", "failed") else again

    def _welcome(self, session: Session) -> None:
        known = {one.user.id: one for one in (*self.sessions, session) if one.user}
        self.sessions = tuple(known.values())
        self.state = "connected"
        say(self._people, _table_of([one.user for one in known.values() if one.user]))


def _table_of(users: list[User]) -> str:
    rows = (
        (markup.text(user.name), markup.text(user.account.name if user.account else ""), str(user.id)) for user in users
    )
    return markup.table("Signed in", ("user", "firm", "id"), rows)


def _from_environment(name: str) -> str:
    return f"from {name}" if os.environ.get(name) else "of your app in Clio's developer portal"
