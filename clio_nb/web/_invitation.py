"""An invitation: a personal link by which a user connects. Signed, seven days."""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

from itsdangerous import BadData, SignatureExpired, URLSafeTimedSerializer

from .signed_cookie import Key, checked_keys

LIFETIME: Final = 7 * 24 * 3600
"""Seconds for which an invitation can be used."""


class Invitation(NamedTuple):
    """Who is invited: a user of a firm (both are Clio's ids), in a region."""

    region: str
    firm: int
    user_id: int


class Invitations:
    """Signs invitations and reads them."""

    def __init__(self, key: Key) -> None:
        keys = [each.reveal() for each in reversed(checked_keys(key))]  # it takes the newest last
        self._signer = URLSafeTimedSerializer(
            keys, salt="clio_nb invitation", signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256}
        )

    def sign(self, invitation: Invitation) -> str:
        """Return the text that stands in the link."""
        signed = self._signer.dumps(invitation)
        return signed if isinstance(signed, str) else signed.decode()

    def read(self, text: str) -> Invitation | str:
        """Return the invitation, or the sentence that says why it cannot be used."""
        try:
            region, firm, user_id = self._signer.loads(text, max_age=LIFETIME)
        except SignatureExpired:
            return "This invitation is older than seven days. Ask for a new one."
        except (BadData, ValueError, TypeError):
            return "This invitation is incomplete. Open the whole link, or ask for a new one."
        return Invitation(region, firm, user_id)
