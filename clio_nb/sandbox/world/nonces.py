"""Clicks: the launch URLs that Clio's screens would open, and the nonces in them."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote, urlsplit, urlunsplit

import msgspec

from ..assumptions import Assumptions
from ..clock import Clock
from ..firm.rows import Row
from .grants import digest
from .store import Shelf


class Launch(msgspec.Struct):
    """One click, without its nonce: who clicked which action on which record, when, and whether it was proved."""

    user_id: int
    custom_action_id: int
    subject_url: str
    minted_at: float
    spent: bool = False


class Launches:
    """The launches of one region."""

    def __init__(self, clock: Clock, shelf: Shelf, assumptions: Assumptions) -> None:
        self._clock = clock
        self._shelf = shelf
        self._assumptions = assumptions
        self._by_nonce = shelf.all("launch", Launch)

    def minted(self) -> Sequence[Launch]:
        """Return every launch so far, oldest first."""
        return sorted(self._by_nonce.values(), key=lambda launch: launch.minted_at)

    def mint(self, action: Row, subject_url: str) -> str:
        """Return the URL that a click on an action opens, with a fresh nonce."""
        nonce = secrets.token_urlsafe(24)
        launch = Launch(action.owner, action.id, subject_url, self._clock.now())
        self._by_nonce[digest(nonce)] = launch
        self._shelf.put("launch", digest(nonce), launch)
        # The order of the parameters is not known; names and encoding are (Clio's guide).
        added = (
            f"custom_action_id={action.id}&user_id={action.owner}"
            f"&subject_url={quote(subject_url, safe='')}&{NONCE}={quote(nonce, safe='')}"
        )
        return _join(action.data["target_url"], added, keep=self._assumptions.keep_target_query)

    def spend(self, nonce: str, user_id: int, path: str | None) -> bool:
        """Whether a nonce is good for this user now; whoever sends it first, it is spent.

        ``path`` is the record that is read with it (``/api/v4/matters/1``), None for any other request.
        """
        key = digest(nonce)
        launch = self._by_nonce.get(key)
        if launch is None or launch.spent:
            return False
        launch.spent = True
        self._shelf.put("launch", key, launch)
        return (
            launch.user_id == user_id
            and self._clock.now() - launch.minted_at < self._assumptions.nonce_lifetime
            and (self._assumptions.nonce_anywhere or path == launch.subject_url)
        )


def _join(target_url: str, added: str, *, keep: bool) -> str:
    parts = urlsplit(target_url)
    query = f"{parts.query}&{added}" if keep and parts.query else added
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, parts.fragment))


NONCE: Final = "custom_action_nonce"  # the query parameter that carries a nonce back to the API
