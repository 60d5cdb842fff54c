"""The state of one firm: everything that the API, the pages and the control endpoints read and change.

Screens and other rooms inside the sandbox work on it directly (``scope.state_of`` finds the one of a request):

- ``records(resource)``, ``row(resource, id)``: the demo firm; ``visible`` and ``is_closed`` know of closed matters
- ``people``: who works there; ``actions.of(user_id)``: a user's custom actions; ``actions.create/update/delete``
- ``click(user_id, action_id, subject_url)``: mint a launch URL; ``launches.minted()``: those so far, without nonces
- ``app``: the app's registration, with its ``grants``; ``revoke(user_id)``: a user takes his access back
- ``log``: API requests seen; ``oauth_log``: those to ``/oauth``
- ``clock``, ``faults``, ``rates.limit``

Code on the server's own loop sees one request at a time; code on any other thread holds ``lock`` around what it does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from ...vocabulary import Location
from ..faults import Faults
from ..firm import build as firm
from ..firm.rows import Row
from .custom_actions import Actions
from .nonces import Launches
from .people import People
from .rate_limits import RateLimit
from .registration import Registration
from .store import Shelf

_LOG_MAX: Final = 10_000
_ACTIONS_APART: Final = 10_000_000  # the ids of two firms' custom actions never meet

AppUrl = Literal["deauthorization_url", "add_to_clio_url"]
"""An address that an app has registered besides its redirect URIs."""


class State:
    """One firm: its people and records, and all that has happened. ``place`` is its number in its region."""

    def __init__(self, app: Registration, place: int, shelf: Shelf) -> None:
        self.app: Final = app
        self.clock: Final = app.clock
        self.assumptions: Final = app.assumptions
        self.lock: Final = app.lock
        self.place: Final = place
        self._shelf: Final = shelf
        self.rates: Final = RateLimit(app.clock, app.settings.rate_limit)
        self.log: Final[deque[dict[str, Any]]] = deque(maxlen=_LOG_MAX)
        self.oauth_log: Final[deque[dict[str, Any]]] = deque(maxlen=_LOG_MAX)
        self.faults: Final = Faults()
        self.tell_app: Callable[[int, str], object] = lambda user_id, token: None
        """Called with a user and the token that ended, or ``"all"``; see ``deauthorization.py``."""
        self.begin()

    def __repr__(self) -> str:
        return f"<State of a clio_nb sandbox, region {self.app.region.value}, {self.name}>"

    def begin(self) -> None:
        """Lay out the firm, and what the store remembers on top of it. Logs, faults and rate windows are empty then."""
        settings, region = self.app.settings, self.app.region
        made = firm.build(settings.seed, region, settings.users, self.place)
        self._collections = made.collections
        self.account_id = int(made.account["id"])
        self.name = str(made.account["name"])
        self.people = People(made, self.clock, self._shelf)
        first_action = self.app.first_action + firm.number_of(region, self.place) * _ACTIONS_APART
        self.actions = Actions(self.clock, self._shelf, self.assumptions, first_action)
        self.launches = Launches(self.clock, self._shelf, self.assumptions)
        self._closed = {int(key): ids for key, ids in self._shelf.all("closed", frozenset[int]).items()}
        registered = {name: getattr(settings, name) for name in ("deauthorization_url", "add_to_clio_url")}
        self._urls: dict[str, str | None] = {**registered, **self._shelf.all("url", str | None)}  # type: ignore[arg-type]  # a union is a type to msgspec
        self.rates.limit = settings.rate_limit
        self.rates.clear()
        self.faults.clear()
        self.log.clear()
        self.oauth_log.clear()

    @property
    def users(self) -> list[firm.User]:
        """The firm's users, the account owner first."""
        return self.people.users

    def records(self, resource: str) -> Mapping[int, Row]:
        """Return the rows of a collection by id: ``users``, or one of the five of ``Location``; KeyError otherwise."""
        return self._collections[resource]

    def row(self, resource: str, id: int) -> Row | None:
        """Return one row, or None."""
        return self._collections[resource].get(id)

    def is_closed(self, resource: str, row: Row, user_id: int) -> bool:
        """Whether a record is a matter that is closed to a user, or belongs to one."""
        matter = row.data if resource == "matters" else row.data.get("matter")
        return matter is not None and user_id in self._closed.get(matter["id"], ())

    def visible(self, resource: str, user_id: int) -> list[Row]:
        """Return the rows of a collection that a user may see, by ascending id."""
        rows = self._collections[resource].values()
        return [row for row in rows if not self.is_closed(resource, row, user_id)] if self._closed else list(rows)

    def close_matter(self, matter_id: int, user_ids: Collection[int]) -> None:
        """Close a matter to these users and open it to all others; raise LookupError for what there is not."""
        if self.row("matters", matter_id) is None:
            raise LookupError(f"There is no matter {matter_id} in this firm; list the matters and take one.")
        closed = frozenset(self.people.row(user_id).id for user_id in user_ids)
        self._closed[matter_id] = closed
        self._shelf.put("closed", matter_id, closed)

    def url(self, name: AppUrl) -> str | None:
        """Return an address that the app has registered, for this firm."""
        return self._urls[name]

    def set_url(self, name: AppUrl, url: str | None) -> None:
        """Register another address, or none; raise ValueError for what is no web address."""
        self._urls[name] = checked_url(name, url)
        self._shelf.put("url", name, url)

    def disable(self, user_id: int) -> None:
        """Disable a user, as an administrator of the firm would: no sign-in, and tokens open nothing any more."""
        self.people.change(user_id, enabled=False)
        self.revoke(user_id)

    def remove(self, user_id: int) -> None:
        """Take a user out of the firm, with the user's custom actions and all access of the app."""
        self.people.remove(user_id)
        for action in list(self.actions.of(user_id).values()):
            self.actions.delete(action)
        self.revoke(user_id)

    def token(self, user_id: int) -> dict[str, Any]:
        """Grant the app access for a user and return the token response; raise LookupError when that cannot be."""
        if not self.people.row(user_id).data["enabled"]:
            raise LookupError(f"User {user_id} is disabled and cannot sign in.")
        return self.app.grants.issue(user_id)

    def revoke(self, user_id: int) -> bool:
        """Take back all access of the app for a user, as in Clio's settings; False when there was none."""
        if self.assumptions.revoke_removes_actions:
            for action in list(self.actions.of(user_id).values()):
                self.actions.delete(action)
        ended = self.app.grants.revoke(user_id)
        if ended:
            self.tell_app(user_id, "all")
        return ended

    def click(self, user_id: int, custom_action_id: int, subject_url: str) -> str:
        """Return the launch URL that a click by this user opens.

        Raises LookupError when the user, his action or the record does not exist, ValueError when the action does not
        appear on such a record.
        """
        self.people.row(user_id)
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
        record = self.row(location.resource, int(record_id))
        if record is None or self.is_closed(location.resource, record, user_id):
            raise LookupError(f"There is no record {head}/{record_id} for this user; list the records and take one.")
        return self.launches.mint(action, f"{head}/{record_id}")

    def click_on(self, user_id: int, target_url: str, resource: str, record: int) -> str:
        """Click on the n-th record of a collection, on an action with this target, made where it is missing."""
        location = Location.of_resource(resource)
        if location is None or record >= len(self.visible(resource, user_id)):
            raise LookupError(f"There is no record number {record} of {resource[:20]!r} with a menu of custom actions.")
        self.people.row(user_id)
        wanted = {"target_url": target_url, "ui_reference": location.value}
        mine = self.actions.of(user_id).values()
        action = next((row for row in mine if wanted.items() <= row.data.items()), None)
        if action is None:
            label = f"Demo {len(mine) + 1}"
            action = self.actions.create(user_id, {**wanted, "label": label})
        subject = self.visible(resource, user_id)[record].id
        return self.launches.mint(action, f"/api/v4/{resource}/{subject}")


def checked_url(name: str, url: str | None) -> str | None:
    """Return an address of the app; raise ValueError for anything but an http or https URL with a host."""
    try:
        parts = urlsplit(url or "http://none")
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise ValueError(f"{name} is not a web address: expected http(s)://host/path.")
    return url
