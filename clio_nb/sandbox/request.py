"""One request to the API or to OAuth, read and decoded before anything is decided about it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from .query import Query


class Request:
    """A request. ``body`` is decoded data, None, or the refusal of a malformed one.

    ``rotate`` is set by a fault: this refresh gets a new refresh token.
    """

    def __init__(self, method: str, path: str, raw_query: bytes, headers: Mapping[bytes, bytes]) -> None:
        self.method = method
        self.path = path
        self.headers = headers
        self.body: Any = None
        self.rotate = False
        self._raw_query = raw_query

    @functools.cached_property
    def query(self) -> Query:
        """The query; raises the 400 of an unreadable one."""
        return Query(self._raw_query)

    @functools.cached_property
    def bearer(self) -> str | None:
        """The bearer token, or None when the header is missing or of another kind."""
        scheme, _, token = self.headers.get(b"authorization", b"").partition(b" ")
        return token.strip().decode("latin-1") or None if scheme.lower() == b"bearer" else None
