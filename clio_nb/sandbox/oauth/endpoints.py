"""The addresses under ``/oauth``: who answers which, and how a refusal looks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from ..http.answers import Answer, Headers, InvalidToken, json_answer
from ..http.pages import problem
from ..http.request import Request
from ..world.grants import OAuthRefusal
from ..world.regional import Regional
from . import consent_page, token_endpoint
from ._form import NO_STORE
from .deauthorization import deauthorize

PREFIX: Final = "/oauth/"


def answer(here: Regional, request: Request) -> Answer:
    """Answer a request to one of the OAuth addresses."""
    handler = _HANDLERS.get((request.method, request.path.removeprefix(PREFIX)))
    if handler is None:
        return problem("There is no such page.", 404)
    try:
        return handler(here, request)
    except InvalidToken as refusal:
        return refusal.answer()
    except OAuthRefusal as refusal:
        challenge: Headers = [(b"www-authenticate", b'Basic realm="clio-nb sandbox"')] if refusal.status == 401 else []
        body = {"error": refusal.error, "error_description": str(refusal)}
        return json_answer(refusal.status, body, [*NO_STORE, *challenge])


_HANDLERS: Final[Mapping[tuple[str, str], Callable[[Regional, Request], Answer]]] = {
    ("GET", "authorize"): consent_page.authorize,
    ("HEAD", "authorize"): consent_page.authorize,
    ("POST", "authorize"): consent_page.decide,
    ("GET", "approval"): consent_page.approval,
    ("POST", "token"): token_endpoint.token,
    ("POST", "deauthorize"): deauthorize,
}


def user_of(here: Regional, request: Request) -> int | None:
    """Return the user whom a request to the token endpoints is about, or None."""
    body = request.body if isinstance(request.body, dict) else {}
    secrets = (request.bearer, body.get("refresh_token"), body.get("code"))
    return next(
        (owner for secret in secrets if isinstance(secret, str) and (owner := here.app.grants.owner_of(secret))), None
    )
