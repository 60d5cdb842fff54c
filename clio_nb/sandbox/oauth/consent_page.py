"""The consent page: what an app asks for, the user's yes or no, and the way back to the app.

It can be driven without a browser: GET ``/oauth/authorize``, take the hidden field ``consent`` from the one form, and
POST it to ``/oauth/authorize`` with ``user_id`` and ``decision`` (``allow`` or ``decline``).
"""

from __future__ import annotations

import posixpath
from typing import Final
from urllib.parse import urlencode, urlsplit, urlunsplit

from ..firm.rows import Data
from ..http.answers import Answer, Refusal
from ..http.pages import page, problem
from ..http.query import Query
from ..http.request import Request
from ..world.grants import Consent
from ..world.regional import Regional
from ..world.registration import Registration
from ..world.state import State
from ._form import NO_STORE, fields_of

_METHODS: Final = ("S256", "plain")


def authorize(here: Regional, request: Request) -> Answer:
    """Show the consent page, or say why there is none."""
    app = here.app
    try:
        asked = request.query
    except Refusal as refusal:
        return problem(f"{refusal}.")
    if asked.get("client_id") != app.client_id:
        return problem(f"No app with this client_id is registered in region {app.region.value}.", 401)
    redirect_uri = asked.get("redirect_uri") or ""
    if not _registered(app, redirect_uri):
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
    error = _unfit(app, asked, consent)
    if error:
        return _back(app, request, consent, error=error)
    return page(
        "consent.html",
        firms={state.name: _may_sign_in(state) for state in here.states},
        permissions=sorted(app.grants.permissions),
        consent=app.grants.ask(consent),
        redirect_uri=redirect_uri,
    )


def _may_sign_in(state: State) -> list[Data]:
    return [row.data for row in state.records("users").values() if row.data["enabled"]]


def decide(here: Regional, request: Request) -> Answer:
    """Take the user's yes or no, and send the browser back to the app."""
    said = fields_of(request)
    app = here.app
    consent = app.grants.decide(said.get("consent", ""))
    if consent is None:
        return problem("This form was used already or is too old. Go back to the app and begin again.")
    if said.get("decision") != "allow":
        if consent.redirect_on_decline:
            return _back(app, request, consent, error="access_denied")
        return problem("You declined, so the app has no access. You can close this page.")
    user_id = said.get("user_id", "")
    number = int(user_id) if user_id.isascii() and user_id.isdigit() and len(user_id) < 20 else 0
    row = here.state_of(number).row("users", number)
    if row is None or not row.data["enabled"]:
        return problem("This user does not exist or cannot sign in. Go back to the app and begin again.")
    return _back(app, request, consent, code=app.grants.allow(row.id, consent))


def approval(_: Regional, request: Request) -> Answer:
    """Show the code to a person, for apps without a server."""
    try:
        told = request.query
    except Refusal as refusal:
        return problem(f"{refusal}.")
    code = told.get("code")
    outcome = f"Success code={code}" if code else f"Failure error={told.get('error') or 'access_denied'}"
    return page("approval.html", outcome=outcome, code=code)


def _registered(app: Registration, redirect_uri: str) -> bool:
    """Whether the URI is registered; extra query parameters on it are allowed (observed at Clio)."""
    try:
        bare = urlunsplit(urlsplit(redirect_uri)._replace(query=""))
    except ValueError:
        return False
    return bool({redirect_uri, bare} & set(app.redirect_uris)) and "#" not in redirect_uri


def _unfit(app: Registration, asked: Query, consent: Consent) -> str | None:
    """Return OAuth's error for a request that cannot be granted, whoever says yes."""
    if asked.get("response_type") != "code":
        return "unsupported_response_type"
    if consent.challenge is None:
        return "invalid_request" if app.assumptions.pkce == "require" else None
    if consent.challenge_method not in _METHODS and app.assumptions.pkce != "ignore":
        return "invalid_request"
    return None


def _back(app: Registration, request: Request, consent: Consent, **told: str) -> Answer:
    """Send the browser back to the app. Behind a proxy, what it serves too is reached relative to this page."""
    if consent.state is not None:
        told["state"] = consent.state
    parts = urlsplit(consent.redirect_uri)
    query = "&".join(filter(None, (parts.query, urlencode(told))))
    location = urlunsplit(parts._replace(query=query))
    if b"x-forwarded-prefix" in request.headers:
        location = location.replace(app.approval_uri, "approval", 1)
        if location.startswith("/"):
            here = f"{request.headers[b'x-forwarded-prefix'].decode('latin-1')}/oauth"
            location = f"{posixpath.relpath(parts.path, here)}?{query}"
    headers = [
        (b"location", location.encode("ascii", errors="replace")),
        (b"referrer-policy", b"no-referrer"),
        *NO_STORE,
    ]
    return Answer(302, headers)
