"""The deauthorization callback: tell the app, by a POST to the URL it registered, that a user's access has ended."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, wait
from typing import Final

import httpx
import msgspec

from .server import Server
from .state import State

_PATIENCE: Final = 5.0
"""Seconds that the app has to answer."""


class Delivery(msgspec.Struct, frozen=True):
    """One callback that was tried: for whom, and the app's status, or None when it could not be reached."""

    user_id: int
    status: int | None


class Messenger:
    """Deliver the callbacks of one region, on the server's loop."""

    def __init__(self, state: State, server: Server) -> None:
        self._state = state
        self._server = server
        self._under_way: set[Future[None]] = set()
        self.deliveries: Final[deque[Delivery]] = deque(maxlen=1000)
        state.tell_app = self.tell

    def tell(self, user_id: int, token: str) -> None:
        """Begin to deliver; without a registered URL there is nobody to tell."""
        if self._state.settings.deauthorization_url:
            sent = self._server.submit(self._post(self._state.settings.deauthorization_url, user_id, token))
            self._under_way.add(sent)
            sent.add_done_callback(self._under_way.discard)

    def settle(self) -> None:
        """Wait, within bounds, until what is under way was delivered. Not for the server's own thread."""
        wait(set(self._under_way), timeout=_PATIENCE + 1)

    async def _post(self, url: str, user_id: int, token: str) -> None:
        # Body as in Clio's reference of 2022.
        body = {"client_id": self._state.client_id, "user_id": user_id, "access_token": token}
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=_PATIENCE) as client:
                answer = await client.post(url, json=body)
        except httpx.HTTPError:
            self.deliveries.append(Delivery(user_id, None))
        else:
            self.deliveries.append(Delivery(user_id, answer.status_code))
