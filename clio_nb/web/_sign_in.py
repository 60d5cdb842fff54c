"""A sign-in under way: sealed in a cookie of the browser that began it, so that any worker can complete it."""

from __future__ import annotations

import base64
import hmac
from typing import Final

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from ..http.oauth import Authorization
from ..models import Site
from ..secret import Secret, reading
from .signed_cookie import Key, checked_keys

LIFETIME: Final = 600
"""Seconds in which a sign-in has to be completed; Clio's codes live as long."""

COOKIE: Final = "clio_sign_in"


class SignIn(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the callback has to know of a sign-in. ``invited`` is the user whom an invitation named."""

    region: str
    state: Secret
    verifier: Secret
    purpose: str = "connect"
    next: str = ""
    from_clio: bool = False
    invited: int | None = None

    def authorization(self, site: Site, redirect_uri: str) -> Authorization:
        """Return the OAuth side of it."""
        return Authorization(site, redirect_uri, self.state, self.verifier)


_decoder: Final = msgspec.json.Decoder(SignIn, dec_hook=reading)


class SealedSignIns:
    """Seals and opens the cookie of a sign-in. All processes that serve a site need the same keys.

    One cookie for a browser: of two sign-ins, the newer counts.
    """

    def __init__(self, key: Key, path: str, *, secure: bool) -> None:
        self._keys = [hmac.digest(each.reveal().encode(), b"clio_nb sign-in", "sha256") for each in checked_keys(key)]
        self._sealing = MultiFernet([Fernet(base64.urlsafe_b64encode(each)) for each in self._keys])
        self._attributes = f"; Path={path}; HttpOnly; SameSite=Lax" + ("; Secure" if secure else "")

    def cookie(self, sign_in: SignIn) -> str:
        """Return the value of the Set-Cookie header that keeps a sign-in."""
        sealed = self._sealing.encrypt(msgspec.json.encode(sign_in, enc_hook=Secret.reveal)).decode()
        return f"{COOKIE}={sealed}; Max-Age={LIFETIME}{self._attributes}"

    @property
    def gone(self) -> str:
        """The value of the Set-Cookie header that ends it."""
        return f"{COOKIE}=; Max-Age=0{self._attributes}"

    def read(self, cookies: str) -> SignIn | None:
        """Return the sign-in of this browser; None when there is none, or it is forged or too old."""
        for name, _, value in (pair.strip().partition("=") for pair in cookies.split(";")):
            if name == COOKIE:
                try:
                    return _decoder.decode(self._sealing.decrypt(value.encode("latin-1", "replace"), ttl=LIFETIME))
                except (InvalidToken, msgspec.MsgspecError):
                    continue
        return None

    def digests(self, text: Secret | str) -> list[bytes]:
        """Return a digest by each key, by which something is claimed once: they tell nothing about the text."""
        return sorted(hmac.digest(key, Secret(text).reveal().encode(), "sha256") for key in self._keys)
