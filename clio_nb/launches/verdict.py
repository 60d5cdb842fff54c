"""The verdict on a launch: verified, refused, expired or unknown, step by step. It never shows the nonce."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from .. import markup
from ..ledger.launches import Reason
from ..models import CustomAction, Record, User
from .report import Launch

State = Literal["verified", "refused", "expired", "unknown"]
Code = Reason | Literal[""]
"""Why a launch was not verified, in one word that stays the same; empty for a verified one."""

PARSED: Final = "parsed"
KNOWN_ACTION: Final = "known action"
HAS_TOKEN: Final = "user has a token"  # noqa: S105 -- the name of a step
CLIO_ANSWERED: Final = "Clio answered"
STEPS: Final = (PARSED, KNOWN_ACTION, HAS_TOKEN, CLIO_ANSWERED)


class Step(NamedTuple):
    """One step of a proof. ``ok`` is None when the proof ended before it was judged."""

    name: str
    ok: bool | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Verdict:
    """What :func:`clio_nb.verify_launch` found out. Only a verified launch is true.

    ``state``: ``"verified"`` means that Clio confirmed that this user clicked; ``"refused"`` that it is not a
    genuine launch of a user and an action of ours; ``"expired"`` that its 60 seconds are over or would be;
    ``"unknown"`` that no clear answer came. ``reason`` says so in words, with what to do next, and ``code`` in one word
    that stays the same (``"replayed"``, ``"refused-by-clio"``), for programs. ``nonce_sent`` is false
    when nothing reached Clio with the nonce, so that the launch can still be proved; when true, it may be spent; None
    when the timeout ended before it was sent, which may still happen: verify the launch again to share the answer.

    A nonce proves the user. Which action was clicked and on which record is what the browser said: the action's id
    never reaches Clio, and Clio may not bind the nonce to a record. ``record`` is the record that the browser named,
    read with this user's own token, so this user can see it; ``seconds_left`` is what was left of the nonce's life
    when Clio answered (both when verified); ``user`` and ``action`` are set as far as the proof got.
    """

    state: State
    reason: str
    steps: tuple[Step, ...]
    launch: Launch | None = None
    record: Record | None = None
    user: User | None = None
    action: CustomAction | None = None
    seconds_left: float | None = None
    nonce_sent: bool | None = False
    code: Code = ""

    @property
    def ok(self) -> bool:
        """Whether Clio confirmed that this user clicked."""
        return self.state == "verified"

    def __bool__(self) -> bool:
        return self.ok

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as JSON values. The nonce is never in it."""
        return {
            "state": self.state,
            "ok": self.ok,
            "steps": [step._asdict() for step in self.steps],
            "record": self.record.data if self.record else None,
        }

    def __repr__(self) -> str:
        return f"<Verdict {self.state}: {self.reason}>"

    def _repr_html_(self) -> str:
        return markup.report(self.state.capitalize(), markup.text(self.reason), steps_table(self))


def steps_table(verdict: Verdict) -> str:
    """Draw the steps of the proof as a table for a notebook."""
    rows = ((f"{markup.MARKS[step.ok]} {markup.text(step.name)}", markup.text(step.detail)) for step in verdict.steps)
    return markup.table("How it was proved", ("step", "what came of it"), rows)
