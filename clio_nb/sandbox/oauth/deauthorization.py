"""Deauthorization: an app gives a token back; and the callback by which Clio tells an app that access has ended."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, wait
from typing import Any, Final

import httpx
import msgspec

from ..http.answers import Answer, InvalidToken, json_answer
from ..http.request import Request
from ..world.grants import OAuthRefusal
from ..world.regional import Regional
from ..world.state import State
from ._form import NO_STORE, fields_of

_APP_TIMEOUT: Final = 5.0  # seconds that the app has to answer


def deauthorize(here: Regional, request: Request) -> Answer:
    """End the access token that the app gives back (Clio's reference of 2022)."""
    bearer = request.bearer
    access = here.app.grants.access(bearer) if bearer else None
    if access is None:
        raise InvalidToken
    token = fields_of(request).get("token")
    if not token:
        raise OAuthRefusal("invalid_request", "token is required.")
    owner = here.app.grants.end(token)
    if owner is not None:
        here.state_of(owner).tell_app(owner, token)
    return json_answer(200, {}, list(NO_STORE))


class Delivery(msgspec.Struct, frozen=True):
    """One callback that was tried: for whom, and the app's status, or None when it could not be reached."""

    user_id: int
    status: int | None


class Messenger:
    """Deliver the callbacks of one firm, on the server's loop (``submit`` runs a coroutine there)."""

    def __init__(self, state: State, submit: Callable[[Coroutine[Any, Any, None]], Future[None]]) -> None:
        self._state = state
        self._submit = submit
        self._under_way: set[Future[None]] = set()
        self.deliveries: Final[deque[Delivery]] = deque(maxlen=1000)
        state.tell_app = self.tell

    def tell(self, user_id: int, token: str) -> None:
        """Begin to deliver; without a registered URL there is nobody to tell."""
        url = self._state.url("deauthorization_url")
        if url:
            sent = self._submit(self._post(url, user_id, token))
            self._under_way.add(sent)
            sent.add_done_callback(self._under_way.discard)

    def settle(self) -> None:
        """Wait, within bounds, until what is under way was delivered. Not for the server's own thread."""
        wait(set(self._under_way), timeout=_APP_TIMEOUT + 1)

    async def _post(self, url: str, user_id: int, token: str) -> None:
        # Body as in Clio's reference of 2022.
        body = {"client_id": self._state.app.client_id, "user_id": user_id, "access_token": token}
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=_APP_TIMEOUT) as client:
                answer = await client.post(url, json=body)
        except httpx.HTTPError:
            self.deliveries.append(Delivery(user_id, None))
        else:
            self.deliveries.append(Delivery(user_id, answer.status_code))
