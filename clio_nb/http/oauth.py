"""OAuth 2.0 with Clio as messages: the authorization URL, the token requests and what their answers mean. No sockets.

oauthlib builds and reads the messages; here are Clio's own rules around it (authorization code grant only, no scopes,
a refresh token that comes only when it changes), and PKCE, which Clio does not document and ignores at worst.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl, urlsplit

import msgspec
from oauthlib.oauth2 import WebApplicationClient

from .. import errors
from ..models import Site, Token
from ..secret import Secret, sendable

AUTHORIZE: Final = "/oauth/authorize"
TOKEN: Final = "/oauth/token"  # noqa: S105 -- a path
DEAUTHORIZE: Final = "/oauth/deauthorize"
APPROVAL: Final = "/oauth/approval"
_log: Final = logging.getLogger("clio_nb")


@dataclass(frozen=True, slots=True)
class Authorization:
    """One attempt to sign a user in: its own state and PKCE verifier, and the redirect URI that brings the answer."""

    site: Site = field(repr=False)
    redirect_uri: str
    state: Secret = field(default_factory=lambda: Secret(secrets.token_urlsafe(32)))
    verifier: Secret = field(default_factory=lambda: Secret(secrets.token_urlsafe(48)))

    @property
    def authorization_url(self) -> str:
        """Clio's consent page for this attempt. It carries state and challenge: show it to this user only."""
        digest = hashlib.sha256(self.verifier.reveal().encode()).digest()
        # oauthlib builds for https alone; a sandbox on loopback is http, so the origin is put in front afterwards
        built: str = WebApplicationClient(self.site.client_id).prepare_request_uri(
            f"https://clio{AUTHORIZE}",
            redirect_uri=self.redirect_uri,
            state=self.state.reveal(),
            redirect_on_decline="true",
            code_challenge=base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            code_challenge_method="S256",
        )
        return self.site.origin + built.removeprefix("https://clio")

    def knows(self, state: str | None) -> bool:
        """Whether an answer that carries this state belongs to this attempt (constant time)."""
        return hmac.compare_digest(self.state.reveal().encode(), (state or "").encode(errors="replace"))

    def answered(self, query: str) -> Secret:
        """Return the whole address that the browser was sent to, from its query."""
        return Secret(urlsplit(self.redirect_uri)._replace(query=query).geturl())

    def code_from(self, answer: str | Secret) -> Secret:
        """Read the code from what came back: the whole redirect URL, or a bare code that the user pasted.

        Raises :class:`errors.LoginDeclined`, :class:`errors.StateMismatch`, or :class:`errors.InvalidInput` when it is
        neither. The URL of Clio's approval page carries no state; a code pasted by the user needs none.
        """
        found = self._code_in(Secret(answer).reveal().strip())
        if isinstance(found, Secret):
            return found
        raise found

    def _code_in(self, text: str) -> Secret | errors.ClioError:
        if not text or any(char.isspace() for char in text) or len(text) > 4096:
            return errors.InvalidInput(
                "Paste the code that Clio shows, or the whole address of the page.", field="answer"
            )
        if "://" not in text and "?" not in text:
            return Secret(text)
        fields = dict(parse_qsl(urlsplit(text).query))
        if ("state" in fields or not text.startswith(self.site.origin + APPROVAL)) and not self.knows(
            fields.get("state")
        ):
            return errors.StateMismatch(
                "This address belongs to another login. Start the login again, and use the new link."
            )
        if "error" in fields:
            return refusal(fields)
        if not fields.get("code"):
            return errors.InvalidInput(
                "This address has no code in it. Paste the address that you were sent to after Allow.", field="answer"
            )
        return Secret(fields["code"])

    def exchange(self, code: Secret) -> Secret:
        """Build the form that turns a code into a token (``POST /oauth/token``)."""
        return Secret(
            WebApplicationClient(self.site.client_id).prepare_request_body(
                code=code.reveal(),
                redirect_uri=self.redirect_uri,
                code_verifier=self.verifier.reveal(),
                client_secret=Secret(self.site.client_secret).reveal(),
            )
        )


