"""What the API answers: JSON bodies, Clio's error envelope, and the two shapes of 401."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec

Headers = list[tuple[bytes, bytes]]

JSON_TYPE: Final = (b"content-type", b"application/json; charset=utf-8")

encode: Final = msgspec.json.Encoder().encode


class Answer(NamedTuple):
    """Status, headers and body of one answer."""

    status: int
    headers: Headers
    body: bytes = b""


class Refusal(Exception):
    """The answer is no: Clio's status, error type and message. Raised anywhere below the API, answered in one place."""

    def __init__(self, status: int, type: str, message: str, headers: Headers | None = None) -> None:
        super().__init__(message)
        self.status: Final = status
        self.type: Final = type
        self.headers: Final = headers or []

    def answer(self) -> Answer:
        """Return it in Clio's envelope, ``{"error": {"type", "message"}}``."""
        body = {"error": {"type": self.type, "message": str(self)}}
        return json_answer(self.status, body, [(b"cache-control", b"no-cache"), *self.headers])


class InvalidToken(Refusal):
    """The bearer token is unknown, expired or revoked: 401 in OAuth's shape, where ``error`` is a string."""

    _DESCRIPTION: Final = "The access token provided is expired, revoked, malformed or invalid for other reasons."

    def __init__(self) -> None:
        challenge = f'Bearer realm="clio-nb sandbox", error="invalid_token", error_description="{self._DESCRIPTION}"'
        super().__init__(401, "invalid_token", self._DESCRIPTION, [(b"www-authenticate", challenge.encode())])

    def answer(self) -> Answer:
        """Return it as observed at Clio: ``{"error": "invalid_token", "error_description": ...}``."""
        body = {"error": self.type, "error_description": self._DESCRIPTION}
        return json_answer(401, body, [(b"cache-control", b"no-store"), *self.headers])


def json_answer(status: int, body: Any, headers: Headers | None = None) -> Answer:
    """Return a JSON answer."""
    return Answer(status, [JSON_TYPE, *(headers or [])], encode(body))


def argument_error(message: str) -> Refusal:
    """Return the 400 of a value that Clio cannot read."""
    return Refusal(400, "ArgumentError", message)


def forbidden(status: int = 403) -> Refusal:
    """Return the 403 with Clio's own message."""
    return Refusal(status, "ForbiddenError", "User is forbidden from taking that action")
