"""Sign users in, one after another: follow a link to Clio's consent page, or paste what it shows."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from typing import Final

import ipywidgets as w
from traitlets import Enum, Tuple

from .. import errors, markup
from ..arguments import a_site
from ..http import loop, oauth, timeouts
from ..http.hub import in_browser, on_binder, redirect_uri_here
from ..login import AsyncLogin, connect
from ..login.connect import CLIENT_ID, CLIENT_SECRET, name_of
from ..login.login import PATIENCE
from ..login.redirect_uri import way_back
from ..models import Site, User
from ..secret import Secret
from ..session import Session
from ..vocabulary import Region
from ._form import Form, Status, Trimmed, Work, call, html, push, say, trimmed
from ._save import Save, texts

STATES: Final = ("ready", "waiting", "connected", "declined", "timed out", "failed")
_FOLLOW: Final = "Follow the link and allow the access."
_waiting: Final[dict[int, LoginForm]] = {}  # by port: of two forms in one kernel, the one started last waits
_PASTE: Final = "If the tab shows an error or a code, paste its address or the code here."


class LoginForm(Form[Session]):
    """Sign a user in, at a site or at one whose app is named in the form.

    ``value`` is the session of the user who came last, ``sessions`` those of all who are signed in, ``state`` how far
    the login is. Other forms are given this form itself, and follow who signs in and out. The
    link leads to Clio's consent page; ``paste`` takes the code, or the address that the browser ended up at, where the
    browser cannot come back to this machine. The fields for secrets are emptied as they are read.
    """

    state = Enum(STATES, "ready")
    region = Enum(list(Region), Region.US)
    client_id = Trimmed()
    redirect_uri = Trimmed()
    sessions = Tuple()

    def __init__(self, site: Site | None = None, *, timeout: float = PATIENCE) -> None:
        super().__init__("Sign in to Clio", "Start sign-in")
        self.site: Final = site and a_site(site)
        self._timeout: Final = timeout
        self._client_secret = Secret("")
        self._attempt: AsyncLogin | None = None
        self._pasted: asyncio.Queue[Secret] = asyncio.Queue()
        self.region = site.region if site else Region.US
        self._app: Final = self._fields_of_app()
        self._way: Final = html(hint=True)
        self._link: Final = html(hint=True)
        self.paste: Final = self._widget_for(
            "answer", w.Password(description="Code or address", continuous_update=False)
        )
        self.paste.placeholder = "If the browser does not come back; then Enter"
        self.paste.observe(self._take, "value")
        self.cancel: Final = push("Cancel", self.stop)
        self.cancel.layout.display = "none"
        self._present: Final = html()
        self._leaving: Final = self._widget_for("leaving", w.Dropdown(description="Sign out"))
        self.leave: Final = self._starter("Sign out", self._prepare_sign_out, self._say_signed_out)
        self._field("redirect_uri", w.Combobox(description="Redirect URI"))
        self._choose_way()
        rows = (*self._app, self.fields["redirect_uri"], self._way, self._link, self.paste)
        self.save: Final = Save()
        self._arrange(*rows, buttons=(self.cancel, self.leave), below=(self._present, self.save.view, self._leaving))
        self.observe(self._follow_sessions, "sessions")
        self.observe(self._draw_way, "redirect_uri")
        self.observe(self._choose_way, "region")
        self.observe(self._draw_state, "state")
        self.observe(self._draw_app, ["client_id", "region", "redirect_uri"])
        self._draw_way()
        self._draw_app()
        self._draw_sessions()

    def enter(self, field: str) -> None:
        """Start the sign-in; what is pasted is taken by itself."""
        if field != "answer":
            super().enter(field)

    @property
    def authorization_url(self) -> str | None:
        """Clio's consent page for the attempt that is under way."""
        return self._attempt.authorization_url if self._attempt else None

    def prepare(self) -> Work[Session]:
        """Begin an attempt, and wait for the browser or for what is pasted."""
        self._attempt = attempt = AsyncLogin(self._connected(), redirect_uri=self.redirect_uri or None)
        self._pasted = asyncio.Queue()
        self.state = "waiting"
        port = attempt.port or 0
        earlier = _waiting.get(port)
        _waiting[port] = self

        async def work() -> Session:
            try:
                if port and earlier is not None:
                    await earlier.give_way()
                session = Session.of(await attempt.wait(self._timeout, ask=partial(self._ask, attempt)))
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
                if _waiting.get(port) is self:
                    del _waiting[port]
            self._welcome(session)
            return session

        return work

    def outcome(self, value: Session) -> Status:
        """Say who signed in."""
        user = value.user
        firm = f" of {user.account.name}" if user and user.account else ""
        return Status("done", f"Connected as {user.name if user else 'a user'}{firm}.")

    async def give_way(self) -> None:
        """Stop waiting, and let go of the port: the sign-in was started again in another form of this kernel."""
        self.stop()
        while self.busy:
            await timeouts.sleep(0.05)
        self.status = Status("idle", "Stopped: the sign-in was started again in another form.")

    # Signing out.

    def sign_out(self, user_id: int | None = None) -> User:
        """Sign a user out at Clio: that one, or who came last. Other forms are told. Returns the user."""
        if user_id is not None:
            self._leaving.value = user_id
        return loop.run(self._carry_out, self._prepared(self._prepare_sign_out), self._say_signed_out)

    def _prepare_sign_out(self) -> Work[User]:
        session: Session | None = next((each for each in self.sessions if each.user.id == self._leaving.value), None)
        if session is None:
            raise errors.InvalidInput("Nobody is signed in.", field="leaving")
        self.status = Status("busy", f"Signing {session.user} out …")

        async def work() -> User:
            await session.aio.logout()
            return session.user

        return work

    def _say_signed_out(self, user: User) -> Status:
        return Status("done", f"{user} is signed out.")

    def _keep_signed_in(self) -> None:
        """Drop who has signed out, wherever that was done."""
        self.sessions = tuple(each for each in self.sessions if not each.aio.signed_out)
        self.value = self.sessions[-1] if self.sessions else None
        if not self.sessions and self.state == "connected":
            self.state = "ready"
        if self.status.kind == "done":
            self.status = Status("idle", "")

    def _follow_sessions(self, change: dict[str, tuple[Session, ...]]) -> None:
        for session in change["new"]:
            if session not in change["old"]:
                session.aio.at_logout.append(self._keep_signed_in)
        self._draw_sessions()

    def _draw_sessions(self) -> None:
        users = [session.user for session in self.sessions]
        say(self._present, _table_of(users) if users else "")
        self.save.offer("signed-in", (lambda: texts(_rows(users), ["user", "firm", "id"])) if users else None)
        self._leaving.options = [(str(user), user.id) for user in users]
        self._leaving.value = users[-1].id if users else None
        self._leaving.layout.display = "flex" if len(users) > 1 else "none"
        self.leave.layout.display = "flex" if users else "none"
        self._draw_state()

    # The app: at a site it is known; otherwise the form asks for it.

    def _fields_of_app(self) -> tuple[w.Widget, ...]:
        if self.site is not None:
            host = "the embedded Clio" if self.site.control_url else f"{self.site.region.host}"
            return (w.HTML(markup.muted(f"At {markup.text(host)}, region {self.site.region.value}.")),)
        regions = [(f"{region.value}: {region.host}", region) for region in Region]
        self._field("region", w.Dropdown(description="Region", options=regions, value=self.region))
        self._field("client_id", w.Text(description="Client id"))
        secret = self._widget_for("client_secret", w.Password(description="Client secret", continuous_update=False))
        secret.observe(self._take_secret, "value")
        self._public = self._widget_for(
            "on_public_machine", w.Checkbox(description="Use real data on this public machine")
        )
        self._public.observe(self._draw_app, "value")
        self._public.layout.display = "flex" if on_binder() else "none"
        return (self.fields["region"], self.fields["client_id"], secret, self._public)

    def _connected(self) -> Site:
        if self.site is not None:
            return self.site
        return connect(
            self.region,
            client_id=self.client_id or None,
            client_secret=self._client_secret or None,
            redirect_uri=self.redirect_uri or None,
            on_public_machine=self._public.value,
        )

    def _take_secret(self, change: dict[str, str]) -> None:
        """Read the client secret, and empty the box at once."""
        if change["new"]:
            self.fields["client_secret"].value = ""
            self._client_secret = Secret(trimmed(change["new"]))
            self.fields["client_secret"].placeholder = "entered; not shown again"
            self._draw_app()

    # The way back: the redirect URI decides it.

    def _choose_way(self, _change: object = None) -> None:
        """Offer the redirect URIs that work from here, the best one first."""
        here = self.site.redirect_uri if self.site else redirect_uri_here(self.region)
        approval = (self.site.origin if self.site else self.region.origin) + oauth.APPROVAL
        self.fields["redirect_uri"].options = tuple(dict.fromkeys((here, approval)))
        self.redirect_uri = here

    def _draw_way(self, _change: object = None) -> None:
        if self._comes_back():
            way = "The browser comes back to this machine by itself."
            if "/proxy/" in self.redirect_uri:
                way = "The browser comes back through this server's proxy."
        elif self.redirect_uri.endswith(oauth.APPROVAL):
            way = "Clio shows a code. Paste it below."
        else:
            way = "Nothing here can receive the browser's answer. Paste the address that it ends up at below."
        say(self._way, markup.muted(f"{way} The app must have this redirect URI registered."))

    def _comes_back(self) -> bool:
        """Whether the browser comes back by itself; not while the redirect URI is half typed."""
        try:
            return way_back(self.redirect_uri).port is not None
        except errors.InvalidInput:
            return False

    def _draw_app(self, _change: object = None) -> None:
        """Draw what the form does as code, without the client secret."""
        lines = []
        if self.site is None:
            arguments = [repr(self.region.value)]
            self.fields["client_id"].placeholder = _from_environment(CLIENT_ID, self.region)
            if not self._client_secret:
                self.fields["client_secret"].placeholder = _from_environment(CLIENT_SECRET, self.region)
            if self.client_id:
                arguments.append(f"client_id={self.client_id!r}")
            if self._client_secret:
                lines.append("from getpass import getpass\n")
                arguments.append("client_secret=getpass('Client secret: ')")
            if self.redirect_uri:
                arguments.append(f"redirect_uri={self.redirect_uri!r}")
            if self._public.value:
                arguments.append("on_public_machine=True")
            lines.append(f"site = {call('connect', *arguments)}")
        site_has_it = self.site is None or self.redirect_uri in ("", self.site.redirect_uri)
        attempt = "Login(site)" if site_has_it else f"Login(site, redirect_uri={self.redirect_uri!r})"
        waits = ["show=print", *([f"timeout={self._timeout}"] if self._timeout != PATIENCE else [])]
        if not self._comes_back():
            lines = ["from clio_nb.login import Login\n", *lines, f"attempt = {attempt}"]
            lines += ["print(attempt.authorization_url)", 'session = attempt.finish(input("Code or address: "))']
        elif site_has_it:
            lines.append(f"session = {call('login', 'site', *waits)}")
        else:
            waits[1:] = [each.removeprefix("timeout=") for each in waits[1:]]
            lines = ["from clio_nb.login import Login\n", *lines]
            lines.append(f"session = {attempt}.wait({', '.join(reversed(waits))})")
        self.code = "\n".join(lines)

    # Waiting for the answer.

    async def _ask(self, attempt: AsyncLogin, problem: errors.ClioError | None) -> Secret:
        """Show the link, or what is wrong with what was pasted; return what is pasted next."""
        busy = f"{problem.why} " if isinstance(problem, errors.PortBusy) else ""
        if problem is None or busy:
            url = in_browser(attempt.authorization_url)
            say(self._link, markup.link(url, "Open Clio's consent page in a new tab"))
            self.status = Status("busy", f"{busy}{_FOLLOW} {_PASTE}")
        else:
            self._tell(problem)
        return await self._pasted.get()

    def _take(self, change: dict[str, str]) -> None:
        """Read what is pasted, which holds a code, and empty the box at once."""
        if answer := trimmed(change["new"]):
            self.paste.value = ""
            if self.state == "waiting":
                self.status = Status("busy", "Asking Clio whether this is the answer …")
                loop.submit(self._pasted.put, Secret(answer))
            else:
                problem = "Start the sign-in first: a code works only for the sign-in that it was made for."
                self._tell(errors.InvalidInput(problem, field="answer"))

    def _draw_state(self, _change: object = None) -> None:
        self.cancel.layout.display = "flex" if self.state == "waiting" else "none"
        again = "Sign in another user" if self.sessions else "Start sign-in"
        self.button.description = "Retry" if self.state in ("declined", "timed out", "failed") else again

    def _welcome(self, session: Session) -> None:
        others = [each for each in self.sessions if each.user.id != session.user.id]
        self.state = "connected"
        self.sessions = (*others, session)


def _table_of(users: list[User]) -> str:
    rows = ([markup.text(cell) for cell in row] for row in _rows(users))
    return markup.table("Signed in", ("user", "firm", "id"), rows)


def _rows(users: list[User]) -> list[tuple[object, ...]]:
    return [(user.name, user.account.name if user.account else "", user.id) for user in users]


def _from_environment(name: str, region: Region) -> str:
    name = name_of(name, region)
    return f"from {name}" if os.environ.get(name) else "of your app in Clio's developer portal"
