"""Plans, results, the journal and coverage as tables, and a plan as the page that a notebook shows."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

import pandas as pd

from ..models import User, visible
from ..tables import LOCATION_COLUMNS, integers, locations, styled, texts, times
from ._state import Access, Look
from .item import Item, Kind, Outcome

if TYPE_CHECKING:
    from .apply.apply import Line, Result
    from .apply.journal import Run, Step
    from .coverage import Coverage
    from .plan.plan import Plan

ROWS_SHOWN: Final = 200
_NO_LOOK: Final = Look(None, None, None)


def items_frame(items: Iterable[Item]) -> pd.DataFrame:
    """Return one row for each line of a plan, in its order.

    ==========  ========  ========================================================================================
    column      dtype     holds
    ==========  ========  ========================================================================================
    user_id     Int64     whose action it is
    user        string    that user's name
    kind        category  create, update, delete, ok, duplicate, orphan, foreign, blocked
    key         string    what the manifest calls the action; missing for a foreign one
    location    category  its ``ui_reference``: where it should be, or is where nothing is wanted
    label       string    its label: as it should be, or is where nothing is wanted
    target_url  string    its target URL, likewise
    changes     string    field by field, from what to what
    reason      string    why: ``renamed by hand``, ``never signed in`` ...
    advice      string    what to do about it
    action_id   Int64     Clio's id, where there is an action
    ==========  ========  ========================================================================================
    """
    lines = list(items)
    looks = [line.after or line.before or _NO_LOOK for line in lines]
    return pd.DataFrame(
        {
            "user_id": integers([line.user_id for line in lines]),
            "user": texts([line.user or None for line in lines]),
            "kind": pd.Categorical([line.kind.value for line in lines], categories=[kind.value for kind in Kind]),
            "key": texts([line.key or None for line in lines]),
            "location": locations([look.ui_reference for look in looks]),
            "label": texts([look.label for look in looks]),
            "target_url": texts([look.target_url for look in looks]),
            "changes": texts([_changes(line) or None for line in lines]),
            "reason": texts([line.reason or None for line in lines]),
            "advice": texts([line.advice or None for line in lines]),
            "action_id": integers([line.action_id for line in lines]),
        }
    )


def lines_frame(lines: Sequence[Line]) -> pd.DataFrame:
    """Return one row for each write of a run: the columns of :func:`items_frame` but ``advice``, and what came of it.

    ``outcome`` (category: done, conflict, failed, unknown, not sent) and ``message`` (string: why, and what to do).
    """
    frame = items_frame(line.item for line in lines).drop(columns="advice")
    frame["outcome"] = pd.Categorical(
        [line.outcome.value for line in lines], categories=[each.value for each in Outcome]
    )
    frame["message"] = texts([line.message or None for line in lines])
    return frame


def audit_frame(steps: Sequence[Step], runs: Iterable[Run]) -> pd.DataFrame:
    """Return one row for each write of these runs; :meth:`clio_nb.Firm.audit` describes the columns."""
    purposes = {run.run: run.purpose for run in runs}
    before = [step.before or _NO_LOOK for step in steps]
    after = [step.after or _NO_LOOK for step in steps]
    return pd.DataFrame(
        {
            "at": times([step.at for step in steps]),
            "run": texts([step.run for step in steps]),
            "purpose": texts([purposes.get(step.run) for step in steps]),
            "user_id": integers([step.user_id for step in steps]),
            "user": texts([step.user or None for step in steps]),
            "kind": pd.Categorical([step.kind for step in steps], categories=[kind.value for kind in Kind]),
            "key": texts([step.key or None for step in steps]),
            "location": locations(
                [(new.ui_reference or old.ui_reference) for old, new in zip(before, after, strict=True)]
            ),
            "label_before": texts([look.label for look in before]),
            "label_after": texts([look.label for look in after]),
            "target_before": texts([look.target_url for look in before]),
            "target_after": texts([look.target_url for look in after]),
            "outcome": pd.Categorical([step.outcome for step in steps]),
            "message": texts([step.message or None for step in steps]),
            "action_id": integers([step.action_id for step in steps]),
        }
    )


def runs_frame(runs: Sequence[Run]) -> pd.DataFrame:
    """Return one row for each run; :meth:`clio_nb.Firm.runs` describes the columns."""
    return pd.DataFrame(
        {
            "run": texts([run.run for run in runs]),
            "purpose": texts([run.purpose for run in runs]),
            "app": texts([run.app for run in runs]),
            "started": times([run.started for run in runs]),
            "finished": times([run.finished for run in runs]),
        }
    )


def users_frame(people: Sequence[tuple[User, Access]]) -> pd.DataFrame:
    """Return one row for each user; :meth:`clio_nb.Firm.users` describes the columns."""
    users = [user for user, _ in people]
    return pd.DataFrame(
        {
            "user_id": integers([user.id for user in users]),
            "user": texts([user.name for user in users]),
            "email": texts([user.email for user in users]),
            "enabled": pd.array([user.enabled for user in users], dtype="boolean"),
            "subscription_type": pd.Categorical([user.subscription_type for user in users]),
            "roles": texts([None if user.roles is None else ", ".join(user.roles) for user in users]),
            "access": pd.Categorical(
                [access.value for _, access in people], categories=[each.value for each in Access]
            ),
        }
    )


def coverage_frame(coverage: Iterable[Coverage]) -> pd.DataFrame:
    """Return one row for each user; :meth:`clio_nb.Firm.coverage` describes the columns."""
    lines = list(coverage)
    columns = {place: texts([line.places[place] for line in lines]) for place in LOCATION_COLUMNS}
    return pd.DataFrame(
        {
            "user": texts([line.user.name for line in lines]),
            "access": pd.Categorical(
                [line.access.value for line in lines], categories=[access.value for access in Access]
            ),
            **columns,
        },
        index=pd.Index(integers([line.user.id for line in lines]), name="user_id"),
    )


def plan_page(plan: Plan) -> str:
    """Return a plan as HTML: its counts and cost, its notes, and every line that is not ``ok``."""
    lines = [item for item in plan.items if item.kind is not Kind.OK]
    return _page(str(plan), plan.notes, items_frame(lines[:ROWS_SHOWN]), len(lines))


def result_page(result: Result) -> str:
    """Return the result of a run as HTML: its counts, and every line that was not done."""
    ends = ", ".join(f"{count} {outcome}" for outcome, count in result.counts().items()) or "nothing to do"
    return _page(f"Run {result.run}: {ends}", result.notes, lines_frame(result.failed[:ROWS_SHOWN]), len(result.failed))


def _page(title: str, notes: Iterable[str], frame: pd.DataFrame, rows: int) -> str:
    said = "".join(f"<p>{html.escape(visible(note))}</p>" for note in notes)
    if not rows:
        return f"<p>{html.escape(visible(title))}</p>{said}"
    more = f"<p>{rows - len(frame)} lines more.</p>" if rows > len(frame) else ""
    return said + styled(frame, title).to_html() + more


def _changes(item: Item) -> str:
    return "; ".join(f"{name}: {old!r} → {new!r}" for name, (old, new) in item.diff().items())
