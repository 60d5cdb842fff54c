"""Create a custom action: label, target and location, checked as you type, for one user or everyone signed in."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final, NamedTuple

import ipywidgets as w
from traitlets import Enum, Int, Unicode

from .. import markup
from ..action_rules import Finding, as_sent, check, lint
from ..arguments import sessions_of_kind
from ..errors import ClioError
from ..http import loop
from ..launches._compose import compose
from ..menus import menu_picture
from ..models import CustomAction, User
from ..session import AsyncSession, Session
from ..vocabulary import LABEL_MAX, Location
from ._form import Form, Status, Work, call, html, say

EVERYONE: Final = 0

_EXAMPLE: Final = (("custom_action_id", "1001"), ("user_id", "2002"))


class CreateResult(NamedTuple):
    """The result of creating the action for one user. It is false when no action was created."""

    user: User
    action: CustomAction | None = None
    problem: str = ""

    def __bool__(self) -> bool:
        return self.action is not None

    def __repr__(self) -> str:
        return f"<CreateResult for {self.user}: {f'action {self.action.id}' if self.action else self.problem}>"


class ActionForm(Form[tuple[CreateResult, ...]]):
    """Create a custom action for the user of a session, or of several sessions.

    ``label``, ``target_url`` and ``at`` are the arguments of :func:`clio_nb.create_action`; ``user`` is the id of the
    user to create it for, 0 for everyone. ``value`` is one :class:`CreateResult` for each user: a refusal for one
    does not stop the others.
    """

    label = Unicode()
    target_url = Unicode()
    at = Enum(list(Location), Location.MATTERS)
    user = Int(EVERYONE)

    def __init__(self, sessions: Session | Iterable[Session]) -> None:
        super().__init__("Create a custom action", "Create the action")
        self._sessions: Final = {
            loop.run(session.aio.the_user).id: session
            for session in sessions_of_kind(sessions, Session, "forms.create_action")
        }
        self._field("label", w.Text(description="Label", placeholder="Send for signature"))
        self._field("target_url", w.Text(description="Target URL", placeholder="https://your-app.example/launch"))
        locations = [(f"{location.resource.capitalize()} ({_menus(location)})", location) for location in Location]
        self._field("at", w.Dropdown(description="Location", options=locations, value=self.at))
        people = [(f"everyone signed in ({len(self._sessions)})", EVERYONE)]
        people += [(str(session.user), user_id) for user_id, session in self._sessions.items()]
        self._field("user", w.Dropdown(description="For", options=people, value=self.user))
        self.fields["user"].layout.display = "flex" if len(self._sessions) > 1 else "none"
        self._hints: Final = {name: html(hint=True) for name in self.fields}
        self._results: Final = html()
        rows = [widget for name, field in self.fields.items() for widget in (field, self._hints[name])]
        self._arrange(*rows, below=(self._results,))
        self.observe(self._draw, ["label", "target_url", "at", "user"])
        self._draw()

    def findings(self) -> list[Finding]:
        """Return what is wrong with the action as entered, worst first."""
        return lint((self.label, self.target_url, self.at))

    def prepare(self) -> Work[tuple[CreateResult, ...]]:
        """Refuse what Clio would refuse; else create the action for each user."""
        check(label=self.label, target_url=self.target_url)
        draft = (self.label, self.target_url, self.at)
        sessions = [session for user_id, session in self._sessions.items() if self.user in (user_id, EVERYONE)]
        self.status = Status("busy", f"Creating {self.label!r} …")
        say(self._results, "")

        async def work() -> tuple[CreateResult, ...]:
            outcomes = await asyncio.gather(*(_create(session.aio, *draft) for session in sessions))
            say(self._results, _results(outcomes) if len(outcomes) > 1 else "")
            return tuple(outcomes)

        return work

    def outcome(self, value: tuple[CreateResult, ...]) -> Status:
        """Say for how many users it was created, or for one user why it was not."""
        made = sum(map(bool, value))
        if len(value) == 1:
            return Status("done", f"Created for {value[0].user}.") if made else Status("failed", value[0].problem)
        return Status("done" if made == len(value) else "failed", f"Created for {made} of {len(value)} users.")

    def _draw(self, _change: object = None) -> None:
        """Draw the call, the hints under each field, and the menus."""
        arguments = [repr(self.label), repr(self.target_url), f"at={self.at.resource!r}"]
        many = len(self._sessions) > 1 and self.user == EVERYONE
        created = call("create_action", "session", *arguments)
        self.code = f"for session in sessions:\n{_indent(created)}" if many else created

        said = {finding.field: finding for finding in reversed(self.findings())}
        count = f"{len(self.label)} of {LABEL_MAX} characters"
        say(self._hints["label"], markup.muted(count) + _hint(said.get("label") if self.label else None))
        preview = markup.muted(f"A click opens {markup.code(_preview(self.target_url, self.at))}")
        say(self._hints["target_url"], (_hint(said.get("target_url")) + preview) if self.target_url else "")
        pictures = "".join(menu_picture(menu, self.label) for menu in self.at.menus)
        say(self._hints["at"], f'<div style="display:flex;flex-wrap:wrap;gap:16px">{pictures}</div>')


async def _create(session: AsyncSession, label: str, target_url: str, at: Location) -> CreateResult:
    user = await session.the_user()
    try:
        return CreateResult(user, await session.create_action(label, target_url, at))
    except ClioError as error:
        return CreateResult(user, problem=str(error))


def _menus(location: Location) -> str:
    return "two menus" if len(location.menus) > 1 else "one menu"


def _indent(source: str) -> str:
    return "\n".join(f"    {line}" for line in source.splitlines())


def _hint(finding: Finding | None) -> str:
    if finding is None:
        return ""
    return f"<div>{markup.MARKS[False] if finding.level == 'error' else '⚠'} {markup.text(finding.sentence)}</div>"


def _preview(target_url: str, at: Location) -> str:
    """Return what a click on the action would open, with ids made up."""
    subject = ("subject_url", f"/api/v4/{at.resource}/3003")
    return compose(as_sent(target_url), [*_EXAMPLE, subject, ("custom_action_nonce", "single-use-code")])


def _results(outcomes: Iterable[CreateResult]) -> str:
    rows = (
        (
            markup.text(one.user.name),
            f"{markup.MARKS[bool(one)]} {'created' if one else 'not created'}",
            markup.text(f"id {one.action.id}" if one.action else one.problem),
        )
        for one in outcomes
    )
    return markup.table("For each user", ("user", "result", "detail"), rows)
