"""The sandbox: a running Clio with one host per region, from its start to its end."""

from __future__ import annotations

import os
import weakref
from collections.abc import Collection, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

from ..vocabulary import DEFAULT_REDIRECT_URI, HUB_PREFIX, Region, proxied
from .assumptions import Assumptions
from .clock import ClockMode
from .host import Host
from .http.access import checked_key, is_loopback
from .oauth.deauthorization import Messenger
from .server.app import App
from .server.connections import Lines
from .server.server import Server, listen
from .world.registration import PERMISSIONS, Settings, permissions_named
from .world.state import checked_url
from .world.world import World

_PORT_MAX: Final = 65_535


class Sandbox(Host):
    """An embedded Clio: started when it is made, stopped by :meth:`close`, ``with``, or at exit.

    It is itself the first firm of its first region; ``firms`` has all of them.

    Args:
        users: How many users each demo firm has.
        firms: How many firms each region has.
        seed: Another number gives other ids.
        rate_limit: Requests per token and minute. None refuses nothing and sends no ``X-RateLimit-*`` headers; a
            careful client, such as this library, then keeps to 50 all the same.
        port: 0 for a free one; further regions take the ports after it.
        host: The address to listen on; other than loopback it needs a ``control_key``.
        public_url: How others reach it, such as ``http://clio:8770``.
        control_key: What every control request then has to carry.
        redirect_uris: Those of the app; by default where a login on this machine listens.
        regions: Which of Clio's regions to play.
        permissions: Those of the app: ``"matters"``, or ``"matters:read"``.
        deauthorization_url: Where the app wants to hear that a user took back its access.
        add_to_clio_url: What the button on the App Integrations page opens.
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
        firms: int = 1,
        seed: int = 0,
        rate_limit: int | None = 50,
        port: int = 0,
        host: str = "127.0.0.1",
        public_url: str | None = None,
        control_key: str | None = None,
        redirect_uris: Collection[str] | None = None,
        regions: Collection[str] = ("us",),
        permissions: Iterable[str] = PERMISSIONS,
        deauthorization_url: str | None = None,
        add_to_clio_url: str | None = None,
        clock: ClockMode = "frozen",
        db: str | os.PathLike[str] | None = None,
        assumptions: Assumptions | None = None,
    ) -> None:
        if not host:
            raise ValueError("host is empty. Give 0.0.0.0 to listen at every address of this machine.")
        if checked_key(control_key) is None and not is_loopback(host):
            raise ValueError(
                f"{host} can be reached from other machines, and whoever reaches a sandbox can steer it. "
                "Give it a control key (control_key=, or --control-key), or stay on 127.0.0.1."
            )
        redirect_uris = _redirect_uris_here() if redirect_uris is None else redirect_uris
        if users < 1 or firms < 1 or not regions or not redirect_uris:
            raise ValueError("A sandbox needs at least one user, one firm, one region and one redirect URI.")
        if len(set(regions)) < len(regions):
            raise ValueError("Each region is played once; a region holds several firms (firms=3).")
        if port + len(regions) - 1 > _PORT_MAX:
            raise ValueError(f"Each region has a port, counted from {port}: they end at {_PORT_MAX}. Give a lower one.")
        settings = Settings(
            users=users,
            firms=firms,
            seed=seed,
            rate_limit=rate_limit,
            redirect_uris=tuple(redirect_uris),
            permissions=permissions_named(permissions),
            deauthorization_url=checked_url("deauthorization_url", deauthorization_url),
            add_to_clio_url=checked_url("add_to_clio_url", add_to_clio_url),
        )
        with ExitStack() as undo:
            sockets = [undo.enter_context(listen(host, port and port + number)) for number, _ in enumerate(regions)]
            ports = [int(each.getsockname()[1]) for each in sockets]
            urls = _origins(host, ports, public_url)
            origins = {Region(region): url for region, url in zip(regions, urls, strict=True)}
            world = World(origins, settings, assumptions or Assumptions(), clock, db, control_key)
            undo.pop_all()
        lines = Lines()
        app = App(world, dict(zip(ports, world.regions.values(), strict=True)), lines)
        self._server: Final = Server(app, sockets, lines)
        first, *others = [(state, Messenger(state, self._server.submit)) for state in world.states]
        super().__init__(world, *first)
        self._others: Final = [Host(world, state, messenger, self) for state, messenger in others]
        self._server.start()
        self._stop = weakref.finalize(self, _stop, self._server, world, os.getpid())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def firms(self) -> list[Host]:
        """Every firm, region by region; the first one is this sandbox itself."""
        return [self, *self._others]

    def at(self, region: str) -> Host:
        """Return the first firm of a region.

        Args:
            region: ``"us"``, ``"eu"``, ``"ca"`` or ``"au"``.

        Raises:
            LookupError: This sandbox does not play that region.

        Examples:
            >>> site.at("us") is site
            True
        """
        for host in self.firms:
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
        self._world.clock.advance(seconds)

    def reset(self) -> None:
        """Put everything back to the beginning: clock, people, tokens, actions, faults and logs, in every firm.

        Examples:
            >>> site.reset()
            >>> site.requests
            []
        """
        self._world.reset()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save the world as it is, all firms and the clock, in a file. Tokens are in it as digests only.

        Args:
            path: The file.

        Examples:
            >>> site.save("world.json")
        """
        Path(path).write_bytes(self._world.save())

    def load(self, path: str | os.PathLike[str]) -> None:
        """Put everything back to a saved world of a sandbox with the same seed, users and firms.

        Args:
            path: What :meth:`save` wrote.

        Raises:
            ValueError: It is no saved world of such a sandbox. Nothing was changed.

        Examples:
            >>> site.save("world.json")
            >>> site.load("world.json")
        """
        self._world.load(Path(path).read_bytes())

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


def _origins(host: str, ports: Sequence[int], public_url: str | None) -> list[str]:
    """Return where each region is reached: where it listens, or as the public URL says, its port counted on."""
    if public_url is None:
        return [f"http://{_address(host)}:{port}" for port in ports]
    refused = ValueError("public_url is not an origin: expected http(s)://host or http(s)://host:port, without a path.")
    try:
        parts = urlsplit(public_url)
        port = parts.port
    except ValueError:
        raise refused from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/") or port == 0:
        raise refused
    if parts.query or parts.fragment or parts.username is not None:
        raise refused
    if port is not None and port + len(ports) - 1 > _PORT_MAX:
        raise refused
    if len(ports) > 1 and port is None:
        raise ValueError("With several regions public_url needs a port: the further regions take the ports after it.")
    name = _address(parts.hostname)
    suffixes = [""] if port is None else [f":{port + number}" for number, _ in enumerate(ports)]
    return [f"{parts.scheme}://{name}{suffix}" for suffix in suffixes]


def _address(host: str) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - where it is reached from this machine
    return f"[{host}]" if ":" in host else host
