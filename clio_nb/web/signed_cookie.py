"""The signed, short-lived cookie that shows a proved launch again on a reload: its nonce is spent by then."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

from itsdangerous import BadData, Signer, URLSafeTimedSerializer

from ..errors import InvalidInput
from ..launches.report import Launch, ProvedLaunch
from ..models import Subject
from ..secret import Secret
from ..vocabulary import Location

LIFETIME: Final = 600
"""Seconds for which a reload shows the first result."""

KEY_MIN: Final = 32
_PREFIX: Final = "clio_launch_"
_METHOD: Final[dict[str, Any]] = {"key_derivation": "hmac", "digest_method": hashlib.sha256}

Key = Secret | str | Sequence[Secret | str]
"""What signs the cookies; of several, the first signs, and those that any of them has signed are read."""


class SignedCookies:
    """Signs and reads the cookies. All processes that serve a site need the same keys.

    A cookie is good for one ``door`` (a path and its target) and one launch; it says by which ``app`` it was proved.
    """

    def __init__(self, key: Key) -> None:
        self._keys = checked_keys(key)

    def ids(self, launch: Launch, door: str) -> list[str]:
        """Return the id of a launch by each key, newest first: digests of the nonce that tell nothing about it."""
        signers = (Signer(key.reveal(), salt=f"clio_nb launch id\n{door}", **_METHOD) for key in self._keys)
        return [signer.get_signature(launch.nonce.reveal()).decode()[:16] for signer in signers]

    def sign(self, launch: Launch, id: str, door: str, app: str) -> str:
        """Return the name and value of the cookie of a launch that was proved now."""
        subject = launch.subject
        said = (launch.custom_action_id, launch.user_id, subject.location.value, subject.record_id, app)
        return f"{_PREFIX}{id}={self._serializer(id, door).dumps(said)}"

    def read(self, cookies: str, id: str, door: str) -> tuple[ProvedLaunch, str] | None:
        """Return the launch of this id out of a Cookie header, with its app; None when missing, forged or too old."""
        pairs = (pair.strip().partition("=") for pair in cookies.split(";"))
        for value in (value for name, _, value in pairs if name == _PREFIX + id):
            try:
                said, at = self._serializer(id, door).loads(value, max_age=LIFETIME - 1, return_timestamp=True)
            except BadData:
                continue
            action_id, user_id, location, record_id, app = said
            return ProvedLaunch(id, action_id, user_id, Subject(Location(location), record_id), at.timestamp()), app
        return None

    def _serializer(self, id: str, door: str) -> URLSafeTimedSerializer:
        keys = [key.reveal() for key in reversed(self._keys)]  # it takes the newest last
        return URLSafeTimedSerializer(keys, salt=f"clio_nb launch\n{id}\n{door}", signer_kwargs=_METHOD)


def checked_keys(key: Key) -> list[Secret]:
    """Return the keys, newest first. Raises :class:`InvalidInput` for one that is too short to sign with."""
    keys = key if isinstance(key, list | tuple) else [key]
    several = [Secret(one) for one in keys if isinstance(one, Secret | str)]
    if len(several) < len(keys) or min((len(one.reveal()) for one in several), default=0) < KEY_MIN:
        raise InvalidInput(
            f"Each key that signs the cookies needs {KEY_MIN} characters or more (secrets.token_urlsafe(32)). Keep it "
            "with your other secrets, the same in every process.",
            field="key",
        )
    return several
