"""The state of one region: everything that the API, the pages and the control endpoints read and change.

Screens and other rooms inside the sandbox work on it directly (one state per region, found by ``control.state_of``):

- ``users``, ``records(resource)``, ``row(resource, id)``: the demo firm
- ``actions.of(user_id)``: a user's custom actions; ``actions.create/update/delete``
- ``click(user_id, action_id, subject_url)``: mint a launch URL; ``launches.minted()``: those so far, without nonces
- ``grants.grant_of(user_id)``, ``revoke(user_id)``: connected apps
- ``log``: API requests seen; ``oauth_log``: those to ``/oauth``
- ``clock``, ``faults``, ``rates.limit``

Code on the server's own loop sees one request at a time; code on any other thread holds ``lock`` around what it does.
"""

from __future__ import annotations

import random
import string
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from ..vocabulary import DEFAULT_REDIRECT_URI, Location, Region
from . import firm
from .actions import Actions
from .assumptions import Assumptions
from .clock import Clock
from .faults import Faults
from .firm import User
from .grants import Grants
from .launches import Launches
from .rates import RateLimit
from .rows import Row
from .store import Shelf

PERMISSIONS: Final = frozenset({"activities", "contacts", "custom_actions", "documents", "matters", "users"})
"""The access permissions of a developer app that this sandbox knows; folders belong to documents."""

