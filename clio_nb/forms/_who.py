"""Who a form works for: the sessions of what it is given, which follow when somebody signs in or out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from traitlets import HasTraits

from ..arguments import a_site, is_site, session_of_kind
from ..errors import InvalidInput, VaultError
from ..firm import Firm
from ..http import loop
from ..login import login
from ..session import Session
from ..vault._sealed import on_change

NOBODY: Final = "Sign in first"


class People:
    """The sessions of whoever is signed in at the moment, each user once.

    ``sessions`` may change at any time, in any thread, and then each ``on_change`` callback is called. ``code`` is the
    line of Python by which a person gets ``session`` (of one) or ``sessions`` (of several) from what was given.
    """

    def __init__(self, given: Any, verb: str) -> None:
        self.firm: Final = given if isinstance(given, Firm) else None
        self._form: Final = given if isinstance(given, HasTraits) and given.has_trait("sessions") else None
        self._sources: list[People | Session] = []
        self._callbacks: Final[list[Callable[[], object]]] = []
        self.sessions: tuple[Session, ...] = ()
        if self._form is not None:
            self._form.observe(self._changed, "sessions")
        elif self.firm is not None:
            on_change(self._changed)
        elif is_site(given):
            self._sources = [login(a_site(given))] if given.control_url else []
        elif isinstance(given, Iterable) and not isinstance(given, str | type):
            self._sources = [each if isinstance(each, Session) else people_of(each, verb) for each in given]
        else:
            self._sources = [session_of_kind(given, Session, verb)]
        self._given: Final = given
        for source in self._sources:
            if isinstance(source, People):
                source.on_change(self._changed)
            else:
                loop.run(source.aio.the_user)
                source.aio.at_logout.append(self._changed)
        self.sessions = self._now()

    def __iter__(self) -> Iterator[Session]:
        """Give the sessions as they are at the moment."""
        return iter(self.sessions)

    def on_change(self, callback: Callable[[], object]) -> None:
        """Have a function called whenever ``sessions`` has changed, in whichever thread that happens."""
        self._callbacks.append(callback)

    def needed(self) -> tuple[Session, ...]:
        """Return the sessions. Raises :class:`InvalidInput` when nobody is signed in."""
        if not self.sessions:
            raise InvalidInput(self.advice, field="session")
        return self.sessions

    @property
    def advice(self) -> str:
        """What to do when nobody is signed in."""
        if self._form is not None:
            return f"{NOBODY}, with the sign-in form."
        if self.firm is not None:
            return f"{NOBODY}: nobody of this firm is signed in. Add each session with firm.add(session)."
        if is_site(self._given):
            return f"{NOBODY}: pass clio.forms.login(site) instead of the site."
        return f"{NOBODY}: nobody is signed in any more." if self._sources else f"{NOBODY}: no session was passed."

    @property
    def one(self) -> bool:
        """Whether what was given can never be several users."""
        return isinstance(self._given, Session) or is_site(self._given)

    def code_for(self, user_id: int) -> str:
        """Return how the ``session`` of one user comes from what was given."""
        if len(self.sessions) < 2:
            return self.code(several=False)
        return f"{self.code(several=True)}session = next(each for each in sessions if each.user.id == {user_id})\n"

    def code(self, *, several: bool) -> str:
        """Return how the sessions that are called so in code come from what was given; empty when they were given."""
        if self._form is not None:
            return "sessions = login.sessions  # of the sign-in form\n" if several else "session = login.sessions[0]\n"
        if self.firm is not None:
            ids = 'firm.users().query("access == \'signed in\'")["user_id"]'
            each = f"[firm.session_of(user_id) for user_id in {ids}]"
            return f"sessions = {each}\n" if several else f"session = {each}[0]\n"
        if self.one:
            return "session = clio.login(site)\n" if is_site(self._given) else ""
        return "" if several else "session = sessions[0]\n"

    def _now(self) -> tuple[Session, ...]:
        if self._form is not None:
            found: Iterable[Session] = self._form.sessions  # type: ignore[attr-defined]  # the trait asked for above
        elif self.firm is not None:
            known = {id(session.aio): session for session in self.sessions}
            at_hand = self.firm.aio._survey.sessions()  # noqa: SLF001 -- of this package, and nothing that a person needs
            found = [known.get(id(each)) or Session.of(each) for each in at_hand]
        else:
            groups = [each.sessions if isinstance(each, People) else (each,) for each in self._sources]
            found = [session for group in groups for session in group]
        signed_in = (session for session in found if not session.aio.signed_out)
        return tuple({(session.site.origin, session.user.id): session for session in signed_in}.values())

    def _changed(self, _change: Any = None) -> None:
        try:
            now = self._now()
        except VaultError:
            return  # a vault that is gone; whoever uses it next is told
        if now != self.sessions:
            self.sessions = now
            for callback in self._callbacks:
                callback()


def people_of(given: object, verb: str) -> People:
    """Return who is signed in by what a form is given.

    Args:
        given: A sign-in form, a session, several of either, a :class:`clio_nb.Firm`, or the site of a sandbox, whose
            account owner is signed in then.
        verb: What it is given to, for errors: ``forms.launch``.

    Raises:
        errors.InvalidInput: It is none of these; the error says what to pass.
    """
    return given if isinstance(given, People) else People(given, verb)
