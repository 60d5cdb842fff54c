"""The sandbox: a running Clio with one host per region, from its start to its end."""

from __future__ import annotations

import os
import weakref
from collections.abc import Collection, Iterable
from contextlib import ExitStack
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

from ..vocabulary import DEFAULT_REDIRECT_URI, HUB_PREFIX, Region, proxied
from .app import App
from .assumptions import Assumptions
from .clock import ClockMode
from .deauthorization import Messenger
from .host import Host
from .server import Lines, Server, is_loopback, listen
from .state import PERMISSIONS, Settings, permissions_named
from .world import World


class Sandbox(Host):
    """An embedded Clio on this machine: started when it is made, stopped by :meth:`close`, ``with``, or at exit.

    It is itself the host of its first region; :meth:`at` gives the others.

    Args:
        users: How many users the demo firm has.
        seed: Another number gives other ids.
        rate_limit: Requests per token and minute. None refuses nothing and sends no ``X-RateLimit-*`` headers; a
            careful client, such as this library, then keeps to 50 all the same.
        port: 0 for a free one; further regions take the ports after it.
        host: The address to listen on; other than loopback it needs ``public=True``.
        public: It is made for one person on one machine, and protects nothing: say that you mean it.
        redirect_uris: Those of the app; by default where a login on this machine listens.
        regions: Which of Clio's regions to play.
        permissions: Those of the app: ``"matters"``, or ``"matters:read"``.
        deauthorization_url: Where the app wants to hear that a user took back its access.
        clock: ``"frozen"`` at 2026-01-15T17:00:00Z until :meth:`advance`, ``"advancing"`` from there, or ``"real"``.
        db: A file that keeps the state across restarts.
        assumptions: Switches for what is not known of Clio.

    Raises:
        PortInUse: Another program has the port.
        ValueError: These settings cannot be.

    Examples:
        >>> with clio.sandbox(users=3, seed=1) as other:
        ...     len(other.users)
        3
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
        redirect_uris: Collection[str] | None = None,
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
        redirect_uris = _redirect_uris_here() if redirect_uris is None else redirect_uris
        if users < 1 or not regions or not redirect_uris:
            raise ValueError("A sandbox needs at least one user, one region and one redirect URI.")
        settings = Settings(
            users=users,
            seed=seed,
            rate_limit=rate_limit,
            redirect_uris=tuple(redirect_uris),
            permissions=permissions_named(permissions),
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
        self._stop = weakref.finalize(self, _stop, self._server, self._world, os.getpid())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def at(self, region: str) -> Host:
        """Return the host of a region.

        Args:
            region: ``"us"``, ``"eu"``, ``"ca"`` or ``"au"``.

        Raises:
            LookupError: This sandbox does not play that region.

        Examples:
            >>> site.at("us") is site
            True
        """
        for host in (self, *self._others):
            if host.region == region:
                return host
        raise LookupError(f"This sandbox does not play region {str(region)[:20]!r}; give it in regions=.")

    def now(self) -> float:
        """Return the virtual time, in seconds since the epoch.

        Examples:
            >>> site.now()
            1768496400.0
        """
        return self._world.clock.now()

    def advance(self, seconds: float) -> None:
        """Move the virtual clock forward.

        Args:
            seconds: By how much.

        Raises:
            ValueError: That is no step forward.

        Examples:
            >>> site.advance(60)
            >>> site.now()
            1768496460.0
        """
        self._world.advance(seconds)

    def reset(self) -> None:
        """Put everything back to the beginning: clock, firm, tokens, actions, faults and logs, in every region.

        Examples:
            >>> site.reset()
            >>> site.requests
            []
        """
        self._world.reset()

    def wait(self) -> None:
        """Block until the sandbox is stopped (or Ctrl-C).

        Examples:
            >>> site.close()
            >>> site.wait()
        """
        self._server.wait()

    def close(self) -> None:
        """Stop it. Closing twice is once.

        Examples:
            >>> site.close()
        """
        self._stop()


sandbox = Sandbox  # by this name the package above has it


def _redirect_uris_here() -> tuple[str, ...]:
    """Return where a login here listens. Behind a hub that is a path through its proxy: only the hub knows its name."""
    prefix, here = os.environ.get(HUB_PREFIX, ""), urlsplit(DEFAULT_REDIRECT_URI)
    return (*((proxied(prefix, here.port or 80, here.path),) if prefix else ()), DEFAULT_REDIRECT_URI)


def _stop(server: Server, world: World, owner: int) -> None:
    if os.getpid() == owner:  # a forked child has neither the thread nor a right to the file
        server.stop()
        world.close()


def _address(host: str) -> str:
    if host == "0.0.0.0":  # noqa: S104 - where it is reached from this machine
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
