"""The inbox: a receiver on this machine that collects launches as they arrive, and verifies them."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, Self

from .. import markup
from ..arguments import a_site
from ..errors import InvalidInput
from ..http import hub, loop, loopback, sync_and_async, timeouts
from ..http.loopback import Message, Receive, Send
from ..ledger.recorder import Keep
from ..models import Site
from ..secret import Secret
from ..tracebacks import verbs
from ._pages import Page, Visit, answer, moved, page, refusal_of_method, visit_of
from .inspect import inspect_launch
from .proof.sandbox_sessions import SandboxSessions
from .proof.sessions import Sessions, check_sessions, lasting
from .received import Received
from .recording import recording_of
from .verdict import Verdict
from .verify import verify_report

if TYPE_CHECKING:
    import pandas as pd

LAUNCHES_KEPT: Final = 1000  # launches that an inbox keeps; then the oldest are dropped

_PATH: Final = "/launch"
_CLOSE: Final = "You can close this tab and go back to your notebook."


@verbs
class _Receiver:
    """What both forms of an inbox have in common."""

    def __init__(self, sessions: Sessions | None, *, verify: bool, port: int, origin: str, record: Keep) -> None:
        self._sessions = lasting(sessions)
        self._record = record
        self._verify = verify
        self._observers: list[Callable[[Received], object]] = []
        self._launches: deque[Received] = deque(maxlen=LAUNCHES_KEPT)
        self._count = 0
        (bound,) = loopback.listeners(
            "127.0.0.1", port, advice="Give the inbox another one, or 0 for any that is free."
        )
        self.port: Final[int] = bound.getsockname()[1]
        self.url: Final = hub.public_url(self.port, _PATH, origin)
        # no page elsewhere reaches it under a name of its own; behind a hub, any Host comes from the hub's user
        self._hosts = frozenset() if hub.behind_hub() else hub.own_hosts(self.port)
        self._ended = asyncio.Event()

        async def serve() -> None:
            async with loopback.serving(self._serve, bound):
                await self._ended.wait()

        self._pid = os.getpid()
        self._serving = asyncio.create_task(serve())  # inbox() makes one on the library's loop
        ending = weakref.WeakMethod(self._end)

        async def end() -> None:
            if (end_of_this := ending()) is not None:
                await end_of_this()

        loop.at_close(end)

    def __repr__(self) -> str:
        return f"<Inbox at {self.url}, {len(self)} launches>"

    def __len__(self) -> int:
        return len(self._launches)

    def __iter__(self) -> Iterator[Received]:
        return iter(list(self._launches))

    def __getitem__(self, index: int) -> Received:
        return self._launches[index]

    def to_frame(self) -> pd.DataFrame:
        """Return the launches as a table; its columns are those of :func:`clio_nb.launches._table.launches_frame`.

        Returns:
            One row for each launch, oldest first, by its ``number``.

        Examples:
            >>> with clio.inbox(site) as inbox:
            ...     inbox.to_frame().index.name
            'number'
        """
        from ._table import launches_frame  # noqa: PLC0415 -- pandas loads when the first table is made

        return launches_frame(self)

    def on_launch(self, observer: Callable[[Received], object]) -> Callable[[], None]:
        """Call a function with each launch when it arrives, and again when it has its verdict.

        Args:
            observer: The function. It is called on the library's loop and must not block.

        Returns:
            The function that ends it.

        Examples:
            >>> launches = []
            >>> with clio.inbox(site) as inbox:
            ...     stop = inbox.on_launch(launches.append)
            ...     stop()
        """
        self._observers.append(observer)
        return lambda: self._observers.remove(observer)

    async def _prove(self, received: Received) -> Verdict:
        if self._sessions is None:
            raise InvalidInput(
                "This inbox has no sessions to verify launches with. Pass some to inbox().", field="sessions"
            )
        if not isinstance(received, Received):
            raise InvalidInput("Pass one of its launches: inbox.verify(inbox[-1]).", field="received")
        if received.verdict is not None and received.verdict.nonce_sent:
            return received.verdict
        received.verdict = await verify_report(
            received.report, self._sessions, arrived=received.arrived, record=self._record
        )
        self._tell(received)
        return received.verdict

    async def _end(self) -> None:
        self._ended.set()
        await asyncio.wait([self._serving])

    async def _serve(self, scope: Message, receive: Receive, send: Send) -> None:
        await answer(await self._answer(visit_of(scope)), send)

    async def _answer(self, visit: Visit) -> Page:
        path, _, number = visit.path.removeprefix(_PATH).partition("/")
        if path or not visit.path.startswith(_PATH) or (self._hosts and visit.host not in self._hosts):
            return page(404, "Nothing here", f"This inbox receives launches at {self.url} and nothing else.")
        if not number:
            return refusal_of_method(visit) or await self._take(visit)
        kept = next((received for received in self if str(received.number) == number), None)
        if kept is None:
            return page(404, "Nothing here", f"This inbox has no launch {number[:9]}.")
        return page(200, _title(kept), f"{kept.reason} {_CLOSE}")

    async def _take(self, visit: Visit) -> Page:
        """Keep a launch, verify it, and answer. A launch that is here already is shown, not taken again."""
        report = inspect_launch(visit.url)
        received = next((each for each in self if report.launch and each.report.launch == report.launch), None)
        if received is None:
            self._count += 1
            received = Received(self._count, dt.datetime.now(dt.UTC), report, Secret(visit.url), timeouts.now())
            self._launches.append(received)
            self._tell(received)
            if self._verify:
                await self._prove(received)
        if received.state in ("verified", "unproved"):
            return moved(f"{_PATH.strip('/')}/{received.number}")
        return page(503 if received.state == "unknown" else 403, _title(received), f"{received.reason} {_CLOSE}")

    def _tell(self, received: Received) -> None:
        for observer in list(self._observers):
            asyncio.get_running_loop().call_soon(observer, received)

    def _repr_html_(self) -> str:
        where = f"at {markup.code(self.url)}, for trying things out only"
        table = markup.table("Launches", ("number", "user", "record", "state", "why"), map(_row, self))
        return markup.report("Inbox", where, table)


@sync_and_async.awaited
class AsyncInbox(_Receiver):
    """A receiver of launches as :class:`clio_nb.launches.Inbox`, whose verbs are awaited."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    @sync_and_async.on_loop
    async def verify(self, received: Received) -> Verdict:
        """Verify a launch by hand, and keep the verdict. Its 60 seconds have run since it arrived.

        Args:
            received: A launch of this inbox. One whose nonce was sent keeps the verdict that it has.

        Returns:
            The verdict.

        Raises:
            errors.InvalidInput: The inbox has no sessions, or this is not a launch.

        Examples:
            >>> from urllib.request import urlopen
            >>> with clio.inbox(site, verify=False) as inbox:
            ...     page = urlopen(site.click_on(session.user.id, inbox.url)).read()
            ...     inbox.verify(inbox[-1]).state
            'verified'
        """
        return await self._prove(received)

    @sync_and_async.on_loop
    async def close(self) -> None:
        """Stop listening. The launches stay. Closing again does nothing, and so does closing in a forked child.

        Examples:
            >>> inbox = clio.inbox(site)
            >>> inbox.close()
        """
        if os.getpid() == self._pid:
            await self._end()


