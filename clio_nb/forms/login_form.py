"""Sign users in, one after another: follow a link to Clio's consent page, or paste what it shows."""

from __future__ import annotations

import asyncio
from typing import Final

import ipywidgets as w
from traitlets import Enum

from .. import errors, portal, signin
from ..client import AsyncSession, Session
from ..models import Site, User
from ..secret import Secret
from ..signin.attempt import PATIENCE
from . import markup
from .form import Form, Status, Work, call

PASTE: Final = "If the tab ends up at an error, paste its address below."
STATES: Final = ("ready", "waiting", "connected", "declined", "timed out", "failed")


class LoginForm(Form[Session]):
    """Sign a user in at a site.

    ``value`` is the session of the user who came last, ``sessions`` all of them, ``state`` where the login stands. The
    link leads to Clio's consent page; ``paste`` takes the code or the address that the browser ended up at, where the
    browser cannot come back to this machine. It empties itself, since a code is a secret.
    """

    state = Enum(STATES, "ready")

    def __init__(self, site: Site, *, timeout: float = PATIENCE) -> None:
        super().__init__("Sign in to Clio", "Start sign-in")
        self._site: Final = site
        self._timeout: Final = timeout
        self._attempt: signin.Login | None = None
        self._pasted: Final[asyncio.Queue[Secret]] = asyncio.Queue()
        self.sessions: tuple[Session, ...] = ()
        self._link: Final = w.HTML()
        self.paste: Final = self._place("answer", w.Password(description="Code or address", continuous_update=False))
        self.paste.placeholder = "If the browser does not come back: paste here"
        self.paste.observe(self._take, "value")
        self._people: Final = w.HTML()
        self._arrange(self._link, self.paste)
        self.view.children = (*self.view.children, self._people)
        self.code = call("login", ["site"])

    @property
    def authorization_url(self) -> str | None:
        """Clio's consent page for the attempt that is under way."""
        return self._attempt.authorization_url if self._attempt else None

    def prepare(self) -> Work[Session]:
        """Begin an attempt, and wait for the browser or for what is pasted."""
        self._attempt = attempt = signin.Login(self._site)
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
            finally:
                self._link.value = ""
                self._attempt = None
            self._welcome(session)
            return session

        return work

    def outcome(self, value: Session) -> Status:
        """Say who is in."""
        return Status("done", f"Connected as {_name(value)}.")

    async def _first_answer(self, attempt: signin.Login) -> AsyncSession:
        """Return the session by whichever way the answer comes first."""
        ways = [asyncio.create_task(way) for way in (self._come_back(attempt), self._be_pasted(attempt))]
        try:
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            return done.pop().result()
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _come_back(self, attempt: signin.Login) -> AsyncSession:
        """Wait for the browser; where it cannot come back to this machine, for the time that pasting may take."""
        if attempt.port is None:
            self._offer(attempt.authorization_url)
        else:
            try:
                return await attempt.wait_async(self._timeout, show=self._offer)
            except errors.PortBusy as error:
                self._offer(attempt.authorization_url)
                self.status = Status("busy", f"Port {error.port} is in use by another program: {PASTE}")
        await asyncio.sleep(self._timeout)
        raise errors.LoginTimeout(f"Nothing was pasted within {self._timeout:.0f} s. Start the sign-in again.")

    async def _be_pasted(self, attempt: signin.Login) -> AsyncSession:
        """Try what is pasted until it is the answer to this attempt."""
        while True:
            answer = await self._pasted.get()
            try:
                return await attempt.finish_async(answer.reveal())
            except (errors.InvalidInput, errors.StateMismatch) as error:
                self._tell(error)

    def _offer(self, authorization_url: str) -> None:
        """Show the link, now that an answer can be received."""
        self._link.value = markup.link(authorization_url, "Open Clio's consent page in a new tab")
        self.status = Status("busy", f"Follow the link and allow the access. {PASTE}")

    def _take(self, change: dict[str, str]) -> None:
        """Read what is pasted, which holds a code, and empty the box at once."""
        if answer := change["new"].strip():
            self.paste.value = ""
            if self.state == "waiting":
                portal.submit(self._pasted.put, Secret(answer))
            else:
                self._tell(
                    errors.InvalidInput("Start the sign-in first: a code belongs to one sign-in.", field="answer")
                )

    def _welcome(self, session: Session) -> None:
        known = {one.user.id: one for one in (*self.sessions, session) if one.user}
        self.sessions = tuple(known.values())
        self.state = "connected"
        self.button.description = "Sign in another user"
        people = (
            (markup.text(user.name), markup.text(user.account.name if user.account else "")) for user in _users(self)
        )
        self._people.value = markup.table("Signed in", ("user", "firm"), people)


def _users(form: LoginForm) -> list[User]:
    return [session.user for session in form.sessions if session.user]


def _name(session: Session) -> str:
    user = session.user
    return "a user" if user is None else f"{user.name} of {user.account.name}" if user.account else str(user.name)
