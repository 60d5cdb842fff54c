"""Apply a plan: every user at the same time, each user's lines in their order, one failure stopping nobody else."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from ... import errors
from ...action_rules import check
from ...models import CustomAction
from ...session import AsyncSession
from .._state import Look
from ..item import Item, Kind, Outcome
from ..plan.plan import Plan
from ._write import Changed, NotKnown, write
from .journal import SENT, Journal, Note

if TYPE_CHECKING:
    import pandas as pd


class Line(NamedTuple):
    """One write of a plan and what came of it; ``message`` says why, and what to do, or what Clio keeps differently."""

    item: Item
    outcome: Outcome
    message: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a run. True only if every line was done. It shows itself as a table."""

    run: str
    lines: tuple[Line, ...]

    def __bool__(self) -> bool:
        return not self.failed

    @property
    def failed(self) -> tuple[Line, ...]:
        """The lines that were not done, each with the reason and what to do."""
        return tuple(line for line in self.lines if line.outcome is not Outcome.DONE)

    @property
    def notes(self) -> tuple[str, ...]:
        """What Clio keeps differently than it was sent, each once."""
        return tuple(
            dict.fromkeys(line.message for line in self.lines if line.outcome is Outcome.DONE and line.message)
        )

    def counts(self) -> dict[str, int]:
        """Return how many lines came to which end."""
        found = Counter(line.outcome for line in self.lines)
        return {outcome.value: found[outcome] for outcome in Outcome if found[outcome]}

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each line; the columns are those of :func:`clio_nb.firm.tables.lines_frame`."""
        from ..tables import lines_frame  # noqa: PLC0415 -- pandas loads when the first table is made

        return lines_frame(self.lines)

    def _repr_html_(self) -> str:
        from ..tables import result_page  # noqa: PLC0415 -- as above

        return result_page(self)

    def __repr__(self) -> str:
        ends = ", ".join(f"{count} {outcome}" for outcome, count in self.counts().items()) or "nothing to do"
        return f"<Result of run {self.run}: {ends}>"


class Stop:
    """Asks a run to end early: what is under way is finished and noted, nothing more is sent."""

    def __init__(self) -> None:
        self.asked = False


async def apply(
    plan: Plan,
    session_of: Callable[[int], Awaitable[AsyncSession]],
    journal: Journal,
    *,
    on_line: Callable[[Line], object] = lambda _: None,
    stop: Stop | None = None,
) -> Result:
    """Do exactly what the plan says, and nothing else.

    ``session_of`` gives the session of a user; ``on_line`` hears of each line as it ends, on the library's loop. Raises
    :class:`errors.InvalidAction` when the manifest wants what no session would send, :class:`errors.RunInProgress` when
    another run changes the firm, :class:`errors.VaultError` when the journal fails.
    """
    _refuse_wrong(plan)
    stop = stop or Stop()
    work = asyncio.ensure_future(_run(plan, session_of, journal, on_line, stop))
    _under_way.add(work)
    work.add_done_callback(_under_way.discard)
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        # One who gives up ends nothing in the middle. Who gives up waiting for that too leaves it to end by itself;
        # until then it holds the lock of the firm.
        stop.asked = True
        await asyncio.wait([work])
        raise


_under_way: Final[set[asyncio.Future[Result]]] = set()


def _refuse_wrong(plan: Plan) -> None:
    """Raise :class:`errors.InvalidAction` for a manifest's action that nobody should get. One of an undo may be old."""
    asked: dict[tuple[str | None, str | None], str] = {}
    for item in plan.items if plan.manifest is not None else ():
        if item.after is not None and item.kind is not Kind.OK:
            sent = msgspec.structs.asdict(item.after)
            if item.kind is Kind.UPDATE:
                sent = {name: new for name, (_, new) in item.diff().items()}
            asked[sent.get("label"), sent.get("target_url")] = item.key
    for (label, target_url), key in asked.items():
        try:
            check(label=label, target_url=target_url)
        except errors.InvalidAction as wrong:
            raise errors.InvalidAction(f"Nothing was changed. Action {key!r}: {wrong}", field=wrong.field) from None


