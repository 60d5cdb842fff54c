"""OAuth as Clio does it: the consent page, codes, tokens, refresh, deauthorize and the approval page.

The consent page can be driven without a browser: GET ``/oauth/authorize``, take the hidden field ``consent`` from the
one form, and POST it to ``/oauth/authorize`` with ``user_id`` and ``decision`` (``allow`` or ``decline``).
"""

from __future__ import annotations

import base64
import hmac
import posixpath
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote_plus, urlencode, urlsplit, urlunsplit

from .answers import Answer, Headers, InvalidToken, Refusal, json_answer
from .firm import FIRM_NAME
from .grants import Consent, OAuthRefusal
from .pages import page, problem
from .query import Query
from .request import Request
from .state import State

PREFIX: Final = "/oauth/"
_NO_STORE: Final[Headers] = [(b"cache-control", b"no-store"), (b"pragma", b"no-cache")]
_METHODS: Final = ("S256", "plain")


def answer(state: State, request: Request) -> Answer:
    """Answer a request to one of the OAuth addresses."""
    handler = _HANDLERS.get((request.method, request.path.removeprefix(PREFIX)))
    if handler is None:
        return problem("There is no such page.", 404)
    try:
        return handler(state, request)
    except InvalidToken as refusal:
        return refusal.answer()
    except OAuthRefusal as refusal:
        challenge: Headers = [(b"www-authenticate", b'Basic realm="clio-nb sandbox"')] if refusal.status == 401 else []
        body = {"error": refusal.error, "error_description": str(refusal)}
        return json_answer(refusal.status, body, [*_NO_STORE, *challenge])


def _authorize(state: State, request: Request) -> Answer:
    try:
        asked = request.query
    except Refusal as refusal:
        return problem(f"{refusal}.")
    if asked.get("client_id") != state.client_id:
        return problem(f"No app with this client_id is registered in region {state.region.value}.", 401)
    redirect_uri = asked.get("redirect_uri") or ""
    if not _registered(state, redirect_uri):
        return problem(
            "The redirect_uri is not one that the app has registered: scheme, host, port and path must match."
        )
    consent = Consent(
        redirect_uri,
        state=asked.get("state"),
        redirect_on_decline=asked.get("redirect_on_decline") == "true",
        challenge=asked.get("code_challenge"),
        challenge_method=asked.get("code_challenge_method") or "plain",
    )
    error = _unfit(state, asked, consent)
    if error:
        return _back(state, request, consent, error=error)
    rows = state.records("users").values()
    return page(
        "consent.html",
        firm=FIRM_NAME,
        permissions=sorted(state.grants.permissions),
        consent=state.grants.ask(consent),
        users=[row.data for row in rows if row.data["enabled"]],
        redirect_uri=redirect_uri,
    )


def _decide(state: State, request: Request) -> Answer:
    said = _fields(request)
    consent = state.grants.decide(said.get("consent", ""))
    if consent is None:
        return problem("This form was used already or is too old. Go back to the app and begin again.")
    if said.get("decision") != "allow":
        if consent.redirect_on_decline:
            return _back(state, request, consent, error="access_denied")
        return problem("You declined, so the app has no access. You can close this page.")
    user_id = said.get("user_id", "")
    row = state.row("users", int(user_id)) if user_id.isascii() and user_id.isdigit() and len(user_id) < 20 else None
    if row is None or not row.data["enabled"]:
        return problem("This user does not exist or cannot sign in. Go back to the app and begin again.")
    return _back(state, request, consent, code=state.grants.allow(row.id, consent))


def _approval(_: State, request: Request) -> Answer:
    try:
        told = request.query
    except Refusal as refusal:
        return problem(f"{refusal}.")
    code = told.get("code")
    outcome = f"Success code={code}" if code else f"Failure error={told.get('error') or 'access_denied'}"
    return page("approval.html", outcome=outcome, code=code)


def _token(state: State, request: Request) -> Answer:
    said = _fields(request)
    _check_client(state, request, said)
    kind = said.get("grant_type")
    if kind == "authorization_code":
        if not said.get("code") or not said.get("redirect_uri"):
            raise OAuthRefusal("invalid_request", "code and redirect_uri are required.")
        tokens = state.grants.exchange(said["code"], said["redirect_uri"], said.get("code_verifier"))
    elif kind == "refresh_token":
        if not said.get("refresh_token"):
            raise OAuthRefusal("invalid_request", "refresh_token is required.")
        rotate = request.rotate or state.assumptions.refresh_rotates
        tokens = state.grants.refresh(said["refresh_token"], rotate=rotate)
    else:
        raise OAuthRefusal("unsupported_grant_type", "grant_type must be authorization_code or refresh_token.")
    return json_answer(200, tokens, list(_NO_STORE))


