"""Request bodies: JSON, form and multipart into one shape, with bounds on size and time."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Iterable
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.types import Receive

from .answers import Refusal, argument_error

SIZE_MAX: Final = 1_000_000  # longest body taken, in bytes

BODY_TIMEOUT: Final = 10.0  # real seconds that a sender has for its body

_FIELDS_MAX: Final = 500
_FORM: Final = b"application/x-www-form-urlencoded"
_MULTIPART: Final = b"multipart/form-data"
_CLOSE: Final = (b"connection", b"close")
_BRACKETS: Final = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")


async def receive_all(receive: Receive, most: int | None = None) -> bytes:
    """Read a body; raise 413 when it is too long and 408 when it does not come."""
    chunks, size, most = [], 0, most or SIZE_MAX
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    break
                chunk: bytes = message.get("body", b"")
                size += len(chunk)
                if size > most:
                    raise Refusal(413, "PayloadTooLarge", f"The body is longer than {most} bytes", [_CLOSE])
                chunks.append(chunk)
                if not message.get("more_body", False):
                    break
    except TimeoutError:
        raise Refusal(408, "RequestTimeout", "The body did not arrive in time", [_CLOSE]) from None
    return b"".join(chunks)


async def decode(content_type: bytes, body: bytes) -> Any:
    """Return what a body says as plain data, None for a media type that Clio does not read; raise 400 if malformed."""
    kind = _media_type(content_type)
    if kind == b"application/json":
        return _json(body)
    if kind in (_FORM, _MULTIPART):
        return nest(await pairs(content_type, body))
    return None


async def pairs(content_type: bytes, body: bytes) -> list[tuple[str, str]]:
    """Return the names and values of a form or multipart body; files are dropped. Raise 400 when it is malformed."""
    try:
        if _media_type(content_type) == _MULTIPART:
            return await _multipart(content_type, body)
        return parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_FIELDS_MAX)
    except (MultiPartException, KeyError, ValueError):
        raise argument_error("The form body is malformed") from None


async def _multipart(content_type: bytes, body: bytes) -> list[tuple[str, str]]:
    headers = Headers(raw=[(b"content-type", content_type)])
    read = await MultiPartParser(headers, _stream(body), max_files=_FIELDS_MAX, max_fields=_FIELDS_MAX).parse()
    try:
        return [(name, value) for name, value in read.multi_items() if isinstance(value, str)]
    finally:
        await read.close()


def _media_type(content_type: bytes) -> bytes:
    return content_type.partition(b";")[0].strip().lower()


def nest(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return bracket names as nested data: ``data[label]=x`` is ``{"data": {"label": "x"}}``."""
    nested: dict[str, Any] = {}
    for name, value in pairs:
        parsed = _BRACKETS.fullmatch(name)
        if parsed is None:
            continue  # unreadable names are dropped, as unknown keys are
        path = [parsed[1], *parsed[2][1:-1].split("][")] if parsed[2] else [parsed[1]]
        if len(path) > 8:
            raise argument_error("The form body is nested too deeply")
        inner = nested
        for key in path[:-1]:
            deeper = inner.setdefault(key, {})
            if not isinstance(deeper, dict):
                raise argument_error(f"{key[:60]} is given as a value and as an object")
            inner = deeper
        inner[path[-1]] = value
    return nested


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise argument_error("The body is not valid JSON") from None


async def _stream(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body
    yield b""