_LOG_MAX: Final = 10_000


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How a sandbox was asked to be."""

    users: int = 5
    seed: int = 0
    rate_limit: int | None = 50
    redirect_uris: tuple[str, ...] = (DEFAULT_REDIRECT_URI,)
    permissions: frozenset[str] = PERMISSIONS
    deauthorization_url: str | None = None


class State:
    """One region: a firm, the app's registration there, and all that has happened."""

    def __init__(
        self,
        region: Region,
        origin: str,
        settings: Settings,
        *,
        clock: Clock,
        shelf: Shelf,
        assumptions: Assumptions,
    ) -> None:
        self.region: Final = region
        self.origin: Final = origin
        self.settings: Final = settings
        self.clock: Final = clock
        self.assumptions: Final = assumptions
        self.lock: Final = threading.RLock()
        self.shelf: Final = shelf
        names = random.Random(f"app:{settings.seed}:{region}")  # noqa: S311 - the key of a demo app
        self.client_id: Final = "".join(names.choices(string.ascii_letters + string.digits, k=40))
        self.client_secret: Final = "".join(names.choices(string.ascii_letters + string.digits, k=40))
        self._first_action: Final = names.randrange(1_000_000, 9_000_000)
        self.rates: Final = RateLimit(clock, settings.rate_limit)
        self.log: Final[deque[dict[str, Any]]] = deque(maxlen=_LOG_MAX)
        self.oauth_log: Final[deque[dict[str, Any]]] = deque(maxlen=_LOG_MAX)
        self.faults: Final = Faults()
        self.tell_app: Callable[[int, str], object] = lambda user_id, token: None
        """Called with a user and the token that ended, or ``"all"``; see ``deauthorization.py``."""
        self._found()

    def __repr__(self) -> str:
        return f"<State of a clio_nb sandbox, region {self.region.value}, {len(self.users)} users>"

    def _found(self) -> None:
        """Lay out the firm, and what the store remembers on top of it."""
        self._collections = firm.build(self.settings.seed, self.region, self.settings.users)
        for key in self.shelf.all("disabled", bool):
            self._collections["users"][int(key)].change({"enabled": False}, self.clock.now())
        self.users: list[User] = [
            User(row.id, row.data["name"], row.data["email"]) for row in self._collections["users"].values()
        ]
        self.actions = Actions(self.clock, self.shelf, self.assumptions, self._first_action)
        self.launches = Launches(self.clock, self.shelf, self.assumptions)
        self.grants = Grants(self.clock, self.shelf, self.assumptions, self.settings.permissions)

    @property
    def approval_uri(self) -> str:
        """The redirect URI for apps without a server, always registered."""
        return f"{self.origin}/oauth/approval"

    @property
    def redirect_uris(self) -> tuple[str, ...]:
        """Every redirect URI that the app has registered."""
        return (*self.settings.redirect_uris, self.approval_uri)

    def reset(self) -> None:
        """Put everything back to the beginning: the firm without actions, nobody signed in, logs and windows empty."""
        self.shelf.clear()
        self.rates.limit = self.settings.rate_limit
        self.rates.clear()
        self.log.clear()
        self.oauth_log.clear()
        self.faults.clear()
        self._found()

    def records(self, resource: str) -> Mapping[int, Row]:
        """Return the rows of a collection by id: ``users``, or one of the five of ``Location``; KeyError otherwise."""
        return self._collections[resource]

    def row(self, resource: str, id: int) -> Row | None:
        """Return one row, or None."""
        return self._collections[resource].get(id)

    def disable(self, user_id: int) -> None:
        """Disable a user, as an administrator of the firm would: no sign-in, and tokens open nothing any more."""
        user = self._user(user_id)
        user.change({"enabled": False}, self.clock.now())
        self.shelf.put("disabled", user_id, value=True)
        self.revoke(user_id)

    def token(self, user_id: int) -> dict[str, Any]:
        """Grant the app access for a user and return the token response; raise LookupError when that cannot be."""
        if not self._user(user_id).data["enabled"]:
            raise LookupError(f"User {user_id} is disabled and cannot sign in.")
        return self.grants.issue(user_id)

    def revoke(self, user_id: int) -> bool:
        """Take back all access of the app for a user, as in Clio's settings; False when there was none."""
        if self.assumptions.revoke_removes_actions:
            for action in list(self.actions.of(user_id).values()):
                self.actions.delete(action)
        ended = self.grants.revoke(user_id)
        if ended:
            self.tell_app(user_id, "all")
        return ended

    def click(self, user_id: int, custom_action_id: int, subject_url: str) -> str:
        """Return the launch URL that a click by this user opens.

        Raises LookupError when the user, his action or the record does not exist, ValueError when the action does not
        appear on such a record.
        """
        self._user(user_id)
        action = self.actions.of(user_id).get(custom_action_id)
        if action is None:
            raise LookupError(f"User {user_id} has no custom action {custom_action_id}; list his actions and take one.")
        location = Location(action.data["ui_reference"])
        head, _, record_id = subject_url.removesuffix(".json").rpartition("/")
        if head != f"/api/v4/{location.resource}" or not (
            record_id.isascii() and record_id.isdigit() and len(record_id) < 20
        ):
            raise ValueError(
                f"Action {custom_action_id} appears on {location.resource}: "
                f"give /api/v4/{location.resource}/ID as subject_url."
            )
        if self.row(location.resource, int(record_id)) is None:
            raise LookupError(f"There is no record {head}/{record_id}; list the records and take one.")
        return self.launches.mint(action, f"{head}/{record_id}")

    def click_on(self, user_id: int, target_url: str, resource: str, record: int) -> str:
        """Click on the n-th record of a collection, on an action with this target, made where it is missing."""
        location = Location.of_resource(resource)
        if location is None or record >= len(self.records(resource)):
            raise LookupError(f"There is no record number {record} of {resource[:20]!r} with a menu of custom actions.")
        self._user(user_id)
        wanted = {"target_url": target_url, "ui_reference": location.value}
        mine = self.actions.of(user_id).values()
        action = next((row for row in mine if wanted.items() <= row.data.items()), None)
        if action is None:
            label = f"Demo {len(mine) + 1}"
            action = self.actions.create(user_id, {**wanted, "label": label})
        subject = list(self.records(resource))[record]
        return self.launches.mint(action, f"/api/v4/{resource}/{subject}")

    def _user(self, user_id: int) -> Row:
        row = self.row("users", user_id)
        if row is None:
            raise LookupError(f"There is no user {user_id} in this firm; take an id from users.")
        return row


def permissions_named(names: Iterable[str]) -> frozenset[str]:
    """Return permissions (``"matters"``, or ``"matters:read"``); raise ValueError for one that there is not."""
    chosen = frozenset(names)
    unknown = {name for name in chosen if name.removesuffix(":read") not in PERMISSIONS}
    if unknown:
        raise ValueError(
            f"{', '.join(sorted(unknown))}: no such permission; there are: {', '.join(sorted(PERMISSIONS))}."
        )
    return chosen
