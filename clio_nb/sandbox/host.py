"""One firm of a sandbox, as Python steers it: its people and records, the app there, and what happens between them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, Final

import msgspec

from ..vocabulary import Region
from .clock import Clock
from .control.endpoints import control_url, describe
from .faults import Fault, Kind
from .firm.build import User
from .firm.rows import Data
from .oauth.deauthorization import Delivery, Messenger
from .play import Play
from .world.state import State
from .world.world import World


class Host:
    """One firm at the host of its region: the app registered there, the people, and what happens between them."""

    def __init__(self, world: World, state: State, messenger: Messenger, keeps: object = None) -> None:
        self._world: Final = world
        self._state: Final = state
        self._messenger: Final = messenger
        self._keeps: Final = keeps  # the host of a further firm keeps its sandbox running

    def __repr__(self) -> str:
        return f"<clio_nb sandbox: {self.name}, {self.region.value} at {self.origin}, {len(self.users)} users>"

    @property
    def account_id(self) -> int:
        """The firm's id, as ``who_am_i?fields=account`` gives it."""
        return self._state.account_id

    @property
    def name(self) -> str:
        """The firm's name."""
        return self._state.name

    def __str__(self) -> str:
        return "On the embedded Clio: nothing real is touched."

    @property
    def clock(self) -> Clock | None:
        """The clock, where it is frozen: the library moves it instead of waiting. None where it runs by itself."""
        return self._state.clock if self._state.clock.mode == "frozen" else None

    @property
    def region(self) -> Region:
        """The region that it plays."""
        return self._state.app.region

    @property
    def origin(self) -> str:
        """Scheme, address and port: ``http://127.0.0.1:PORT``."""
        return self._state.app.origin

    @property
    def base_url(self) -> str:
        """The same as ``origin``, by the name that Clio's clients use."""
        return self._state.app.origin

    @property
    def api_url(self) -> str:
        """Root of the API."""
        return f"{self.origin}/api/v4"

    @property
    def control_url(self) -> str:
        """Root of this firm's control endpoints."""
        return control_url(self._state)

    @property
    def control_key(self) -> str | None:
        """What the control endpoints ask for, None where they are for this machine alone."""
        return self._world.control_key

    @property
    def client_id(self) -> str:
        """The app's key, the same for the same seed."""
        return self._state.app.client_id

    @property
    def client_secret(self) -> str:
        """The app's secret, the same for the same seed. It opens nothing outside this sandbox."""
        return self._state.app.client_secret

    @property
    def redirect_uri(self) -> str:
        """The first redirect URI that the app has registered."""
        return self._state.app.redirect_uris[0]

    @property
    def users(self) -> list[User]:
        """The firm's users, the account owner first."""
        return list(self._state.users)

    def describe(self) -> dict[str, Any]:
        """Return what an app needs to know, as ``clio-nb sandbox --json`` and ``GET control_url`` say it.

        Examples:
            >>> site.describe()["region"]
            'us'
        """
        return describe(self._world, self._state)

    def token(self, user_id: int) -> dict[str, Any]:
        """Grant the app access for a user, without a browser.

        Args:
            user_id: Who allows it.

        Returns:
            The token response, as ``/oauth/token`` gives it.

        Raises:
            LookupError: There is no such user, or the user is disabled.

        Examples:
            >>> sorted(site.token(site.users[0].id))
            ['access_token', 'expires_in', 'refresh_token', 'token_type']
        """
        with self._state.lock:
            return self._state.token(user_id)

    def click(self, user_id: int, custom_action_id: int, subject_url: str) -> str:
        """Return the launch URL that a click in Clio's screens would open, with a fresh nonce.

        Args:
            user_id: Who clicks.
            custom_action_id: On which action.
            subject_url: On which record, such as ``/api/v4/matters/1``.

        Raises:
            LookupError: User, action or record do not exist.
            ValueError: The action does not appear on such a record.

        Examples:
            >>> action = clio.create_action(session, "Sign", "https://partner.example/launch", at="matters")
            >>> url = site.click(session.user.id, action.id, site.records("matters")[0]["subject_url"])
            >>> bool(clio.verify_launch(url, session))
            True
        """
        with self._state.lock:
            return self._state.click(user_id, custom_action_id, subject_url)

    def click_on(self, user_id: int, target_url: str, at: str = "matters", record: int = 0) -> str:
        """Return the launch URL of a click on the n-th record of a collection, making the action where it is missing.

        For tests of a receiver.

        Args:
            user_id: Who clicks.
            target_url: Where the action leads.
            at: The collection.
            record: The number of the record, from 0.

        Raises:
            LookupError: An unknown user, collection or record.

        Examples:
            >>> url = site.click_on(session.user.id, "https://partner.example/launch", at="contacts")
            >>> url.partition("?")[0]
            'https://partner.example/launch'
        """
        with self._state.lock:
            return self._state.click_on(user_id, target_url, at, record)

    def records(self, resource: str) -> list[Data]:
        """Return the records of a collection: plain fields, a ``name``, and their ``subject_url``.

        Args:
            resource: The collection, such as ``"matters"``.

        Raises:
            LookupError: The firm does not have it.

        Examples:
            >>> site.records("matters")[0]["name"]
            '00001-Tidewrack'
        """
        with self._state.lock:
            return [_plain(resource, row.data) for row in self._state.records(resource).values()]

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The API requests seen: method, path, names in the query, status (None: reset) and user id. No values.

        They are those of this firm's users; the first firm of a region has those of nobody known as well.
        """
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
    def clicks(self) -> list[dict[str, Any]]:
        """The clicks so far, oldest first: who, which action and record, when, and whether the nonce was spent."""
        with self._state.lock:
            return [msgspec.structs.asdict(launch) for launch in self._state.launches.minted()]

    def play(self, days: int = 90, seed: int = 1, *, on_hire: Callable[[User], object] | None = None) -> None:
        """Play how the firm uses its actions for some days: move the clock, and click as its people would.

        Each click opens the target URL of the action, as a browser does. Some people click often, some never.
        After half of the days one of them takes back the app's access and goes on clicking; after two thirds somebody
        forges 60 launches within a minute. Nothing is clicked where there is no action.

        Args:
            days: How many days.
            seed: Another number gives other clicks.
            on_hire: Called with a user who is hired after a third of the days, so that you can sign her in and make her
                actions. Without it nobody is hired.

        Raises:
            ValueError: ``days`` is no number of days.

        Examples:
            >>> recorded = clio.Firm(site, firm.vault, record=True)
            >>> with clio.inbox(site, recorded) as inbox:
            ...     action = clio.create_action(session, "Sign", inbox.url, at="matters")
            ...     site.play(days=7)
            >>> len(firm.launches()) >= len(site.clicks) > 0
            True
        """
        Play(self._state, days, seed, on_hire).run()

    @property
    def rate_limit(self) -> int | None:
        """Requests per token and minute, None for none. Set it to play peak hours beginning or ending."""
        return self._state.rates.limit

    @rate_limit.setter
    def rate_limit(self, limit: int | None) -> None:
        self._state.rates.limit = limit

    @property
    def permissions(self) -> frozenset[str]:
        """What is ticked on the developer app of this region. A change takes a user's new consent, as at Clio."""
        return self._state.app.grants.permissions

    @permissions.setter
    def permissions(self, names: Iterable[str]) -> None:
        self._state.app.permit(names)

    @property
    def deauthorization_url(self) -> str | None:
        """Where the app is told that a user of this firm took its access back; None for nowhere."""
        return self._state.url("deauthorization_url")

    @deauthorization_url.setter
    def deauthorization_url(self, url: str | None) -> None:
        self._state.set_url("deauthorization_url", url)

    @property
    def add_to_clio_url(self) -> str | None:
        """What the button on the App Integrations page opens: where a user of this firm begins to connect the app."""
        return self._state.url("add_to_clio_url")

    @add_to_clio_url.setter
    def add_to_clio_url(self, url: str | None) -> None:
        self._state.set_url("add_to_clio_url", url)

    def hire(self, name: str, email: str | None = None) -> User:
        """Add a user to the firm.

        Args:
            name: What the user is called.
            email: Without one, the firm gives an address.

        Returns:
            The new user.

        Examples:
            >>> site.hire("Wilhelmina Osei").name
            'Wilhelmina Osei'
        """
        with self._state.lock:
            return self._state.people.hire(name, email)

    def rename(self, user_id: int, name: str) -> User:
        """Give a user another name.

        Args:
            user_id: Who.
            name: The new name.

        Returns:
            The user as it is now.

        Raises:
            LookupError: There is no such user.

        Examples:
            >>> site.rename(site.users[1].id, "Renwick Castellar").name
            'Renwick Castellar'
        """
        with self._state.lock:
            return self._state.people.change(user_id, name=name)

    def remove(self, user_id: int) -> None:
        """Take a user out of the firm, with the user's custom actions and all access of the app.

        Args:
            user_id: Who.

        Examples:
            >>> before = len(site.users)
            >>> site.remove(site.users[-1].id)
            >>> before - len(site.users)
            1
        """
        with self._state.lock:
            self._state.remove(user_id)
        self._messenger.settle()

    def close_matter(self, matter_id: int, user_ids: Collection[int]) -> None:
        """Close a matter, and all that belongs to it, to these users: 403 for it, and lists without it.

        Args:
            matter_id: Which matter.
            user_ids: To whom it is closed; it is open to all others, so an empty list opens it again.

        Raises:
            LookupError: There is no such matter or user.

        Examples:
            >>> matter = clio.list_records(session, "matters")[0]
            >>> site.close_matter(matter.subject.record_id, [session.user.id])
            >>> clio.record(session, matter.subject)
            Traceback (most recent call last):
            clio_nb.errors.Forbidden: ...
        """
        with self._state.lock:
            self._state.close_matter(matter_id, user_ids)

    def revoke(self, user_id: int) -> None:
        """Take back all access of the app for a user, and wait until the app was told (``deauthorization_url``).

        Args:
            user_id: Whose.

        Examples:
            >>> site.revoke(session.user.id)
            >>> clio.list_actions(session)
            Traceback (most recent call last):
            clio_nb.errors.NeedsLogin: ...
        """
        with self._state.lock:
            self._state.revoke(user_id)
        self._messenger.settle()

    def disable(self, user_id: int) -> None:
        """Disable a user: tokens open nothing any more, and there is no new sign-in.

        Args:
            user_id: Whom.

        Examples:
            >>> site.disable(site.users[1].id)
            >>> site.token(site.users[1].id)
            Traceback (most recent call last):
            LookupError: ...
        """
        with self._state.lock:
            self._state.disable(user_id)
        self._messenger.settle()

    def fault(self, kind: Kind, **details: Any) -> None:
        """Arm a fault.

        Args:
            kind: What goes wrong.
            details: The fields of :class:`clio_nb.sandbox.Fault`: which requests it meets, and what they get.

        Raises:
            ValueError: A detail is unknown or cannot be right.

        Examples:
            >>> site.fault("status", status=403, path="/api/v4/users*")
            >>> clio.list_users(session)
            Traceback (most recent call last):
            clio_nb.errors.Forbidden: ...
        """
        with self._state.lock:
            self._state.faults.add(msgspec.convert({"kind": kind, **details}, Fault))

    def clear_faults(self) -> None:
        """Disarm all faults.

        Examples:
            >>> site.fault("status", status=403, path="/api/v4/users*")
            >>> site.clear_faults()
            >>> len(clio.list_users(session))
            5
        """
        with self._state.lock:
            self._state.faults.clear()


def _plain(resource: str, data: Data) -> Data:
    plain = {name: value for name, value in data.items() if not isinstance(value, dict | list)}
    name = next((text for key in ("display_number", "name", "note") if (text := data.get(key))), "")
    return {**plain, "name": name, "subject_url": f"/api/v4/{resource}/{data['id']}"}