class Inbox(_Receiver):
    """A receiver of launches on 127.0.0.1, for trying things out and never for production.

    Register ``url`` as the ``target_url`` of an action, and click the action: an inbox is a sequence of
    :class:`Received`, oldest first. :func:`clio_nb.inbox` makes one; it listens until :meth:`close` or the end of a
    ``with`` block.

    Examples:
        >>> inbox = clio.inbox(site)
        >>> len(inbox)
        0
        >>> inbox.close()
    """

    aio: AsyncInbox

    @classmethod
    def of(cls, aio: AsyncInbox) -> Inbox:
        """Return the inbox whose verbs wait, for one whose verbs are awaited. They share their launches.

        Args:
            aio: What ``await clio.aio.inbox(...)`` returns.

        Examples:
            >>> with clio.inbox(site) as inbox:
            ...     clio.launches.Inbox.of(inbox.aio).url == inbox.url
            True
        """
        inbox = cls.__new__(cls)
        vars(inbox).update(vars(aio), aio=aio)
        return inbox

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    verify = sync_and_async.sync_method(AsyncInbox.verify)
    close = sync_and_async.sync_method(AsyncInbox.close)


@sync_and_async.sync_function_into(Inbox.of)
async def inbox(
    site: Site,
    sessions: Sessions | None = None,
    *,
    verify: bool = True,
    port: int = 0,
    origin: str = "",
    record: Keep = False,
) -> AsyncInbox:
    """Start a receiver of launches on this machine, which collects and verifies them. It is not for production.

    Under a JupyterHub (and Binder) its ``url`` leads through jupyter-server-proxy.

    Args:
        site: Where the launches come from.
        sessions: What verifies them, as :func:`clio_nb.verify_launch` takes it. Can be left out on a sandbox.
        verify: False to collect launches only; :meth:`Inbox.verify` verifies one later.
        port: The port to listen on; 0 takes any free one.
        origin: The address of the JupyterHub (``"https://hub.example"``), where the hub does not tell it.
        record: As for :class:`clio_nb.Firm`: True to record each launch that is verified here. Pass a firm as sessions.

    Returns:
        The inbox, which listens until it is closed.

    Raises:
        errors.PortBusy: Another program has the port, or it is forbidden.
        errors.InvalidInput: No sessions, or something that is not a site, sessions or a port.

    Examples:
        >>> from urllib.request import urlopen
        >>> with clio.inbox(site) as inbox:
        ...     page = urlopen(site.click_on(session.user.id, inbox.url)).read()
        ...     inbox[-1].state
        'verified'
    """
    if not (isinstance(port, int) and 0 <= port <= 65535):
        raise InvalidInput("port must be a number from 0 to 65535; 0 takes any free one.", field="port")
    a_site(site)
    if sessions is not None:
        check_sessions(sessions)
    elif site.control_url is not None:
        sessions = SandboxSessions(site)
    if sessions is None and verify:
        raise InvalidInput(
            "Pass sessions that can verify the launches, or verify=False to only collect them.", field="sessions"
        )
    recording_of(sessions, record=record)  # or says what is missing, before anything listens
    return AsyncInbox(sessions, verify=verify, port=port, origin=origin, record=record)


def _title(received: Received) -> str:
    return "Received, not proved yet" if received.state == "unproved" else received.state.capitalize()


def _row(received: Received) -> list[str]:
    launch = received.report.launch
    user = received.user or (launch and launch.user_id) or ""
    record = received.record or (launch and launch.subject) or ""
    return [markup.text(cell) for cell in (received.number, user, record, received.state, received.reason)]
