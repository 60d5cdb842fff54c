"""The token endpoint: a code or a refresh token against an access token, for the registered app alone."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from urllib.parse import unquote_plus

from ..http.answers import Answer, json_answer
from ..http.request import Request
from ..world.grants import OAuthRefusal
from ..world.regional import Regional
from ..world.registration import Registration
from ._form import NO_STORE, fields_of


def token(here: Regional, request: Request) -> Answer:
    """Give tokens; raise :class:`OAuthRefusal` for anything but a good code or refresh token of this app."""
    app, said = here.app, fields_of(request)
    _check_client(app, request, said)
    kind = said.get("grant_type")
    if kind == "authorization_code":
        if not said.get("code") or not said.get("redirect_uri"):
            raise OAuthRefusal("invalid_request", "code and redirect_uri are required.")
        tokens = app.grants.exchange(said["code"], said["redirect_uri"], said.get("code_verifier"))
    elif kind == "refresh_token":
        if not said.get("refresh_token"):
            raise OAuthRefusal("invalid_request", "refresh_token is required.")
        rotate = request.rotate or app.assumptions.refresh_rotates
        tokens = app.grants.refresh(said["refresh_token"], rotate=rotate)
    else:
        raise OAuthRefusal("unsupported_grant_type", "grant_type must be authorization_code or refresh_token.")
    return json_answer(200, tokens, list(NO_STORE))


def _check_client(app: Registration, request: Request, said: Mapping[str, str]) -> None:
    """Refuse another app than the registered one, named in the body or by HTTP Basic."""
    client_id, client_secret = _basic(request) or (said.get("client_id", ""), said.get("client_secret", ""))
    known = hmac.compare_digest(client_id.encode(errors="replace"), app.client_id.encode())
    proved = hmac.compare_digest(client_secret.encode(errors="replace"), app.client_secret.encode())
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
