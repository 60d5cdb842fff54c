"""The signed, short-lived cookie that shows a proved launch again on a reload: its nonce is spent by then."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from dataclasses import dataclass
from typing import Final

import msgspec

from ..errors import InvalidInput
from ..models import Subject
from ..places import Location
from ..secret import Secret
from .report import Launch

LIFETIME: Final = 600
"""Seconds for which a reload shows the first result."""

KEY_MIN: Final = 32
_PREFIX: Final = "clio_launch_"


@dataclass(frozen=True, slots=True)
class ProvedLaunch:
    """A launch that Clio has confirmed: what your page may rely on. ``proved_at`` is in seconds since the epoch."""

    id: str
    custom_action_id: int
    user_id: int
    subject: Subject
    proved_at: float


class _Claim(msgspec.Struct, array_like=True, frozen=True):
    """What a ticket says, under its signature."""

    id: str
    custom_action_id: int
    user_id: int
    location: Location
    record_id: int
    proved_at: float


class Tickets:
    """Issues and reads tickets with one key. All processes that serve a site need the same key."""

    def __init__(self, key: Secret | str) -> None:
        text = Secret(key).reveal()
        if len(text) < KEY_MIN:
            raise InvalidInput(
                f"The key that signs the cookies needs {KEY_MIN} characters or more (secrets.token_urlsafe(32)). Keep "
                "it with your other secrets, the same in every process.",
                field="key",
            )
        self._key = Secret(text)

    def prove(self, launch: Launch) -> ProvedLaunch:
        """Return a launch as proved now. Its id is a keyed digest of the nonce: it tells nothing about it."""
        digest = self._sign(b"id", launch.nonce.reveal().encode())[:12]
        return ProvedLaunch(_text(digest), launch.custom_action_id, launch.user_id, launch.subject, time.time())

    def cookie(self, proved: ProvedLaunch) -> str:
        """Return the name and value of the cookie that carries a ticket."""
        subject = proved.subject
        claim = _Claim(
            proved.id,
            proved.custom_action_id,
            proved.user_id,
            subject.location,
            subject.record_id,
            proved.proved_at,
        )
        said = msgspec.json.encode(claim)
        return f"{_PREFIX}{proved.id}={_text(said)}.{_text(self._sign(b'ticket', said))}"

    def read(self, cookies: str, id: str) -> ProvedLaunch | None:
        """Return the launch of this id out of a Cookie header, or None when it is missing, forged or too old."""
        for pair in cookies.split(";"):
            name, _, value = pair.strip().partition("=")
            if name == _PREFIX + id:
                return self._open(value, id)
        return None

    def _open(self, value: str, id: str) -> ProvedLaunch | None:
        text, _, signature = value.partition(".")
        try:
            said, signed = _bytes(text), _bytes(signature)
            if not hmac.compare_digest(self._sign(b"ticket", said), signed):
                return None
            claim = msgspec.json.decode(said, type=_Claim)
        except ValueError:
            return None
        if claim.id != id or not 0 <= time.time() - claim.proved_at < LIFETIME:
            return None
        subject = Subject(claim.location, claim.record_id)
        return ProvedLaunch(claim.id, claim.custom_action_id, claim.user_id, subject, claim.proved_at)

    def _sign(self, purpose: bytes, text: bytes) -> bytes:
        key = hmac.digest(self._key.reveal().encode(), b"clio_nb launch " + purpose, hashlib.sha256)
        return hmac.digest(key, text, hashlib.sha256)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
