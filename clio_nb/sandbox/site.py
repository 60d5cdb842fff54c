"""The sandbox as Python sees it: a running Clio with one host per region, and the verbs to steer it."""

from __future__ import annotations

import os
import weakref
from collections.abc import Collection, Iterable
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from ..places import Region
from .app import App
from .assumptions import Assumptions
from .clock import ClockMode
from .control import describe
from .deauthorization import Delivery, Messenger
from .faults import Fault, Kind
from .firm import User
from .rows import Data
from .server import Lines, Server, is_loopback, listen
from .state import PERMISSIONS, Settings, State
from .world import World


class Host:
    """One regional host of a sandbox: an app registered there, a firm, and what happens between them."""

    def __init__(self, state: State, messenger: Messenger, sandbox: Sandbox | None = None) -> None:
        self._state: Final = state
        self._messenger: Final = messenger
        self._sandbox: Final = sandbox  # a host keeps its sandbox running

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
        """Requests per token and minute, None for no limit. Set it to play peak hours beginning or ending."""
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
        self._state.grants.permissions = _permissions(names)

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


class Sandbox(Host):
    """An embedded Clio on this machine: started when it is made, stopped by :meth:`close`, ``with``, or at exit.

    It is itself the host of its first region; :meth:`at` gives the others.

    - ``users``: how many users the demo firm has; ``seed``: other ids; ``rate_limit``: requests per token and minute
    - ``port``: 0 for a free one (further regions take the ports after it); ``host`` other than loopback needs
      ``public=True``: everybody who reaches it can read the app's secret
    - ``redirect_uris`` of the app, its ``permissions`` (``"matters"``, or ``"matters:read"``), ``deauthorization_url``
    - ``clock``: frozen at 2026-01-15T17:00:00Z until :meth:`advance`, advancing from there, or real
    - ``db``: a file that keeps the state across restarts; ``assumptions``: switches for what is not known of Clio

    Raises :class:`PortInUse`, or ValueError for settings that cannot be.
    """

    def __init__(
        self,
        *,
        users: int = 5,
        seed: int = 0,
        rate_limit: int | None = 50,
        port: int = 0,
        host: str = "127.0.0.1",
        public: bool = False,
        redirect_uris: Collection[str] = ("http://127.0.0.1:8765/callback",),
        regions: Collection[str] = ("us",),
        permissions: Iterable[str] = PERMISSIONS,
        deauthorization_url: str | None = None,
        clock: ClockMode = "frozen",
        db: str | os.PathLike[str] | None = None,
        assumptions: Assumptions | None = None,
    ) -> None:
        if not (public or is_loopback(host)):
            raise ValueError(
                f"{host} is a public address. The sandbox has no protection; say public=True if you mean it."
            )
        if users < 1 or not regions or not redirect_uris:
            raise ValueError("A sandbox needs at least one user, one region and one redirect URI.")
        settings = Settings(
            users=users,
            seed=seed,
            rate_limit=rate_limit,
            redirect_uris=tuple(redirect_uris),
            permissions=_permissions(permissions),
            deauthorization_url=deauthorization_url,
        )
        with ExitStack() as undo:
            sockets = [undo.enter_context(listen(host, port and port + number)) for number, _ in enumerate(regions)]
            ports = [int(each.getsockname()[1]) for each in sockets]
            origins = {
                Region(region): f"http://{_address(host)}:{number}"
                for region, number in zip(regions, ports, strict=True)
            }
            self._world: Final = World(origins, settings, assumptions or Assumptions(), clock, db)
            undo.pop_all()
        states = list(self._world.states.values())
        lines = Lines()
        app = App(self._world, dict(zip(ports, states, strict=True)), lines)
        self._server: Final = Server(app, sockets, lines)
        messengers = [Messenger(state, self._server) for state in states]
        super().__init__(states[0], messengers[0])
        self._others: Final = [
            Host(state, messenger, self) for state, messenger in zip(states[1:], messengers[1:], strict=True)
        ]
        self._server.start()
        self._stop = weakref.finalize(self, _stop, self._server, self._world)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def at(self, region: str) -> Host:
        """Return the host of a region; raise LookupError when this sandbox does not play it."""
        for host in (self, *self._others):
            if host.region == region:
                return host
        raise LookupError(f"This sandbox does not play region {str(region)[:20]!r}; give it in regions=.")

    def now(self) -> float:
        """Return the virtual time, in seconds since the epoch."""
        return self._world.clock.now()

    def advance(self, seconds: float) -> None:
        """Move the virtual clock forward; raise ValueError for anything but a step forward."""
        self._world.advance(seconds)

    def reset(self) -> None:
        """Put everything back to the beginning: clock, firm, tokens, actions, faults and logs, in every region."""
        self._world.reset()

    def wait(self) -> None:
        """Block until the sandbox is stopped (or Ctrl-C)."""
        self._server.wait()

    def close(self) -> None:
        """Stop it. Closing twice is once."""
        self._stop()


def _stop(server: Server, world: World) -> None:
    server.stop()
    world.close()


def _permissions(names: Iterable[str]) -> frozenset[str]:
    chosen = frozenset(names)
    unknown = {name for name in chosen if name.removesuffix(":read") not in PERMISSIONS}
    if unknown:
        raise ValueError(
            f"{', '.join(sorted(unknown))}: no such permission; there are: {', '.join(sorted(PERMISSIONS))}."
        )
    return chosen


def _address(host: str) -> str:
    if host == "0.0.0.0":  # noqa: S104 - where it is reached from this machine
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _plain(resource: str, data: Data) -> Data:
    plain = {name: value for name, value in data.items() if not isinstance(value, dict | list)}
    name = next((text for key in ("display_number", "name", "note") if (text := data.get(key))), "")
    return {**plain, "name": name, "subject_url": f"/api/v4/{resource}/{data['id']}"}
