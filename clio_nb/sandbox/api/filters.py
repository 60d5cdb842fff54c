"""The filters of the lists: every parameter that Clio declares, as a test on one row. Unknown ones are ignored."""

from __future__ import annotations

import datetime as dt
import operator
from collections.abc import Callable, Iterator
from typing import Any, Final

from ..firm.rows import Row
from ..http import query as read
from ..http.query import Query
from .catalogue import filters

Test = Callable[[Row], bool]


def tests(resource: str, query: Query) -> list[Test]:
    """Return the tests that a row must pass to be listed; raise 400 for a value that cannot be read."""
    declared = filters(resource)
    deep = query.get("scope") == "descendants"
    return [
        _test(resource, name, _value(name, kind, query), deep=deep)
        for name, kind in declared.items()
        if name != "order" and name in query
    ]


def _value(name: str, kind: Any, query: Query) -> Any:
    text = query[name]
    if name == "status":  # matters take several, comma-separated; one is the common case
        return [read.choice(name, part, kind) for part in text.split(",")]
    if isinstance(kind, tuple):
        return read.choice(name, text, kind)
    if kind == "int64[]":
        return {read.integer(name, each) for each in query.every(name)}
    if kind == "dates":
        return [read.dates(name, each) for each in query.every(name)]
    return _READERS[kind](name, text)


_READERS: Final[dict[str, Callable[[str, str], Any]]] = {
    "int64": read.integer,
    "boolean": read.boolean,
    "date-time": read.moment,
    "string": lambda _, text: text.casefold(),
}


def _test(resource: str, name: str, value: Any, *, deep: bool) -> Test:
    if name == "parent_id":
        return lambda row: row.lies_in(value, deep=deep)
    special = _SPECIAL.get(f"{resource}.{name}") or _SPECIAL.get(name)
    if special:
        return lambda row: special(row, value)
    field = name.removesuffix("_id")
    if field != name:
        return lambda row: (row.data.get(field) or {}).get("id") == value
    return lambda row: row.data.get(name) == value


_OPERATORS: Final = {">": operator.gt, ">=": operator.ge, "=": operator.eq, "<=": operator.le, "<": operator.lt}


def _compare(field: str) -> Callable[[Row, list[tuple[str, str]]], bool]:
    def test(row: Row, bounds: list[tuple[str, str]]) -> bool:
        day: str = row.data.get(field) or ""  # ISO dates compare as text
        return bool(day) and all(_OPERATORS[sign](day, bound) for sign, bound in bounds)

    return test


def _midnight(day: str) -> float:
    return dt.datetime.fromisoformat(f"{day}T00:00:00Z").timestamp()


def _contains(*fields: str) -> Callable[[Row, str], bool]:
    return lambda row, text: any(text in str(row.data.get(field) or "").casefold() for field in fields)


def _state(row: Row) -> Iterator[str]:
    """Yield the billing states of an activity."""
    data = row.data
    yield "billed" if data["billed"] else "unbilled"
    yield "non_billable" if data["non_billable"] else "billable"


def _always(row: Row, value: object) -> bool:
    return True


def _never_true(row: Row, value: bool) -> bool:
    return not value


_SPECIAL: Final[dict[str, Callable[[Row, Any], bool]]] = {
    "ids[]": lambda row, ids: row.id in ids,
    "exclude_ids[]": lambda row, ids: row.id not in ids,
    "created_since": lambda row, since: row.created >= since,
    "updated_since": lambda row, since: row.updated >= since,
    # The demo firm has none of these: no co-counsel, deleted records, pending users, portals.
    # Custom fields choose which values are shown, not which records.
    "custom_field_ids[]": _always,
    "include_co_counsel": _always,
    "include_deleted": _always,
    "show_uncompleted": _always,
    "pending_setup": _never_true,
    "clio_connect_only": _never_true,
    "evergreen_retainer_filter": _never_true,
    "external_property_name": lambda row, name: False,
    "external_property_value": lambda row, value: False,
    "users.name": _contains("name"),
    "users.role": lambda row, role: role in row.data["roles"],
    "users.subscription_type": lambda row, kind: row.data["subscription_type"].lower() == kind,
    "activities.query": _contains("note"),
    "activities.status": lambda row, states: not set(states).isdisjoint(_state(row)),
    "activities.only_unaccounted_for": lambda row, value: not (value and row.data["on_bill"]),
    "activities.start_date": lambda row, since: _midnight(row.data["date"]) >= since,
    "activities.end_date": lambda row, until: _midnight(row.data["date"]) <= until,
    "contacts.query": _contains("name", "primary_email_address"),
    "contacts.initial": lambda row, letter: row.data["name"][:1].upper() == letter,
    "contacts.client_only": lambda row, value: not value or row.data["is_client"],
    "contacts.email_only": lambda row, value: not value or bool(row.data.get("primary_email_address")),
    "documents.query": _contains("name", "filename"),
    "folders.query": _contains("name"),
    "matters.query": _contains("display_number", "description"),
    "matters.status": lambda row, states: row.data["status"].lower() in states,
    "matters.open_date[]": _compare("open_date"),
    "matters.close_date[]": _compare("close_date"),
    "matters.pending_date[]": _compare("pending_date"),
    "scope": _always,
}
