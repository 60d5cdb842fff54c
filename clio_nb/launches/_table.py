"""Received launches as a pandas table. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, get_args

import pandas as pd

from ..tables import TIME
from .received import InboxState, Received

_STATES: Final = [state for part in get_args(InboxState) for state in get_args(part) or (part,)]
_COLUMNS: Final[dict[str, tuple[str | pd.CategoricalDtype, Callable[[Received], object]]]] = {
    "number": ("Int64", lambda one: one.number),
    "received_at": (TIME, lambda one: one.at),
    "user_id": ("Int64", lambda one: one.report.launch and one.report.launch.user_id),
    "user": ("string", lambda one: one.user),
    "action_id": ("Int64", lambda one: one.report.launch and one.report.launch.custom_action_id),
    "action": ("string", lambda one: one.action),
    "subject": ("string", lambda one: one.report.launch and str(one.report.launch.subject)),
    "record": ("string", lambda one: one.record),
    "age": ("Float64", lambda one: one.age),
    "state": (pd.CategoricalDtype(_STATES), lambda one: one.state),
    "reason": ("string", lambda one: one.reason),
}


def launches_frame(launches: Iterable[Received]) -> pd.DataFrame:
    """Return one row for each launch, in the order given, by the index ``number`` (Int64, from 1).

    ===========  ===================  ==================================================================
    column       dtype                holds
    ===========  ===================  ==================================================================
    received_at  datetime64[ns, UTC]  when it arrived
    user_id      Int64                who clicked, as the launch says
    user         string               the name of that user, once a proof has found the session
    action_id    Int64                which action, as the launch says
    action       string               its label, once a proof has found it
    subject      string               which record: ``"Matter 5"``
    record       string               what a person calls the record, once it is verified
    age          Float64              seconds since it arrived
    state        category             verified, refused, expired, unknown, or unproved
    reason       string               why, in words; empty while it is unproved
    ===========  ===================  ==================================================================

    What is not known is missing (``<NA>``). There is no column for the nonce. Without launches the same columns come
    back, empty.
    """
    rows = list(launches)
    columns = {
        name: pd.array([value_of(one) for one in rows], dtype=dtype)  # type: ignore[arg-type]  # one dtype a column
        for name, (dtype, value_of) in _COLUMNS.items()
    }
    return pd.DataFrame(columns).set_index("number")
