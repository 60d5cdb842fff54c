"""Who may ask: this machine by a name of its own, or whoever has the control key; and no foreign web page."""

from __future__ import annotations

import base64
import hmac
import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

_KEY: Final = re.compile(r"[!-~]{8,512}")


def is_loopback(host: str) -> bool:
    """Whether an address is reachable from this machine only."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def hostname(host: str) -> str:
    """Return the name in a Host header, without the port; empty when it cannot be read."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def is_foreign(request: HTTPConnection, *, link: bool = False) -> bool:
    """Whether a foreign web page sent a request. Of a ``link`` it may: nothing is changed by following one."""
    host, origin = request.headers.get("host", ""), request.headers.get("origin")
    sent_from = "none" if link else request.headers.get("sec-fetch-site", "none")
    return origin not in (None, f"http://{host}", f"https://{host}") or sent_from not in ("none", "same-origin")


def is_from_here(request: HTTPConnection) -> bool:
    """Whether a request comes from this machine, and names it as its Host."""
    return (
        request.client is not None
        and is_loopback(request.client.host)
        and is_loopback(hostname(request.headers.get("host", "")))
    )


def checked_key(key: str | None) -> str | None:
    """Return a control key; raise ValueError for one that no header carries, or that is soon guessed."""
    if key is not None and not _KEY.fullmatch(key):
        raise ValueError("A control key is 8 to 512 visible ASCII characters without spaces.")
    return key


def has_key(request: HTTPConnection, key: str) -> bool:
    """Whether a request carries the control key: as a bearer token, or as the password of HTTP Basic."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            given = base64.b64decode(given, validate=True).decode().partition(":")[2]
        except ValueError:
            return False
    elif scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(given.strip().encode(errors="replace"), key.encode())


def may_control(request: HTTPConnection, key: str | None) -> bool:
    """Whether a request may steer the sandbox: with the key where there is one, else from this machine alone."""
    return not is_foreign(request) and (is_from_here(request) if key is None else has_key(request, key))
