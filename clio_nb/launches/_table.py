"""Received launches as a pandas table. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, get_args

import pandas as pd

from ..tables import TIME
from .received import InboxState, Received

_DTYPES: Final = {
    "number": "Int64",
    "received_at": TIME,
    "user_id": "Int64",
    "user": "string",
    "action_id": "Int64",
    "action": "string",
    "subject": "string",
    "record": "string",
    "age": "Float64",
    "state": pd.CategoricalDtype([state for part in get_args(InboxState) for state in get_args(part) or (part,)]),
    "reason": "string",
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
    rows = [_row(received) for received in launches]
    columns = {
        name: pd.array([row[name] for row in rows], dtype=dtype)  # type: ignore[call-overload]  # one dtype a column
        for name, dtype in _DTYPES.items()
    }
    return pd.DataFrame(columns).set_index("number")


def _row(received: Received) -> dict[str, object]:
    launch = received.report.launch
    return {
        "number": received.number,
        "received_at": received.at,
        "user_id": launch and launch.user_id,
        "user": received.user,
        "action_id": launch and launch.custom_action_id,
        "action": received.action,
        "subject": launch and str(launch.subject),
        "record": received.record,
        "age": received.age,
        "state": received.state,
        "reason": received.reason,
    }
