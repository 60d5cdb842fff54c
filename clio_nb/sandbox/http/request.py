"""One request to the API or to OAuth, read and decoded before anything is decided about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from .query import Query


class Access(msgspec.Struct, frozen=True):
    """An access token that was issued: its digest, whose it is, and until when (seconds)."""

    key: str
    user_id: int
    expires_at: float


class Request:
    """A request.

    ``bearer`` is its token, None when the header is missing or of another kind; ``access`` is what the token opens,
    None for nothing. ``body`` is decoded data, None, or the refusal of a malformed one. ``rotate`` is set by a fault:
    this refresh gets a new refresh token.
    """

    __slots__ = ("_query", "_raw_query", "access", "bearer", "body", "headers", "method", "path", "rotate")

    def __init__(self, method: str, path: str, raw_query: bytes, headers: Mapping[bytes, bytes]) -> None:
        self.method = method
        self.path = path
        self.headers = headers
        self.bearer = _bearer(headers.get(b"authorization", b""))
        self.access: Access | None = None
        self.body: Any = None
        self.rotate = False
        self._raw_query = raw_query
        self._query: Query | None = None

    @property
    def query(self) -> Query:
        """The query; raises the 400 of an unreadable one."""
        if self._query is None:
            self._query = Query(self._raw_query)
        return self._query


def _bearer(authorization: bytes) -> str | None:
    """Return the bearer token, or None when the header is missing or of another kind."""
    scheme, _, token = authorization.partition(b" ")
    return token.strip().decode("latin-1") or None if scheme.lower() == b"bearer" else None
