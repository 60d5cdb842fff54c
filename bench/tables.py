"""Turn pages of actions into a table and a users x locations matrix, against json, a list of dicts and pivot_table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from statistics import median
from typing import Final

import pandas as pd

from clio_nb.http import messages
from clio_nb.models import CustomAction, User
from clio_nb.tables import LOCATION_COLUMNS, actions_frame, locations_matrix

from .rounds import ratio, timed
from .table import Row, at_most

PAGE: Final = 200
_INDEX: Final = ["user_id", "user"]


def rows(*, smoke: bool) -> Iterator[Row]:
    """Measure the way from pages to matrix, and the matrix alone from ten times as many rows."""
    pages, times = (5, 1) if smoke else (500, 5)
    users = [User(id=number, name=f"User {number}") for number in range(1, pages + 1)]
    bodies = [_page(user.id) for user in users]

    def table() -> pd.DataFrame:
        return actions_frame(pair for user, body in zip(users, bodies, strict=True) for pair in _read(user, body))

    def plain_table() -> pd.DataFrame:
        lists = [(user, json.loads(body)["data"]) for user, body in zip(users, bodies, strict=True)]
        return pd.DataFrame([{"user_id": user.id, "user": user.name, **row} for user, data in lists for row in data])

    same = locations_matrix(table(), users)[LOCATION_COLUMNS].to_numpy() == _pivoted(plain_table()).to_numpy()
    if not same.all():
        raise AssertionError("ours and its peer count differently")

    took = timed(times, ours=lambda: locations_matrix(table(), users), plain=lambda: _pivoted(plain_table()))
    work = f"{pages} pages, {pages * PAGE:,} actions, to table and matrix"
    yield _row(work, took, "json + list of dicts + pivot_table", 0.75)

    many, plainly = (pd.concat([frame] * 10, ignore_index=True) for frame in (table(), plain_table()))
    took = timed(times, ours=lambda: locations_matrix(many, users), plain=lambda: _pivoted(plainly))
    yield _row(f"the matrix alone, {len(many):,} rows", took, "pivot_table", 0.25)


def _read(user: User, body: bytes) -> Iterator[tuple[User, CustomAction]]:
    answer = messages.decipher(messages.list_actions(), 200, {}, body, list[CustomAction])
    return ((user, action) for action in answer.data)


def _pivoted(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.pivot_table(index=_INDEX, columns="ui_reference", values="id", aggfunc="count", fill_value=0)


def _row(work: str, took: dict[str, list[float]], peer: str, goal: float) -> Row:
    ours, plain = (f"{median(took[name]) * 1000:.0f} ms" for name in ("ours", "plain"))
    return at_most("tables", work, ours, f"{peer} {plain}", ratio(took["ours"], took["plain"]), goal)


def _page(user: int) -> bytes:
    """Return a full page of one user's actions, spread over the five locations."""
    actions = [
        {
            "id": user * PAGE + number,
            "etag": f'"{number:032x}"',
            "label": f"Action {number}",
            "target_url": "https://partner.example/launch",
            "ui_reference": LOCATION_COLUMNS[number % len(LOCATION_COLUMNS)],
            "created_at": "2026-01-15T17:00:00Z",
            "updated_at": "2026-01-15T17:00:00Z",
        }
        for number in range(PAGE)
    ]
    return json.dumps({"data": actions, "meta": {"paging": {}, "records": PAGE}}).encode()
