"""Custom actions and users as pandas tables: typed columns, shown as text on a page, saved without formulas."""

from __future__ import annotations

import datetime as dt
import hashlib
import html
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import pandas as pd

from .errors import InvalidInput
from .models import NOT_WANTED, NOTHING, CustomAction, User, visible
from .tracebacks import verb
from .vocabulary import Location

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

LOCATION_COLUMNS: Final = [location.value for location in Location]
"""The five ``ui_reference`` values in the order of every table: activities, contacts, documents, folders, matters."""

Column: TypeAlias = pd.api.extensions.ExtensionArray
TIME: Final = "datetime64[ns, UTC]"
"""Dtype of every time in a table. Said explicitly, because pandas 3 would choose microseconds by itself."""


def actions_frame(rows: Iterable[tuple[User, CustomAction]]) -> pd.DataFrame:
    """Return one row for each custom action, in the order given, on a range index.

    The columns are those of :func:`clio_nb.actions_table`. In ``location`` the five known locations are always
    categories; an unknown one is kept as the text that Clio sent. What Clio did not say is
    missing (``<NA>``, ``NaT``). Without rows the same columns come back, empty.
    """
    users, actions = list[User](), list[CustomAction]()
    for user, action in rows:
        users.append(user)
        actions.append(action)
    return pd.DataFrame(
        {
            "user_id": integers([user.id for user in users]),
            "user": texts([user.name for user in users]),
            "location": locations([action.ui_reference for action in actions]),
            "label": texts([action.label for action in actions]),
            "target_url": texts([action.target_url for action in actions]),
            "action_id": integers([action.id for action in actions]),
            "created_at": times([action.created_at for action in actions]),
            "updated_at": times([action.updated_at for action in actions]),
        }
    )


@verb
def locations_matrix(actions: pd.DataFrame, users: Iterable[User] = ()) -> pd.DataFrame:
    """Count the actions of each user in each of the five locations.

    One row for each of ``users``, then for each further user of ``actions``, by the index ``user_id`` (Int64). Columns:
    ``user`` (string), then the five ``ui_reference`` values (int64). An action in an unknown location has
    its row in the actions table and is not counted here.

    Args:
        actions: A table of actions, from :func:`clio_nb.actions_table` or :meth:`clio_nb.Firm.actions`.
        users: Users who have a row even without an action.

    Returns:
        The table of counts.

    Raises:
        errors.InvalidInput: ``actions`` is not such a table.

    Examples:
        >>> action = clio.create_action(session, "Sign", "https://partner.example/launch", at="matters")
        >>> clio.locations_matrix(clio.actions_table(session))["matters/show"].tolist()
        [1]
    """
    if not isinstance(actions, pd.DataFrame):
        raise InvalidInput("Pass a table of actions: actions_table(session), or firm.actions().", field="actions")
    leading = list(users)
    ids = np.concatenate([np.array([user.id for user in leading], np.int64), actions["user_id"].to_numpy(np.int64)])
    # Actions are read user by user, so the ids come in runs, and numbering runs is far less work than numbering rows.
    starts = np.flatnonzero(np.concatenate([ids[:1] == ids[:1], ids[1:] != ids[:-1]]))
    runs, unique = pd.factorize(ids[starts])
    width = len(LOCATION_COLUMNS) + 1
    cells = np.repeat(runs * width, np.diff(starts, append=len(ids)))[len(leading) :]
    known = actions["location"].cat
    cells += _column_of(known.categories)[known.codes.to_numpy()]
    counts = np.bincount(cells, minlength=len(unique) * width).reshape(-1, width)[:, :-1]

    first = starts[np.flatnonzero(np.diff(np.maximum.accumulate(runs), prepend=-1))]
    names = [texts([user.name for user in leading]), actions["user"].array]
    matrix = pd.DataFrame(counts, columns=LOCATION_COLUMNS, index=pd.Index(integers(unique), name="user_id"))
    matrix.insert(0, "user", pd.concat([pd.Series(part) for part in names], ignore_index=True).array.take(first))
    return matrix


def styled(frame: pd.DataFrame, caption: str = "") -> Styler:
    """Return a table as a Styler that shows every text as text: no HTML, and control characters spelled out.

    pandas' own Styler escapes nothing unless told to. The same table gives the same HTML each time.
    """
    style = frame.style.format(_shown, escape="html", na_rep="")
    for axis in (0, 1):
        style = style.format_index(_shown, escape="html", axis=axis)
    if isinstance(frame.index, pd.RangeIndex):
        style = style.hide(axis="index")
    content = hashlib.sha256(frame.to_csv().encode(errors="replace")).hexdigest()[:10]
    return style.set_uuid(content).set_caption(html.escape(visible(caption)))


