"""Who a form works for: what it is given, as sessions, also when somebody signs in or out later."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from ..arguments import sessions_of_kind
from ..session import Session


class People:
    """The sessions of one session, of several, or of a login form."""

    def __init__(self, given: Any, verb: str) -> None:
        self._form: Final = given if hasattr(given, "sessions") and hasattr(given, "submit") else None
        self._given: Final = () if self._form else tuple(sessions_of_kind(given, Session, verb))

    @property
    def sessions(self) -> tuple[Session, ...]:
        """Those who are signed in now."""
        return self._form.sessions if self._form else self._given

    def on_change(self, callback: Callable[[], object]) -> None:
        """Call a function when somebody has signed in or out."""
        if self._form:
            self._form.observe(lambda _: callback(), "value")


def people_of(given: Session | Iterable[Session] | Any, verb: str) -> People:
    """Return who a form works for. Raises :class:`InvalidInput`, which names the verb, when that is nobody."""
    return People(given, verb)
