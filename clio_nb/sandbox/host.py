"""One regional host of a sandbox, as Python steers it: its app, its firm, and what happens between them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from ..places import Region
from .control.endpoints import describe
from .faults import Fault, Kind
from .oauth.deauthorization import Delivery, Messenger
from .world.firm import User
from .world.rows import Data
from .world.state import State, permissions_named


class Host:
    """One regional host of a sandbox: an app registered there, a firm, and what happens between them."""

    def __init__(self, state: State, messenger: Messenger, keeps: object = None) -> None:
        self._state: Final = state
        self._messenger: Final = messenger
        self._keeps: Final = keeps  # the host of a further region keeps its sandbox running

    def __repr__(self) -> str:
        return f"<clio_nb sandbox: {self.region.value} at {self.origin}, {len(self.users)} users>"

    @property
    def region(self) -> Region:
        """The region that it plays."""
        return self._state.region

    @property
    def origin(self) -> str:
        """Scheme, address and port: ``http://127.0.0.1:PORT``."""
        return self._state.origin

    @property
    def base_url(self) -> str:
        """The same as ``origin``, by the name that Clio's clients use."""
        return self._state.origin

    @property
    def api_url(self) -> str:
        """Root of the API."""
        return f"{self.origin}/api/v4"

    @property
    def control_url(self) -> str:
        """Root of the control endpoints."""
        return f"{self.origin}/control"

    @property
    def client_id(self) -> str:
        """The app's key, the same for the same seed."""
        return self._state.client_id

    @property
    def client_secret(self) -> str:
        """The app's secret, the same for the same seed. It opens nothing outside this sandbox."""
        return self._state.client_secret

    @property
    def redirect_uri(self) -> str:
        """The first redirect URI that the app has registered."""
        return self._state.redirect_uris[0]

    @property
    def users(self) -> list[User]:
        """The firm's users, the account owner first."""
        return list(self._state.users)

    def describe(self) -> dict[str, Any]:
        """Return what an app needs to know, as ``clio-nb sandbox --json`` and ``GET control_url`` say it."""
        return describe(self._state)

    def token(self, user_id: int) -> dict[str, Any]:
        """Grant the app access for a user and return the token response, as ``/oauth/token`` gives it.

        Raises LookupError when there is no such user, or the user is disabled.
        """
        with self._state.lock:
            return self._state.token(user_id)

    def click(self, user_id: int, custom_action_id: int, subject_url: str) -> str:
        """Return the launch URL that a click in Clio's screens would open, with a fresh nonce.

        ``subject_url`` is the record, such as ``/api/v4/matters/1``. Raises LookupError when user, action or record do
        not exist, ValueError when the action does not appear on such a record.
        """
        with self._state.lock:
            return self._state.click(user_id, custom_action_id, subject_url)

    def click_on(self, user_id: int, target_url: str, at: str = "matters", record: int = 0) -> str:
        """Return the launch URL of a click on the n-th record of a collection, making the action where it is missing.

        For tests of a receiver. Raises LookupError for an unknown user, collection or record.
        """
        with self._state.lock:
            return self._state.click_on(user_id, target_url, at, record)

    def records(self, resource: str) -> list[Data]:
        """Return the records of a collection (``"matters"``): plain fields, a ``name``, and their ``subject_url``.

        Raises LookupError for a collection that the firm does not have.
        """
        with self._state.lock:
            return [_plain(resource, row.data) for row in self._state.records(resource).values()]

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The API requests seen: method, path, names in the query, status (None: reset) and user id. No values."""
        with self._state.lock:
            return list(self._state.log)

    @property
    def oauth_requests(self) -> list[dict[str, Any]]:
        """The requests to ``/oauth`` seen, in the same form."""
        with self._state.lock:
            return list(self._state.oauth_log)

    @property
    def deliveries(self) -> list[Delivery]:
        """The deauthorization callbacks that were tried, each with the app's status or None."""
        return list(self._messenger.deliveries)

    @property
    def rate_limit(self) -> int | None:
        """Requests per token and minute, None for none. Set it to play peak hours beginning or ending."""
        return self._state.rates.limit

    @rate_limit.setter
    def rate_limit(self, limit: int | None) -> None:
        self._state.rates.limit = limit

    @property
    def permissions(self) -> frozenset[str]:
        """What is ticked on the developer app. A change takes a user's new consent, as at Clio."""
        return self._state.grants.permissions

    @permissions.setter
    def permissions(self, names: Iterable[str]) -> None:
        self._state.grants.permissions = permissions_named(names)

    def revoke(self, user_id: int) -> None:
        """Take back all access of the app for a user, and wait until the app was told (``deauthorization_url``)."""
        with self._state.lock:
            self._state.revoke(user_id)
        self._messenger.settle()

    def disable(self, user_id: int) -> None:
        """Disable a user: tokens open nothing any more, and there is no new sign-in."""
        with self._state.lock:
            self._state.disable(user_id)
        self._messenger.settle()

    def fault(self, kind: Kind, **details: Any) -> None:
        """Arm a fault; ``details`` are the fields of :class:`Fault` (matcher and effect).

        Raises ValueError when a detail is unknown or cannot be right.
        """
        with self._state.lock:
            self._state.faults.add(msgspec.convert({"kind": kind, **details}, Fault))

    def clear_faults(self) -> None:
        """Disarm all faults."""
        with self._state.lock:
            self._state.faults.clear()


def _plain(resource: str, data: Data) -> Data:
    plain = {name: value for name, value in data.items() if not isinstance(value, dict | list)}
    name = next((text for key in ("display_number", "name", "note") if (text := data.get(key))), "")
    return {**plain, "name": name, "subject_url": f"/api/v4/{resource}/{data['id']}"}
