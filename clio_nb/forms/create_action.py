"""Create a custom action: label, target and location, checked as you type, for one user or everyone signed in."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, NamedTuple

import ipywidgets as w
from traitlets import Enum, Int

from .. import markup
from ..action_rules import Finding, check, lint
from ..errors import ClioError, InvalidInput
from ..launches._compose import compose
from ..menu_pictures import menu_picture
from ..models import CustomAction, User
from ..session import AsyncSession
from ..urls import as_sent
from ..vocabulary import LABEL_MAX, Location
from ._copy import Copyable
from ._form import Form, Status, Trimmed, Work, call, html, say
from ._save import Save, texts
from ._who import people_of

if TYPE_CHECKING:
    import pandas as pd

EVERYONE: Final = 0
_GONE: Final = " (signed out)"

_ELSE: Final = "    except clio.ClioError as problem:\n        print(session.user, problem)"
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
    """Create a custom action for the user of a session, or for everyone who is signed in.

    ``sessions`` is a sign-in form, a session, several sessions, a :class:`clio_nb.Firm`, or a sandbox. ``label``,
    ``target_url`` and ``at`` are the arguments of :func:`clio_nb.create_action`; ``user`` is the id of the user to
    create it for, 0 for everyone. ``value`` is one :class:`CreateResult` for each user: a refusal for one
    does not stop the others.
    """

    label = Trimmed()
    target_url = Trimmed()
    at = Enum(list(Location), Location.MATTERS)
    user = Int(EVERYONE)

    def __init__(self, sessions: object) -> None:
        super().__init__("Create a custom action", "Create the action", people_of(sessions, "forms.create_action"))
        self._field("label", w.Text(description="Label", placeholder="Send for signature"))
        self._field("target_url", w.Text(description="Target URL", placeholder="https://your-app.example/launch"))
        locations = [(f"{location.resource.capitalize()} ({_menus(location)})", location) for location in Location]
        self._field("at", w.Dropdown(description="Location", options=locations, value=self.at))
        self._field("user", w.Dropdown(description="For", options=[("", EVERYONE)], value=self.user))
        self._hints: Final = {name: html(hint=True) for name in self.fields}
        self._hints["target_url"] = Copyable("what a click opens", display="none")
        self._hints["target_url"].add_class("clio-hint")
        self._results: Final = html()
        self.save: Final = Save()
        rows = [widget for name, field in self.fields.items() for widget in (field, self._hints[name])]
        self._arrange(*rows, below=(self._results, self.save.view))
        self.observe(self._draw, ["label", "target_url", "at", "user"])
        self.follow()

    def follow(self) -> None:
        """Offer who is signed in now."""
        chosen, names = self.user, {id_: name for name, id_ in self.fields["user"].options}
        users = {session.user.id: str(session.user) for session in self._who.sessions}
        if chosen not in (*users, EVERYONE):  # nobody else is chosen in this user's place
            users[chosen] = f"{names[chosen].removesuffix(_GONE)}{_GONE}"
        everyone = (f"everyone signed in ({len(self._who.sessions)})", EVERYONE)
        self.fields["user"].options = [everyone, *((name, id_) for id_, name in users.items())]
        self.user = chosen
        self.fields["user"].layout.display = "flex" if len(users) > 1 or chosen else "none"
        self._draw()

    def findings(self) -> list[Finding]:
        """Return what is wrong with the action as entered, worst first."""
        return lint((self.label, self.target_url, self.at))

    def prepare(self) -> Work[tuple[CreateResult, ...]]:
        """Refuse what Clio would refuse; else create the action for each user."""
        sessions = [each for each in self._who.needed() if self.user in (each.user.id, EVERYONE)]
        if not sessions:
            raise InvalidInput("This user has signed out. Choose another one.", field="user")
        check(label=self.label, target_url=self.target_url)
        draft = (self.label, self.target_url, self.at)
        self.status = Status("busy", f"Creating {self.label!r} …")
        say(self._results, "")
        self.save.offer("created", None)

        async def work() -> tuple[CreateResult, ...]:
            outcomes = await asyncio.gather(*(_create(session.aio, *draft) for session in sessions))
            if len(outcomes) > 1:
                say(self._results, _results(draft[0], outcomes))
                self.save.offer("created", lambda: _table(draft[0], outcomes))
            return tuple(outcomes)

        return work

    def outcome(self, value: tuple[CreateResult, ...]) -> Status:
        """Say what was created, by its id, or for how many users; for one user why it was not."""
        made = [one.action for one in value if one.action]
        if len(value) == 1:
            [one] = value
            said = f"Created for {one.user}, id {made[0].id}." if made else one.problem
            return Status("done" if made else "failed", said)
        return Status(
            "done" if len(made) == len(value) else "failed", f"Created for {len(made)} of {len(value)} users."
        )

    def _draw(self, _change: object = None) -> None:
        """Draw the call, the hints under each field, and the menus."""
        arguments = [repr(self.label), repr(self.target_url), f"at={self.at.resource!r}"]
        created = call("create_action", "session", *arguments)
        if len(self._who.sessions) > 1 and self.user == EVERYONE:
            each = f"for session in sessions:\n    try:\n{_indent(_indent(created))}\n{_ELSE}"
            self.code = self._who.code(several=True) + each
        else:
            self.code = self._who.code_for(self.user) + created

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


def _table(label: str, outcomes: Iterable[CreateResult]) -> pd.DataFrame:
    """Return what came of it for each user, for a file."""
    rows = ((one.user.id, one.user.name, label, one.action and one.action.id, one.problem) for one in outcomes)
    return texts(rows, ["user_id", "user", "label", "action_id", "problem"])


def _results(label: str, outcomes: Iterable[CreateResult]) -> str:
    rows = (
        (
            markup.text(one.user.name),
            f"{markup.MARKS[bool(one)]} {'created' if one else 'not created'}",
            markup.text(f"id {one.action.id}" if one.action else one.problem),
        )
        for one in outcomes
    )
    return markup.table(f"{label!r} for each user", ("user", "result", "detail"), rows)
