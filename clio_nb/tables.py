"""Custom actions and users as pandas tables. Pure: records in, DataFrames out, no I/O."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import pandas as pd

from .models import CustomAction, User
from .places import Location

PLACE_COLUMNS: Final = [location.value for location in Location]
"""The five ``ui_reference`` values in the order of every table: activities, contacts, documents, folders, matters."""

TIME: Final = "datetime64[ns, UTC]"
"""Dtype of every time in a table. Said explicitly, because pandas 3 would choose microseconds by itself."""


def actions_frame(rows: Iterable[tuple[User, CustomAction]]) -> pd.DataFrame:
    """Return one row for each custom action, in the order given, on a range index.

    ==========  ===================  =========================================================================
    column      dtype                holds
    ==========  ===================  =========================================================================
    user_id     Int64                the user who sees the action
    user        string               that user's name
    location    category             its ``ui_reference``; the five known places are always categories, a place
                                     that this library does not know is kept as the text that Clio sent
    label       string               the text on the button
    target_url  string               where a click leads
    action_id   Int64                Clio's id of the action
    created_at  datetime64[ns, UTC]  when it was made
    updated_at  datetime64[ns, UTC]  when it was last changed
    ==========  ===================  =========================================================================

    What Clio did not say is missing (``<NA>``, ``NaT``). Without rows the same columns come back, empty.
    """
    pairs = list(rows)
    users, actions = [user for user, _ in pairs], [action for _, action in pairs]
    return pd.DataFrame(
        {
            "user_id": _integers([user.id for user in users]),
            "user": _texts([user.name for user in users]),
            "location": locations([action.ui_reference for action in actions]),
            "label": _texts([action.label for action in actions]),
            "target_url": _texts([action.target_url for action in actions]),
            "action_id": _integers([action.id for action in actions]),
            "created_at": times([action.created_at for action in actions]),
            "updated_at": times([action.updated_at for action in actions]),
        }
    )


def places_matrix(actions: pd.DataFrame, users: Iterable[User] = ()) -> pd.DataFrame:
    """Count the actions of each user in each of the five places, from an :func:`actions_frame`.

    One row for each of ``users``, then for each further user of ``actions``, by the index ``user_id`` (Int64). Columns:
    ``user`` (string), then the five ``ui_reference`` values (int64). An action in a place that this library does not
    know has its row in the actions table and counts nowhere here.
    """
    leading = list(users)
    ids = np.concatenate([np.array([user.id for user in leading], np.int64), actions["user_id"].to_numpy(np.int64)])
    # Actions are read user by user, so the ids come in runs, and numbering runs is far less work than numbering rows.
    starts = np.flatnonzero(np.concatenate([ids[:1] == ids[:1], ids[1:] != ids[:-1]]))
    runs, unique = pd.factorize(ids[starts])
    width = len(PLACE_COLUMNS) + 1
    cells = np.repeat(runs * width, np.diff(starts, append=len(ids)))[len(leading) :]
    places = actions["location"].cat
    cells += _column_of(places.categories)[places.codes.to_numpy()]
    counts = np.bincount(cells, minlength=len(unique) * width).reshape(-1, width)[:, :-1]

    first = starts[np.flatnonzero(np.diff(np.maximum.accumulate(runs), prepend=-1))]
    names = [_texts([user.name for user in leading]), actions["user"].array]
    matrix = pd.DataFrame(counts, columns=PLACE_COLUMNS, index=pd.Index(_integers(unique), name="user_id"))
    matrix.insert(0, "user", pd.concat([pd.Series(part) for part in names], ignore_index=True).array.take(first))
    return matrix


def locations(texts: Sequence[str | None]) -> pd.Categorical[str]:
    """Return ``ui_reference`` texts as a categorical: the five known places first, then any other text as it came."""
    codes: dict[str | None, int] = {place: code for code, place in enumerate(PLACE_COLUMNS)}
    for text in texts:
        if text is not None and text not in codes:
            codes[text] = len(codes)
    categories = [text for text in codes if text is not None]
    codes[None] = -1
    return pd.Categorical.from_codes([codes[text] for text in texts], categories=pd.Index(categories))


def times(moments: Sequence[dt.datetime | None]) -> pd.api.extensions.ExtensionArray:
    """Return aware datetimes (or None) as ``datetime64[ns, UTC]``."""
    return pd.array(np.asarray(moments, object), dtype=TIME)


def _integers(values: Sequence[int] | np.ndarray[tuple[int], np.dtype[np.int64]]) -> pd.api.extensions.ExtensionArray:
    return pd.array(np.asarray(values, np.int64), dtype="Int64")


def _texts(values: Sequence[str | None]) -> pd.api.extensions.ExtensionArray:
    return pd.array(np.asarray(values, object), dtype="string")


def _column_of(categories: Iterable[str]) -> np.ndarray[tuple[int], np.dtype[np.int8]]:
    """Return for each category its place column, or the one past them; so does the last entry, for the code -1."""
    columns = {place: column for column, place in enumerate(PLACE_COLUMNS)}
    past = len(PLACE_COLUMNS)
    return np.array([*(columns.get(category, past) for category in categories), past], np.int8)
