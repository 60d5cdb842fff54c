"""Create a custom action: label, target and place, checked as you type, for one user or everyone signed in."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import ipywidgets as w
from traitlets import Enum, Unicode

from ..client import AsyncSession, Session
from ..errors import ClioError, InvalidAction
from ..launch import Finding, lint
from ..models import CustomAction, User
from ..places import LABEL_MAX, Location
from . import markup
from .form import Form, Status, Work, call


class Outcome(NamedTuple):
    """What came of creating the action for one user. It is false when there is no action."""

    user: User
    action: CustomAction | None = None
    problem: str = ""

    def __bool__(self) -> bool:
        return self.action is not None


class ActionForm(Form[tuple[Outcome, ...]]):
    """Create a custom action for the user of a session, or of several sessions one by one.

    ``label``, ``target_url`` and ``at`` are the arguments of :func:`clio_nb.create_action`. ``value`` is one
    :class:`Outcome` for each user: a refusal for one stops nobody else.
    """

    label = Unicode()
    target_url = Unicode()
    at = Enum(list(Location), Location.MATTERS)

    def __init__(self, sessions: Session | Iterable[Session]) -> None:
        super().__init__("Create a custom action", "Create the action")
        self._sessions: Final = [sessions] if isinstance(sessions, Session) else list(sessions)
        self._field("label", w.Text(description="Label"))
        self._field("target_url", w.Text(description="Target URL", placeholder="https://your-app.example/launch"))
        places = [
            (f"{location.resource.capitalize()}: {len(location.places)} menus", location) for location in Location
        ]
        self._field("at", w.Dropdown(description="Place", options=places, value=self.at))
        self._hints: Final = {name: w.HTML() for name in self.fields}
        self._preview: Final = w.HTML()
        self._results: Final = w.HTML()
        rows = [widget for name, field in self.fields.items() for widget in (field, self._hints[name])]
        self._arrange(*rows, self._preview)
        self.view.children = (*self.view.children, self._results)
        self.observe(self._draw, ["label", "target_url", "at"])
        self._draw()

    def findings(self) -> list[Finding]:
        """Return what is wrong with the action as it stands, worst first."""
        return lint((self.label, self.target_url, self.at))

    def prepare(self) -> Work[tuple[Outcome, ...]]:
        """Refuse what Clio would refuse; otherwise create the action for each session."""
        if wrong := next((finding for finding in self.findings() if finding.level == "error"), None):
            raise InvalidAction(wrong.sentence, field=wrong.field)
        draft = (self.label, self.target_url, self.at)
        self.status = Status("busy", f"Creating {self.label!r} …")

        async def work() -> tuple[Outcome, ...]:
            outcomes = await asyncio.gather(*(_create(session.aio, *draft) for session in self._sessions))
            self._results.value = _results(outcomes) if len(outcomes) > 1 else ""
            return tuple(outcomes)

        return work

    def outcome(self, value: tuple[Outcome, ...]) -> Status:
        """Say who has the action now; why not, where there is only one user to speak of."""
        made = sum(map(bool, value))
        if len(value) == 1:
            return Status("done", f"Created for {value[0].user}.") if made else Status("failed", value[0].problem)
        return Status("done" if made == len(value) else "failed", f"Created for {made} of {len(value)} users.")

    def _draw(self, _change: object = None) -> None:
        self.code = call(
            "create_action", ["session", repr(self.label), repr(self.target_url), f"at={self.at.resource!r}"]
        )
        self._hints["label"].value = markup.muted(f"{len(self.label)} of {LABEL_MAX} characters")
        self._preview.value = markup.muted(f"A click opens {markup.code(launch_preview(self.target_url, self.at))}")


async def _create(session: AsyncSession, label: str, target_url: str, at: Location) -> Outcome:
    user = session.user or await session.who_am_i()
    try:
        return Outcome(user, await session.create_action(label, target_url, at))
    except ClioError as error:
        return Outcome(user, problem=str(error))


def _results(outcomes: Iterable[Outcome]) -> str:
    rows = (
        (
            markup.text(one.user.name),
            "✓ created" if one else "✗ not created",
            markup.text(f"id {one.action.id}" if one.action else one.problem),
        )
        for one in outcomes
    )
    return markup.table("For each user", ("user", "result", "detail"), rows)


def launch_preview(target_url: str, at: Location) -> str:
    """Return what a click on the action would open, with … where Clio puts ids and the nonce."""
    base, _, fragment = target_url.partition("#")
    joint = "&" if urlsplit(base).query else "?"
    subject = f"%2Fapi%2Fv4%2F{at.resource}%2F…"
    launch = f"{base}{joint}custom_action_id=…&user_id=…&subject_url={subject}&custom_action_nonce=…"
    return f"{launch}#{fragment}" if fragment else launch