def heat_map(coverage: pd.DataFrame) -> Styler:
    """Return a coverage table (``firm.coverage()``) as a picture.

    It can be read without colour: a cell says what the user sees, with what is odd about it in brackets, or after a
    dash the reason why there is nothing.
    """
    picture = styled(coverage, "Who sees what, and why not").map(_colour, subset=pd.Index(LOCATION_COLUMNS))
    picture.format_index(lambda name: str(name).removesuffix("/show"), axis=1)
    picture.set_table_styles([{"selector": "th, td", "props": _NARROW}, {"selector": "caption", "props": _LEFT}])
    return picture.hide(axis="index").hide(["access"], axis="columns")


def save_table(frame: pd.DataFrame, path: str | Path) -> Path:
    """Write a table as CSV, Parquet or Excel, by the ending of ``path``, and return the path.

    A text that a spreadsheet would take for a formula gets an apostrophe in front, and control characters are spelled
    out, in all three. CSV is UTF-8 with a byte order mark, without which Excel takes it for another encoding. Times in
    Excel are UTC without saying so, because Excel has no time zones. Raises :class:`InvalidInput` for another ending.
    """
    path = Path(path)
    ending = path.suffix.lower()
    safe = frame.copy() if isinstance(frame.index, pd.RangeIndex) else frame.reset_index()
    for name, column in safe.items():
        if isinstance(column.dtype, pd.CategoricalDtype) or pd.api.types.is_string_dtype(column.dtype):
            safe[name] = column.astype(object).map(lambda cell: neutral(str(cell)), na_action="ignore").astype("string")
    try:
        if ending == ".csv":
            safe.to_csv(path, index=False, encoding="utf-8-sig")
        elif ending == ".parquet":
            safe.to_parquet(path, index=False)
        elif ending == ".xlsx":
            zoned = safe.select_dtypes("datetimetz").columns
            plain = safe.assign(**{name: safe[name].dt.tz_localize(None) for name in zoned})
            plain.to_excel(path, index=False, engine="openpyxl")  # which pandas does not choose for .XLSX
        else:
            raise InvalidInput(f"{path.name}: unknown table format. Use .csv, .parquet or .xlsx.", field="path")
    except ImportError:
        raise InvalidInput(
            f'{path.name}: Parquet and Excel need more libraries: python -m pip install "clio-nb[export]"', field="path"
        ) from None
    return path


def neutral(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula, on one line."""
    plain = visible(text)
    first = unicodedata.normalize("NFKC", plain.lstrip()[:1])  # what is as wide as a Chinese character counts too
    return f"'{plain}" if first.startswith(_FORMULA) else plain


def locations(values: Sequence[str | None]) -> pd.Categorical[str]:
    """Return ``ui_reference`` texts as a categorical: the five known ones first, then any other text as it came."""
    codes: dict[str | None, int] = {name: code for code, name in enumerate(LOCATION_COLUMNS)}
    for text in values:
        if text is not None and text not in codes:
            codes[text] = len(codes)
    categories = [text for text in codes if text is not None]
    codes[None] = -1
    return pd.Categorical.from_codes([codes[text] for text in values], categories=pd.Index(categories))


def times(moments: Sequence[dt.datetime | None]) -> Column:
    """Return aware datetimes (or None) as ``datetime64[ns, UTC]``. A year that this cannot hold is missing."""
    try:
        return pd.array(np.asarray(moments, object), dtype=TIME)
    except pd.errors.OutOfBoundsDatetime:
        return times([moment if moment and 1677 < moment.year < 2262 else None for moment in moments])


def integers(numbers: Sequence[int | None] | np.ndarray[tuple[int], np.dtype[np.int64]]) -> Column:
    """Return whole numbers (or None) as ``Int64``."""
    try:
        return pd.array(np.asarray(numbers, np.int64), dtype="Int64")
    except TypeError:  # some are None
        return pd.array(numbers, dtype="Int64")


def texts(words: Sequence[str | None]) -> Column:
    """Return texts (or None) as ``string``."""
    return pd.array(np.asarray(words, object), dtype="string")


def _column_of(categories: Iterable[str]) -> np.ndarray[tuple[int], np.dtype[np.int8]]:
    """Return for each category its column, or the one past them; so does the last entry, for the code -1."""
    columns = {name: column for column, name in enumerate(LOCATION_COLUMNS)}
    past = len(LOCATION_COLUMNS)
    return np.array([*(columns.get(category, past) for category in categories), past], np.int8)


_FORMULA: Final = ("=", "+", "-", "−", "@", "|", "%")
_LEFT: Final = "text-align: left"
_NARROW: Final = f"padding: 4px; font-size: 90%; vertical-align: top; white-space: normal; {_LEFT}"
_ABSENT: Final = "background-color: #f8d7da; color: #58151c"
_ODD: Final = "background-color: #fff3cd; color: #664d03"
_SEEN: Final = "background-color: #d1e7dd; color: #0a3622"


def _shown(cell: object) -> str:
    return visible(str(cell))


def _colour(value: object) -> str:
    cell = str(value)
    if cell.startswith(NOTHING):
        return "" if cell == NOT_WANTED else _ABSENT
    return _ODD if cell.endswith(")") or NOTHING in cell else _SEEN
