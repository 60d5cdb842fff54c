"""Pages of a list: order, limit, offset, and page tokens that are opaque, signed and stable while rows come and go."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from ..assumptions import Assumptions
from ..firm.rows import Data, Row
from ..http import query as read
from ..http.answers import Refusal, argument_error
from ..http.query import Query
from .catalogue import filters

LIMIT_MAX: Final = 200
OFFSET_MAX: Final = 10_000
_KEY: Final = b"clio-nb sandbox page token"  # keeps noise out, guards nothing

SortKey = tuple[bool, Any, int]


class _Cursor(msgspec.Struct, array_like=True):
    """Where a page begins: after a row, or before it when going back, in an order."""

    order: str
    back: bool
    id: int
    value: bool | int | float | str | None


def page(
    rows: Sequence[Row], resource: str, query: Query, url: str, assumptions: Assumptions
) -> tuple[Sequence[Row], Data]:
    """Return the rows of the page asked for, and ``meta``: full URLs of the neighbours and the number of records."""
    limit = _limit(query, assumptions)
    order = _order(resource, query)
    ordered = _ordered(rows, order)
    begin, end = _window(ordered, order, query, limit)
    shown = ordered[begin:end]
    paging: Data = {}
    if begin > 0 and shown:
        paging["previous"] = _link(url, query, order, shown[0], back=True)
    if end < len(ordered):
        paging["next"] = _link(url, query, order, shown[-1], back=False)
    return shown, {"paging": paging, "records": len(rows)}


def _limit(query: Query, assumptions: Assumptions) -> int:
    if "limit" not in query:
        return LIMIT_MAX
    limit = read.integer("limit", query["limit"])
    if assumptions.limit_outside == "clamp":
        return max(1, min(LIMIT_MAX, limit))
    if not 1 <= limit <= LIMIT_MAX:
        raise argument_error(f"limit must be between 1 and {LIMIT_MAX}")
    return limit


def _order(resource: str, query: Query) -> str:
    """Return the order such as ``name(desc)``; a list that declares no order is by id."""
    declared = filters(resource).get("order")
    if not isinstance(declared, tuple) or "order" not in query:
        return "id(asc)"
    return read.choice("order", query["order"], tuple(f"{name}({way})" for name in declared for way in ("asc", "desc")))


def _ordered(rows: Sequence[Row], order: str) -> Sequence[Row]:
    if order == "id(asc)":
        return rows  # collections are kept by ascending id
    return sorted(rows, key=lambda row: _sort_key(row, order), reverse=order.endswith("(desc)"))


def _sort_key(row: Row, order: str) -> SortKey:
    value: Any = row.data
    for name in order.partition("(")[0].split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value is None, value if value is not None else 0, row.id


def _window(rows: Sequence[Row], order: str, query: Query, limit: int) -> tuple[int, int]:
    token = query.get("page_token")
    if token is None:
        begin = _offset(query)
        return begin, begin + limit
    cursor = _unseal(token, order)
    mark = (cursor.value is None, cursor.value if cursor.value is not None else 0, cursor.id)
    down = order.endswith("(desc)")
    keys = (_sort_key(row, order) for row in rows)
    if cursor.back:  # everything before the mark, the last of it
        end = sum(1 for key in keys if (key > mark if down else key < mark))
        return max(0, end - limit), end
    begin = sum(1 for key in keys if (key >= mark if down else key <= mark))
    return begin, begin + limit


def _offset(query: Query) -> int:
    if "offset" not in query:
        return 0
    offset = read.integer("offset", query["offset"])
    if offset < 0:
        raise argument_error("offset must be 0 or more")
    if offset > OFFSET_MAX:
        # Clio's reference of 2022, "Limited Offset Pagination".
        raise Refusal(422, "ArgumentError", f"offset must be at most {OFFSET_MAX}; page with order=id(asc) instead")
    return offset


def _link(url: str, query: Query, order: str, row: Row, *, back: bool) -> str:
    dropped = ("page_token", "offset", "custom_action_nonce")
    kept = [pair for pair in query.pairs if pair[0] not in dropped]
    missing, value, _ = _sort_key(row, order)
    cursor = _Cursor(order, back, row.id, None if missing else value)
    return f"{url}?{urlencode([*kept, ('page_token', _seal(cursor))])}"


def _seal(cursor: _Cursor) -> str:
    body = msgspec.json.encode(cursor)
    return base64.urlsafe_b64encode(_sign(body) + body).decode().rstrip("=")


def _unseal(token: str, order: str) -> _Cursor:
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raw = b""
    if not hmac.compare_digest(raw[:8], _sign(raw[8:])):
        raise argument_error("page_token is invalid")
    cursor = msgspec.json.decode(raw[8:], type=_Cursor)
    if cursor.order != order:
        raise argument_error("page_token belongs to another order")
    return cursor


def _sign(body: bytes) -> bytes:
    return hmac.digest(_KEY, body, hashlib.sha256)[:8]