async def _run(
    plan: Plan,
    session_of: Callable[[int], Awaitable[AsyncSession]],
    journal: Journal,
    on_line: Callable[[Line], object],
    stop: Stop,
) -> Result:
    with journal.lock():
        run, first = journal.begin(plan)
        lists: dict[int, list[tuple[int, Item]]] = {}
        for number, item in enumerate(plan.changes, first):
            lists.setdefault(item.user_id, []).append((number, item))
        notes = _Notes(journal, run, plan.app)
        users = [_UserRun(session_of, notes, on_line, stop) for _ in lists]
        work = [user.apply(each) for user, each in zip(users, lists.values(), strict=True)]
        lines: list[Line] = []
        for several in await asyncio.gather(*work, return_exceptions=True):
            if isinstance(several, BaseException):
                raise several
            lines += several
        if not stop.asked:
            journal.finish(run)
    return Result(run, tuple(lines))


class _Notes:
    """What all users note of a run in one turn of the loop, written to the journal together."""

    def __init__(self, journal: Journal, run: str, app: str) -> None:
        self._journal = journal
        self._run = run
        self._app = app
        self._notes: list[Note] = []
        self._written: asyncio.Task[None] | None = None

    def add(self, note: Note) -> asyncio.Task[None]:
        """Write a note soon; the task ends when that is done, with the :class:`errors.VaultError` if it fails."""
        self._notes.append(note)
        if self._written is None:
            self._written = asyncio.create_task(self._write())
        return self._written

    async def _write(self) -> None:
        notes, self._notes, self._written = self._notes, [], None
        self._journal.note(self._run, self._app, notes)


class _UserRun:
    """One user's part of a run."""

    def __init__(
        self,
        session_of: Callable[[int], Awaitable[AsyncSession]],
        notes: _Notes,
        on_line: Callable[[Line], object],
        stop: Stop,
    ) -> None:
        self._session_of = session_of
        self._notes = notes
        self._on_line = on_line
        self._stop = stop
        self._over = ""
        self._noted: asyncio.Task[None] | None = None

    async def apply(self, numbered: Sequence[tuple[int, Item]]) -> list[Line]:
        """Do the lines one after the other."""
        lines = []
        try:
            for number, item in numbered:
                line = await self._line(number, item)
                self._on_line(line)
                lines.append(line)
            if self._noted is not None:
                await self._noted
        except BaseException:
            self._stop.asked = True  # the journal fails: nothing more may be sent, by nobody
            raise
        return lines

    async def _line(self, number: int, item: Item) -> Line:
        """Do one line. What came of it is noted together with what is sent next."""
        if self._stop.asked or self._over:
            return Line(item, Outcome.NOT_SENT, self._over or "The run was stopped before.")
        await self._notes.add(Note(number, SENT))
        try:
            action = await write(await self._session_of(item.user_id), item)
        except Changed as changed:
            if changed.made is not None:
                self._done(number, msgspec.structs.replace(item, after=None), changed.made)
            return self._ended(number, item, Outcome.CONFLICT, changed)
        except NotKnown as lost:
            return self._ended(number, item, Outcome.UNKNOWN, lost)
        except _ENDS_THE_USER as ended:
            self._over = f"Not sent, because of this user's first failure: {ended.args[0]}"
            return self._ended(number, item, Outcome.FAILED, ended)
        except errors.ClioError as failed:
            return self._ended(number, item, Outcome.FAILED, failed)
        return self._done(number, item, action)

    def _done(self, number: int, item: Item, action: CustomAction | None) -> Line:
        self._noted = self._notes.add(Note(number, Outcome.DONE, item=item, action=action))
        kept = Look.of(action).kept_for(item.after) if action else ()
        return Line(item, Outcome.DONE, " ".join(f"Clio keeps {sent!r} as {now!r}." for sent, now in kept))

    def _ended(self, number: int, item: Item, outcome: Outcome, error: errors.ClioError) -> Line:
        self._noted = self._notes.add(Note(number, outcome.value, str(error.args[0])))
        return Line(item, outcome, str(error.args[0]))


_ENDS_THE_USER: Final = (errors.NeedsLogin, errors.Unauthorized, errors.Forbidden, errors.LoginError)
