"""The API: one request in, one answer out. Pure functions over the state, no I/O, nothing awaited."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from ..firm.rows import Row
from ..http.answers import Answer, Headers, InvalidToken, Refusal, argument_error, forbidden, json_answer
from ..http.query import Query
from ..http.request import Access, Request
from ..world.nonces import NONCE
from ..world.state import State
from . import fields, paging
from .catalogue import OBJECT_OF, PERMISSION_OF
from .conditional_requests import check_if_match, unchanged
from .fields import Selection
from .filters import tests
from .operations import not_played

PREFIX: Final = "/api/v4/"
VERSION: Final = "4.0.13"
VERSIONS: Final = frozenset({*(f"4.0.{minor}" for minor in range(4, 11)), "4.0.12", VERSION})
"""The minor versions that Clio's reference names; any other is 410 Gone."""

_ACTIONS: Final = "custom_actions"
_READING: Final = ("GET", "HEAD")
_CACHE: Final = (b"cache-control", b"max-age=0, private, must-revalidate")


class _Call(NamedTuple):
    """A request whose sender is known: the user, and what the app may do for him."""

    request: Request
    query: Query
    user_id: int
    permissions: frozenset[str]

    def selection(self, state: State, owner: str) -> Selection:
        asked = self.query.get("fields")
        return fields.parse(owner, asked) if asked else fields.default(owner, state.assumptions.default_fields)

    def pick(self, row: Row, chosen: Selection) -> dict[str, Any]:
        return fields.pick(row.data, chosen, _readable(self.permissions))


def answer(state: State, request: Request) -> Answer:
    """Answer a request as Clio would."""
    rate: Headers = []
    try:
        access = _authorized(state, request)
        rate = state.rates.count(access.key, state.assumptions.error_types[429])
        version = _version(state, request)
        call = _Call(request, request.query, access.user_id, state.app.grants.permissions_of(access))
        _check_nonce(state, call)
        status, headers, body = _route(state, call)
    except Refusal as refusal:
        status, headers, body = refusal.answer()
    else:
        headers.append((b"x-api-version", version))
    headers += rate
    return Answer(status, headers, body)


def _authorized(state: State, request: Request) -> Access:
    """Return what the token of the request opens; raise one of the two 401s that Clio is known for."""
    if request.method == "OPTIONS":  # observed: 404, whoever asks
        raise _not_found(state)
    if request.bearer is None:
        raise Refusal(401, "UnauthorizedError", "User is not authorized")
    if request.access is None:
        raise InvalidToken
    return request.access


def _version(state: State, request: Request) -> bytes:
    asked = request.headers.get(b"x-api-version")
    if asked is not None and asked.decode("latin-1") not in VERSIONS:
        raise Refusal(410, state.assumptions.error_types[410], "This API version is unknown or no longer supported")
    return asked or VERSION.encode()


def _check_nonce(state: State, call: _Call) -> None:
    """Spend the nonce if the request carries one; it must be this user's, fresh and unused."""
    nonce = call.query.get(NONCE)
    if nonce is None:
        return
    request = call.request
    subject = request.path.rstrip("/").removesuffix(".json") if request.method in _READING else None
    if not state.launches.spend(nonce, call.user_id, subject):
        raise forbidden(state.assumptions.nonce_refused_status)


def _route(state: State, call: _Call) -> Answer:
    resource, member = _target(call.request.path)
    owner = OBJECT_OF.get(resource)
    if owner is None or "/" in (member or ""):
        raise _unknown(state, call)
    if call.request.method in _READING:
        _permit(call, PERMISSION_OF[owner], writing=False)
        return _index(state, call, resource) if member is None else _show(state, call, resource, member)
    handler = _CHANGES.get((call.request.method, member is None)) if resource == _ACTIONS else None
    if handler is None:
        raise _unknown(state, call)
    _permit(call, _ACTIONS, writing=True)
    return handler(state, call, member or "")


def _index(state: State, call: _Call, resource: str) -> Answer:
    chosen = call.selection(state, OBJECT_OF[resource])
    required = tests(resource, call.query)
    rows = (
        list(state.actions.of(call.user_id).values()) if resource == _ACTIONS else state.visible(resource, call.user_id)
    )
    if required:
        rows = [row for row in rows if all(test(row) for test in required)]
    url = state.app.origin + call.request.path
    shown, meta = paging.page(rows, resource, call.query, url, state.assumptions)
    return json_answer(200, {"data": [call.pick(row, chosen) for row in shown], "meta": meta}, [_CACHE])


