"""Who has allowed the app, and the codes and tokens that come of it. Only digests of them are held."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import Any, Final

import msgspec

from ..assumptions import Assumptions
from ..clock import Clock
from ..http.request import Access
from .store import Shelf

CODE_LIFETIME: Final = 600  # seconds that an authorization code lives (Clio's documentation: 10 minutes)

_PENDING_MAX: Final = 1000


class OAuthRefusal(Exception):
    """The token endpoint says no: OAuth's error code and a sentence."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.error: Final = error
        self.status: Final = status


class Consent(msgspec.Struct, frozen=True):
    """What an authorization request asks for, while a user decides."""

    redirect_uri: str
    state: str | None = None
    redirect_on_decline: bool = False
    challenge: str | None = None
    challenge_method: str = "plain"


class Grant(msgspec.Struct, frozen=True):
    """A user's yes: since when (seconds), and which permissions the app had then."""

    user_id: int
    since: float
    permissions: frozenset[str]


class _Code(msgspec.Struct, frozen=True):
    user_id: int
    consent: Consent
    expires_at: float


class Grants:
    """The grants of one app in one region."""

    def __init__(self, clock: Clock, shelf: Shelf, assumptions: Assumptions, permissions: frozenset[str]) -> None:
        self._clock = clock
        self._shelf = shelf
        self._assumptions = assumptions
        self.permissions = permissions
        """What is ticked on the developer app now. A user's grant keeps what was ticked at consent."""
        self._pending: dict[str, Consent] = {}
        self._by_user = {int(key): grant for key, grant in shelf.all("grant", Grant).items()}
        self._codes = shelf.all("code", _Code)
        self._access = shelf.all("access", Access)
        self._refresh = shelf.all("refresh", int)

    def ask(self, consent: Consent) -> str:
        """Keep an authorization request until its user decides; return the form token that stands for it."""
        while len(self._pending) >= _PENDING_MAX:
            del self._pending[next(iter(self._pending))]
        form_token = secrets.token_urlsafe(24)
        self._pending[digest(form_token)] = consent
        return form_token

    def decide(self, form_token: str) -> Consent | None:
        """Take the request that a form token stands for, once; None when there is none."""
        return self._pending.pop(digest(form_token), None)

    def allow(self, user_id: int, consent: Consent) -> str:
        """Return a code for the user who said yes."""
        code = secrets.token_urlsafe(24)
        self._keep("code", self._codes, code, _Code(user_id, consent, self._clock.now() + CODE_LIFETIME))
        return code

    def exchange(self, code: str, redirect_uri: str, verifier: str | None) -> dict[str, Any]:
        """Turn a code into tokens; raise :class:`OAuthRefusal` when it is unknown, used, old, or for another URI."""
        granted = self._forget("code", self._codes, code)
        if granted is None or granted.expires_at <= self._clock.now():
            raise OAuthRefusal("invalid_grant", "The code is unknown, expired or used already.")
        if granted.consent.redirect_uri != redirect_uri:
            raise OAuthRefusal("invalid_grant", "The redirect URI is not the one of the authorization request.")
        if self._assumptions.pkce != "ignore" and not _proved(granted.consent, verifier):
            raise OAuthRefusal("invalid_grant", "The code verifier does not fit the code challenge.")
        return self.issue(granted.user_id)

    def issue(self, user_id: int) -> dict[str, Any]:
        """Grant the app access for a user and return the token response."""
        grant = Grant(user_id, self._clock.now(), self.permissions)
        self._by_user[user_id] = grant
        self._shelf.put("grant", user_id, grant)
        return {**self._new_access(user_id), "refresh_token": self._new_refresh(user_id)}

    def refresh(self, refresh_token: str, *, rotate: bool) -> dict[str, Any]:
        """Return a new access token; the refresh token is in the answer only when it changes."""
        user_id = self._refresh.get(digest(refresh_token))
        if user_id is None:
            raise OAuthRefusal("invalid_grant", "The refresh token is unknown, revoked or replaced.")
        answer = self._new_access(user_id)
        if rotate:
            self._forget("refresh", self._refresh, refresh_token)
            answer["refresh_token"] = self._new_refresh(user_id)
        return answer

    def access(self, token: str) -> Access | None:
        """Return what an access token opens, or None when it is unknown, revoked or expired."""
        found = self._access.get(digest(token))
        return found if found and found.expires_at > self._clock.now() else None

    def owner_of(self, secret: str) -> int | None:
        """Return whose code, access token or refresh token this is."""
        key = digest(secret)
        code, access = self._codes.get(key), self._access.get(key)
        return code.user_id if code else access.user_id if access else self._refresh.get(key)

    def grant_of(self, user_id: int) -> Grant | None:
        """Return a user's grant, or None when the app has none."""
        return self._by_user.get(user_id)

    def permissions_of(self, access: Access) -> frozenset[str]:
        """Return what the app may do with an access token: what was ticked at its user's last consent."""
        return self._by_user[access.user_id].permissions

    def end(self, token: str) -> int | None:
        """Revoke one access token; return whose it was."""
        ended = self._forget("access", self._access, token)
        return ended.user_id if ended else None

    def revoke(self, user_id: int) -> bool:
        """Take back a user's grant with every code and token of it; False when there was none."""
        for kind, held in (("access", self._access), ("code", self._codes)):
            for key in [key for key, value in held.items() if value.user_id == user_id]:
                del held[key]
                self._shelf.drop(kind, key)
        for key in [key for key, owner in self._refresh.items() if owner == user_id]:
            del self._refresh[key]
            self._shelf.drop("refresh", key)
        self._shelf.drop("grant", user_id)
        return self._by_user.pop(user_id, None) is not None

    def _new_access(self, user_id: int) -> dict[str, Any]:
        token, lifetime = secrets.token_urlsafe(32), self._assumptions.expires_in
        self._keep("access", self._access, token, Access(digest(token), user_id, self._clock.now() + lifetime))
        return {"token_type": "bearer", "access_token": token, "expires_in": lifetime}

    def _new_refresh(self, user_id: int) -> str:
        token = secrets.token_urlsafe(32)
        self._keep("refresh", self._refresh, token, user_id)
        return token

    def _keep(self, kind: str, held: dict[str, Any], secret: str, value: object) -> None:
        key = digest(secret)
        held[key] = value
        self._shelf.put(kind, key, value)

    def _forget(self, kind: str, held: dict[str, Any], secret: str) -> Any:
        key = digest(secret)
        self._shelf.drop(kind, key)
        return held.pop(key, None)


def digest(secret: str) -> str:
    """Return the key under which a secret is held."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def _proved(consent: Consent, verifier: str | None) -> bool:
    """Whether the verifier fits the challenge of the request (RFC 7636), if there was one."""
    if consent.challenge is None:
        return True
    if consent.challenge_method == "S256":
        hashed = hashlib.sha256((verifier or "").encode(errors="replace")).digest()
        verifier = base64.urlsafe_b64encode(hashed).decode().rstrip("=")
    return hmac.compare_digest((verifier or "").encode(errors="replace"), consent.challenge.encode(errors="replace"))
