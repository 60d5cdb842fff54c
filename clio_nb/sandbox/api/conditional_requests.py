"""Conditional requests: If-Match on a change, If-None-Match and If-Modified-Since on a read."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

from ..assumptions import Assumptions
from ..firm.rows import Row
from ..http.answers import Refusal
from ..http.request import Request


def check_if_match(request: Request, row: Row, assumptions: Assumptions) -> None:
    """Raise 412 when the change was meant for another version of the record."""
    expected = request.headers.get(b"if-match")
    if expected is not None and not _matches(expected, row.etag):
        raise Refusal(412, assumptions.error_types[412], "The record was changed since it was read")


def unchanged(request: Request, row: Row) -> bool:
    """Whether the asker has this version already; If-None-Match counts before If-Modified-Since (RFC 9110)."""
    known = request.headers.get(b"if-none-match")
    if known is not None:
        return _matches(known, row.etag)
    since = request.headers.get(b"if-modified-since")
    if since is None:
        return False
    try:
        return int(row.updated) <= parsedate_to_datetime(since.decode("latin-1")).timestamp()
    except (ValueError, OverflowError):
        return False


def _matches(header: bytes, etag: str) -> bool:
    tags = [tag.strip().removeprefix("W/") for tag in header.decode("latin-1").split(",")]
    return etag in tags or "*" in tags