def _show(state: State, call: _Call, resource: str, member: str) -> Answer:
    row = _member(state, call, resource, member)
    chosen = call.selection(state, OBJECT_OF[resource])
    headers = [(b"etag", row.etag.encode()), (b"last-modified", row.last_modified), _CACHE]
    if unchanged(call.request, row):
        return Answer(304, headers)
    return json_answer(200, {"data": call.pick(row, chosen)}, headers)


def other_record(state: State, request: Request, true: Answer) -> Answer:
    """Return the answer with the values of another record of the same collection, where it holds one record."""
    resource, member = _target(request.path)
    told = msgspec.json.decode(true.body) if true.status == 200 else None
    if member is None or not isinstance(told, dict) or resource not in OBJECT_OF:
        return true
    data = told["data"]
    rows = [*state.records(resource).values()] if resource != _ACTIONS else [*state.actions.every()]
    other = next((row for row in rows if str(row.id) != member and row.id != data.get("id")), None)
    values = other.data if other else {"id": data.get("id", 0) + 1}
    swapped = {name: values.get(name, value) for name, value in data.items() if not isinstance(value, dict)}
    return json_answer(200, {"data": {**data, **swapped}}, [h for h in true.headers if h[0] != b"content-type"])


def _create(state: State, call: _Call, _: str) -> Answer:
    chosen = call.selection(state, "CustomAction")
    row = state.actions.create(call.user_id, _data(state, call))
    return _saved(call, 201, row, chosen)


def _update(state: State, call: _Call, member: str) -> Answer:
    row = _member(state, call, _ACTIONS, member)
    chosen = call.selection(state, "CustomAction")
    check_if_match(call.request, row, state.assumptions)
    state.actions.update(row, _data(state, call))
    return _saved(call, 200, row, chosen)


def _destroy(state: State, call: _Call, member: str) -> Answer:
    state.actions.delete(_member(state, call, _ACTIONS, member))
    return Answer(204, [])


_CHANGES: Final = {("POST", True): _create, ("PATCH", False): _update, ("DELETE", False): _destroy}


def _saved(call: _Call, status: int, row: Row, chosen: Selection) -> Answer:
    return json_answer(status, {"data": call.pick(row, chosen)}, [(b"etag", row.etag.encode()), _CACHE])


def _collection(state: State, call: _Call, resource: str) -> Mapping[int, Row]:
    return state.actions.of(call.user_id) if resource == _ACTIONS else state.records(resource)


def _member(state: State, call: _Call, resource: str, member: str) -> Row:
    if resource == "users" and member == "who_am_i":
        member = str(call.user_id)
    known = member.isascii() and member.isdigit() and len(member) < 20
    row = _collection(state, call, resource).get(int(member)) if known else None
    if row is None:
        raise _not_found(state) if known else _unknown(state, call)
    if state.is_closed(resource, row, call.user_id):
        raise forbidden()
    return row


def _permit(call: _Call, permission: str, *, writing: bool) -> None:
    if permission not in (call.permissions if writing else _readable(call.permissions)):
        raise forbidden()


@functools.lru_cache
def _readable(permissions: frozenset[str]) -> frozenset[str]:
    return frozenset(name.removesuffix(":read") for name in permissions)


def _target(path: str) -> tuple[str, str | None]:
    """Return the collection and the member that a path names, with or without ``.json``."""
    resource, _, member = path.removeprefix(PREFIX).rstrip("/").removesuffix(".json").partition("/")
    return resource, member or None


def _unknown(state: State, call: _Call) -> Refusal:
    """Return the refusal of an operation that is not answered: 501 where Clio has it, else 404."""
    path = call.request.path.removeprefix(PREFIX).rstrip("/").removesuffix(".json")
    return not_played(call.request.method, path, state.app.origin) or _not_found(state)


def _not_found(state: State) -> Refusal:
    return Refusal(404, state.assumptions.error_types[404], "The record was not found, or this user cannot see it")


def _data(state: State, call: _Call) -> Mapping[str, Any]:
    """Return the values inside the ``data`` wrapper."""
    body = call.request.body
    if isinstance(body, Refusal):
        raise body
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, dict):
        status = state.assumptions.missing_data_status
        if status == 400:
            raise argument_error('data is missing: wrap the values as {"data": {...}}')
        raise Refusal(status, "RecordInvalid", "data is missing")
    return data
