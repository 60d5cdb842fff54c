"""The signed, short-lived cookie that shows a proved launch again on a reload: its nonce is spent by then."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from itsdangerous import BadData, Signer, URLSafeTimedSerializer

from ..errors import InvalidInput
from ..launches.report import Launch
from ..models import Subject
from ..secret import Secret
from ..vocabulary import Location

LIFETIME: Final = 600
"""Seconds for which a reload shows the first result."""

KEY_MIN: Final = 32
BROWSER_MAX: Final = 8
"""Cookies that a door leaves in one browser: the newest. Servers take 8 KB of them, and each is about 200 bytes."""

_PREFIX: Final = "clio_launch_"
_SEPARATOR: Final = re.compile(
    "[;,]"
)  # a server may join several Cookie headers by a comma, which no value of ours has
_METHOD: Final[dict[str, Any]] = {"key_derivation": "hmac", "digest_method": hashlib.sha256}

Key = Secret | str | Sequence[Secret | str]
"""What signs the cookies; of several, the first signs, and those that any of them has signed are read."""


class Signed(NamedTuple):
    """What a cookie says of a proved launch. ``app`` is a digest that names the app which proved it."""

    id: str
    custom_action_id: int
    user_id: int
    subject: Subject
    proved_at: float
    app: str


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
        said = (launch.custom_action_id, launch.user_id, subject.location.value, subject.record_id, _digest(app))
        return f"{_PREFIX}{id}={self._serializer('launch', id, door).dumps(said)}"

    def read(self, cookies: str, id: str, door: str) -> Signed | None:
        """Return the launch of this id out of a Cookie header; None when missing, forged or too old."""
        return next((found for found in self.all(cookies, door) if found.id == id), None)

    def all(self, cookies: str, door: str) -> list[Signed]:
        """Return the launches of this door in a Cookie header, oldest first."""
        found = []
        for pair in _SEPARATOR.split(cookies):
            name, _, value = pair.strip().partition("=")
            if not name.startswith(_PREFIX):
                continue
            mine = name.removeprefix(_PREFIX)
            signer = self._serializer("launch", mine, door)
            try:
                said, at = signer.loads(value.strip('"'), max_age=LIFETIME - 1, return_timestamp=True)
            except BadData:
                continue
            action_id, user_id, location, record_id, app = said
            found.append(Signed(mine, action_id, user_id, Subject(Location(location), record_id), at.timestamp(), app))
        return sorted(found, key=lambda one: one.proved_at)

    def surplus(self, cookies: str, door: str) -> list[str]:
        """Return the names of the cookies of this door that must go so that one more leaves no more than are kept."""
        return [f"{_PREFIX}{one.id}" for one in self.all(cookies, door)[: 1 - BROWSER_MAX]]

    def wait(self, ids: list[str], pauses: Sequence[float], door: str) -> str:
        """Return what a browser brings along that comes back for a cookie: of which launch, and how long it waits."""
        return str(self._serializer("wait", door).dumps((ids, pauses)))

    def waited(self, text: str, door: str) -> tuple[list[str], list[float]] | None:
        """Read what :meth:`wait` has signed less than a minute ago."""
        try:
            ids, pauses = self._serializer("wait", door).loads(text, max_age=60)
        except BadData:
            return None
        return ids, pauses

    def claims(self, launch: Launch) -> list[bytes]:
        """Return a digest of the nonce by each key, in an order that is the same in every process."""
        said = launch.nonce.reveal().encode()
        keys = (hmac.digest(key.reveal().encode(), b"clio_nb claim", "sha256") for key in self._keys)
        return sorted(hmac.digest(key, said, "sha256") for key in keys)

    def _serializer(self, *purpose: str) -> URLSafeTimedSerializer:
        keys = [key.reveal() for key in reversed(self._keys)]  # it takes the newest last
        return URLSafeTimedSerializer(keys, salt="\n".join(("clio_nb", *purpose)), signer_kwargs=_METHOD)


def _digest(app: str) -> str:
    return hashlib.sha256(app.encode()).hexdigest()[:16]


def is_of(signed: Signed, app: str) -> bool:
    """Whether a cookie was signed for a launch that this app has proved."""
    return hmac.compare_digest(signed.app, _digest(app))


def checked_keys(key: Key) -> list[Secret]:
    """Return the keys, newest first, without the line breaks that files put around them.

    Raises :class:`InvalidInput` for one that is too short to sign with.
    """
    keys = key if isinstance(key, list | tuple) else [key]
    several = [Secret(Secret(one).reveal().strip()) for one in keys if isinstance(one, Secret | str)]
    if len(several) < len(keys) or min((len(one.reveal()) for one in several), default=0) < KEY_MIN:
        raise InvalidInput(
            f"Each key that signs the cookies needs {KEY_MIN} characters or more (secrets.token_urlsafe(32)). Keep it "
            "with your other secrets, the same in every process.",
            field="key",
        )
    return several