def _deauthorize(state: State, request: Request) -> Answer:
    bearer = request.bearer
    access = state.grants.access(bearer) if bearer else None
    if access is None:
        raise InvalidToken
    token = _fields(request).get("token")
    if not token:
        raise OAuthRefusal("invalid_request", "token is required.")
    if state.grants.end(token) is not None:
        state.tell_app(access.user_id, token)
    return json_answer(200, {}, list(_NO_STORE))


_HANDLERS: Final[Mapping[tuple[str, str], Callable[[State, Request], Answer]]] = {
    ("GET", "authorize"): _authorize,
    ("HEAD", "authorize"): _authorize,
    ("POST", "authorize"): _decide,
    ("GET", "approval"): _approval,
    ("POST", "token"): _token,
    ("POST", "deauthorize"): _deauthorize,
}


def _registered(state: State, redirect_uri: str) -> bool:
    """Whether the URI is registered; extra query parameters on it are allowed (observed at Clio)."""
    try:
        bare = urlunsplit(urlsplit(redirect_uri)._replace(query=""))
    except ValueError:
        return False
    return bool({redirect_uri, bare} & set(state.redirect_uris)) and "#" not in redirect_uri


def _unfit(state: State, asked: Query, consent: Consent) -> str | None:
    """Return OAuth's error for a request that cannot be granted, whoever says yes."""
    if asked.get("response_type") != "code":
        return "unsupported_response_type"
    if consent.challenge is None:
        return "invalid_request" if state.assumptions.pkce == "require" else None
    if consent.challenge_method not in _METHODS and state.assumptions.pkce != "ignore":
        return "invalid_request"
    return None


def _back(state: State, request: Request, consent: Consent, **told: str) -> Answer:
    """Send the browser back to the app. Behind a proxy, what it serves too is reached relative to this page."""
    if consent.state is not None:
        told["state"] = consent.state
    parts = urlsplit(consent.redirect_uri)
    query = "&".join(filter(None, (parts.query, urlencode(told))))
    location = urlunsplit(parts._replace(query=query))
    if b"x-forwarded-prefix" in request.headers:
        location = location.replace(state.approval_uri, "approval", 1)
        if location.startswith("/"):
            here = f"{request.headers[b'x-forwarded-prefix'].decode('latin-1')}/oauth"
            location = f"{posixpath.relpath(parts.path, here)}?{query}"
    headers = [
        (b"location", location.encode("ascii", errors="replace")),
        (b"referrer-policy", b"no-referrer"),
        *_NO_STORE,
    ]
    return Answer(302, headers)


def _fields(request: Request) -> dict[str, str]:
    """Return the text values of the body."""
    if isinstance(request.body, Refusal):
        raise OAuthRefusal("invalid_request", f"{request.body}.")
    found: Any = request.body if isinstance(request.body, dict) else {}
    return {name: value for name, value in found.items() if isinstance(name, str) and isinstance(value, str)}


def _check_client(state: State, request: Request, said: Mapping[str, str]) -> None:
    """Refuse another app than the registered one, named in the body or by HTTP Basic."""
    client_id, client_secret = _basic(request) or (said.get("client_id", ""), said.get("client_secret", ""))
    known = hmac.compare_digest(client_id.encode(errors="replace"), state.client_id.encode())
    proved = hmac.compare_digest(client_secret.encode(errors="replace"), state.client_secret.encode())
    if not (known and proved):
        raise OAuthRefusal("invalid_client", "The app is unknown in this region, or its secret is wrong.", 401)


def _basic(request: Request) -> tuple[str, str] | None:
    scheme, _, encoded = request.headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return unquote_plus(client_id), unquote_plus(secret)


def user_of(state: State, request: Request) -> int | None:
    """Return the user whom a request to the token endpoints is about, or None."""
    body = request.body if isinstance(request.body, dict) else {}
    secrets = (request.bearer, body.get("refresh_token"), body.get("code"))
    return next(
        (owner for secret in secrets if isinstance(secret, str) and (owner := state.grants.owner_of(secret))), None
    )
