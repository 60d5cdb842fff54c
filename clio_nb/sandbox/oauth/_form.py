"""What the OAuth addresses share: the values of a form, and that no answer is stored."""

from __future__ import annotations

from typing import Any, Final

from ..http.answers import Headers, Refusal
from ..http.request import Request
from ..world.grants import OAuthRefusal

NO_STORE: Final[Headers] = [(b"cache-control", b"no-store"), (b"pragma", b"no-cache")]


def fields_of(request: Request) -> dict[str, str]:
    """Return the text values of the body."""
    if isinstance(request.body, Refusal):
        raise OAuthRefusal("invalid_request", f"{request.body}.")
    found: Any = request.body if isinstance(request.body, dict) else {}
    return {name: value for name, value in found.items() if isinstance(name, str) and isinstance(value, str)}
