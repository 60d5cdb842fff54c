"""Records become tables with the same columns and dtypes, whatever Clio sends."""

from __future__ import annotations

import datetime as dt

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from clio_nb.models import CustomAction, User
from clio_nb.tables import LOCATION_COLUMNS, actions_frame, locations_matrix
from clio_nb.vocabulary import Location

DTYPES = {
    "user_id": "Int64",
    "user": "string",
    "location": "category",
    "label": "string",
    "target_url": "string",
    "action_id": "Int64",
    "created_at": "datetime64[ns, UTC]",
    "updated_at": "datetime64[ns, UTC]",
}
ANNA, BEN = User(id=7, name="Anna Demo"), User(id=9, name=None)
NOON = dt.datetime(2026, 1, 15, 17, tzinfo=dt.UTC)


def action(id: int, place: str | None = "matters/show", **fields: object) -> CustomAction:
    return CustomAction(id=id, ui_reference=place, **fields)  # type: ignore[arg-type]


def dtypes(frame: pd.DataFrame) -> dict[str, str]:
    return {str(column): str(dtype) for column, dtype in frame.dtypes.items()}


def test_every_action_is_a_row_in_the_order_given() -> None:
    rows = [(BEN, action(2, label="Two")), (ANNA, action(1, "folders/show", label="One", created_at=NOON))]
    frame = actions_frame(rows)
    assert frame["action_id"].tolist() == [2, 1]
    assert frame["label"].tolist() == ["Two", "One"]
    assert frame["location"].tolist() == ["matters/show", "folders/show"]
    assert frame.loc[1, "created_at"] == pd.Timestamp(NOON)
    assert dtypes(frame) == DTYPES


def test_an_empty_table_has_the_same_columns_and_dtypes() -> None:
    assert dtypes(actions_frame([])) == DTYPES
    matrix = locations_matrix(actions_frame([]))
    assert matrix.empty
    assert dtypes(matrix) == {"user": "string"} | dict.fromkeys(LOCATION_COLUMNS, "int64")
    assert (matrix.index.name, str(matrix.index.dtype)) == ("user_id", "Int64")


def test_what_clio_left_out_is_missing_not_text() -> None:
    row = actions_frame([(BEN, CustomAction(id=1))]).iloc[0]
    assert row[["user", "location", "label", "target_url", "created_at"]].isna().all()


def test_an_unknown_location_is_shown_as_clio_sent_it_and_counts_in_none_of_the_five() -> None:
    frame = actions_frame([(ANNA, action(1, "bills/show")), (ANNA, action(2, None)), (ANNA, action(3))])
    assert frame["location"].cat.categories.tolist() == [*LOCATION_COLUMNS, "bills/show"]
    assert frame["location"].iloc[0] == "bills/show"
    assert locations_matrix(frame).loc[7, LOCATION_COLUMNS].tolist() == [0, 0, 0, 0, 1]


def test_times_of_any_zone_become_utc_nanoseconds() -> None:
    pacific = dt.timezone(dt.timedelta(hours=-8))
    frame = actions_frame([(ANNA, action(1, created_at=NOON.astimezone(pacific), updated_at=NOON))])
    assert (frame["created_at"] == frame["updated_at"]).all()
    assert str(frame["created_at"].dtype) == "datetime64[ns, UTC]"


def test_the_matrix_keeps_users_who_have_no_action() -> None:
    frame = actions_frame([(BEN, action(1)), (BEN, action(2)), (BEN, action(3, "contacts/show"))])
    matrix = locations_matrix(frame, users=[ANNA, BEN])
    assert matrix.index.tolist() == [7, 9]
    assert matrix["user"].tolist() == ["Anna Demo", pd.NA]
    assert matrix[LOCATION_COLUMNS].to_numpy().tolist() == [[0] * 5, [0, 1, 0, 0, 2]]


@settings(deadline=None)  # a busy machine is no mistake
@given(st.lists(st.tuples(st.integers(1, 6), st.sampled_from([*Location, "bills/show", None])), max_size=40))
def test_the_matrix_counts_what_a_crosstab_counts(cells: list[tuple[int, str | None]]) -> None:
    frame = actions_frame([(User(id=user), action(number, place)) for number, (user, place) in enumerate(cells)])
    matrix = locations_matrix(frame)
    counts = {
        (user, place): sum(cell == (user, place) for cell in cells) for user, _ in cells for place in LOCATION_COLUMNS
    }
    assert matrix.index.tolist() == list(dict.fromkeys(user for user, _ in cells))
    assert {(user, place): matrix.loc[user, place] for user, place in counts} == counts
