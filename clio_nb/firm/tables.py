"""Plans, results, the ledger and coverage as tables, and the HTML that a notebook shows of a plan or result."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Final

import pandas as pd

from ..ledger.records import ActionFields, Entry, Kind, Outcome, Run
from ..models import User, visible
from ..tables import LOCATION_COLUMNS, integers, locations, styled, texts, times
from ._state import Access
from .coverage import Coverage
from .item import Item, ItemResult

ROWS_SHOWN: Final = 200
_NO_FIELDS: Final = ActionFields(None, None, None)


def items_frame(items: Iterable[Item]) -> pd.DataFrame:
    """Return one row for each item of a plan, in its order.

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
    items = list(items)
    fields = [item.after or item.before or _NO_FIELDS for item in items]
    return pd.DataFrame(
        {
            "user_id": integers([item.user_id for item in items]),
            "user": texts([item.user or None for item in items]),
            "kind": pd.Categorical([item.kind.value for item in items], categories=[kind.value for kind in Kind]),
            "key": texts([item.key or None for item in items]),
            "location": locations([each.ui_reference for each in fields]),
            "label": texts([each.label for each in fields]),
            "target_url": texts([each.target_url for each in fields]),
            "changes": texts([_changes(item) or None for item in items]),
            "reason": texts([item.reason or None for item in items]),
            "advice": texts([item.advice or None for item in items]),
            "action_id": integers([item.action_id for item in items]),
        }
    )


def results_frame(results: Sequence[ItemResult]) -> pd.DataFrame:
    """Return one row for each change of a run: the columns of :func:`items_frame` without ``advice``, and how it ended.

    ``outcome`` (category: done, conflict, failed, unknown, not sent) and ``message`` (string: why, and what to do).
    """
    frame = items_frame(each.item for each in results).drop(columns="advice")
    frame["outcome"] = pd.Categorical(
        [each.outcome.value for each in results], categories=[outcome.value for outcome in Outcome]
    )
    frame["message"] = texts([each.message or None for each in results])
    return frame


def audit_frame(entries: Sequence[Entry], runs: Iterable[Run]) -> pd.DataFrame:
    """Return one row for each change of these runs; :meth:`clio_nb.Firm.audit` describes the columns."""
    purposes = {run.run: run.purpose for run in runs}
    before = [entry.before or _NO_FIELDS for entry in entries]
    after = [entry.after or _NO_FIELDS for entry in entries]
    return pd.DataFrame(
        {
            "at": times([entry.at for entry in entries]),
            "run": texts([entry.run for entry in entries]),
            "purpose": texts([purposes.get(entry.run) for entry in entries]),
            "user_id": integers([entry.user_id for entry in entries]),
            "user": texts([entry.user or None for entry in entries]),
            "kind": pd.Categorical([entry.kind.value for entry in entries], categories=[kind.value for kind in Kind]),
            "key": texts([entry.key or None for entry in entries]),
            "location": locations(
                [(new.ui_reference or old.ui_reference) for old, new in zip(before, after, strict=True)]
            ),
            "label_before": texts([each.label for each in before]),
            "label_after": texts([each.label for each in after]),
            "target_before": texts([each.target_url for each in before]),
            "target_after": texts([each.target_url for each in after]),
            "outcome": pd.Categorical([entry.outcome for entry in entries]),
            "message": texts([entry.message or None for entry in entries]),
            "action_id": integers([entry.action_id for entry in entries]),
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
    coverage = list(coverage)
    columns = {name: texts([each.locations[name] for each in coverage]) for name in LOCATION_COLUMNS}
    return pd.DataFrame(
        {
            "user": texts([each.user.name for each in coverage]),
            "access": pd.Categorical(
                [each.access.value for each in coverage], categories=[access.value for access in Access]
            ),
            **columns,
        },
        index=pd.Index(integers([each.user.id for each in coverage]), name="user_id"),
    )


def page(title: str, notes: Iterable[str], frame: pd.DataFrame, rows: int) -> str:
    """Return a plan or a result as HTML: its title and notes, and a table with the first of so many rows."""
    said = "".join(f"<p>{html.escape(visible(note))}</p>" for note in notes)
    if not rows:
        return f"<p>{html.escape(visible(title))}</p>{said}"
    more = f"<p>{rows - len(frame)} more rows.</p>" if rows > len(frame) else ""
    return said + styled(frame, title).to_html() + more


def _changes(item: Item) -> str:
    return "; ".join(f"{name}: {old!r} → {new!r}" for name, (old, new) in item.diff().items())