def refresh(site: Site, token: Token) -> Secret:
    """Build the form that renews an access token. Raises :class:`errors.NeedsLogin` when there is no refresh token."""
    if token.refresh is None:
        raise errors.NeedsLogin("This user's access has ended and cannot be renewed. Sign the user in again.")
    return Secret(
        WebApplicationClient(site.client_id).prepare_refresh_body(
            refresh_token=token.refresh.reveal(),
            client_id=site.client_id,
            client_secret=Secret(site.client_secret).reveal(),
        )
    )


def token_from(status: int, body: Secret, *, before: Token | None = None) -> Token:
    """Read the answer of ``/oauth/token``.

    The refresh token comes only when it changed: otherwise the one of ``before`` is kept. Raises
    :class:`errors.GrantRefused`, :class:`errors.ClientRefused`, :class:`errors.ServerError` or
    :class:`errors.UnexpectedAnswer`.
    """
    if status != 200:
        raise _token_error(status, body)
    granted = _granted(body)
    if granted is None:
        said = "Clio's token answer cannot be read. Try again; a proxy on the way may have answered instead."
        raise errors.UnexpectedAnswer(said, status=status, request=f"POST {TOKEN}")
    access, refresh, expires_in = granted
    if not access:
        said = "Clio's token answer has no access_token that can be used. Try again."
        raise errors.UnexpectedAnswer(said, status=status, request=f"POST {TOKEN}")
    refresh = refresh or (before.refresh if before else None)
    return Token(access=access, refresh=refresh, expires_at=expires_in and time.time() + expires_in)


def _granted(body: Secret) -> tuple[Secret | None, Secret | None, float | None] | None:
    """Return the two tokens and the seconds of a token answer, each as far as it is certain; None if it is no object.

    Nothing is raised here, where the tokens are in clear.
    """
    try:
        answer = json.loads(body.reveal())
    except (ValueError, RecursionError):
        return None
    if not isinstance(answer, dict):
        return None
    texts = (answer.get(name) for name in ("access_token", "refresh_token"))
    access, refresh = (sendable(text) or None if isinstance(text, str) else None for text in texts)
    try:
        expires_in = msgspec.convert(
            answer.get("expires_in"), Annotated[float, msgspec.Meta(gt=0, lt=1e10)], strict=False
        )
    except msgspec.ValidationError:  # a 401 will say when it has ended
        expires_in = None
    taken = {"access_token": access, "refresh_token": refresh, "expires_in": expires_in}
    if ignored := [name for name, value in taken.items() if value is None and answer.get(name) is not None]:
        _log.warning("POST %s: Clio sent unexpected values, which were ignored: %s", TOKEN, ", ".join(ignored))
    return access, refresh, expires_in


def refusal(fields: Mapping[str, str]) -> errors.LoginError:
    """Name the error of a redirect that brought ``error`` instead of a code."""
    if fields.get("error") == "access_denied":
        return errors.LoginDeclined("The user declined. Nothing was changed; start the login again to ask once more.")
    return errors.LoginError(
        f"Clio refused the login ({_word(fields.get('error'))}). Check the app's settings and try again."
    )


def _token_error(status: int, body: Secret) -> errors.ClioError:
    try:
        answer: Any = msgspec.json.decode(body.reveal())
    except (msgspec.DecodeError, UnicodeDecodeError):
        answer = {}
    kind = _word(answer.get("error")) if isinstance(answer, dict) else ""
    if kind == "invalid_grant":
        return errors.GrantRefused(
            "Clio refused the code or refresh token: it is expired (a code lives 10 minutes), used already, revoked, "
            "or was made for another redirect URI. Start the login again."
        )
    if kind in ("invalid_client", "unauthorized_client"):
        return errors.ClientRefused(
            "Clio does not know this app. Check the client id, the client secret and the region of the app."
        )
    if status == 429:
        return errors.RateLimited("Too many logins at once. Try again in a minute.", status=429, retry_after=None)
    if status >= 500:
        return errors.ServerError(
            f"Clio has a problem with signing users in ({status}). Try again later.", status=status
        )
    if kind:
        return errors.LoginError(f"Clio refused the login ({kind}). Check the app's settings and try again.")
    return errors.UnexpectedAnswer(
        f"Clio's token answer cannot be read ({status}). Try again.", status=status, request=f"POST {TOKEN}"
    )


def _word(text: object) -> str:
    """Return an error code of the server if it is safe to show: OAuth's are short ASCII words."""
    return (
        text if isinstance(text, str) and text.isascii() and text.replace("_", "").isalnum() and len(text) < 60 else ""
    )
