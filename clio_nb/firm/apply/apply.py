"""Apply a plan: all users at the same time, each user's items in order; one failure does not stop the others."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from ... import errors
from ...action_rules import check
from ...models import CustomAction
from ...session import AsyncSession
from .._page import result_page
from .._state import ActionFields
from ..item import Item, ItemResult, Kind, Outcome
from ..journal_entry import EntryChange
from ..plan.plan import Plan
from ._write import Changed, NotKnown, NotSent, write
from .journal import SENT, Journal

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Result:
    """What a run did: a result for each item that changes something. True only if all were done. Shown as a table."""

    run: str
    results: tuple[ItemResult, ...]

    def __bool__(self) -> bool:
        return not self.failed

    @property
    def failed(self) -> tuple[ItemResult, ...]:
        """The results of the items that were not done, each with the reason and what to do."""
        return tuple(each for each in self.results if each.outcome is not Outcome.DONE)

    @property
    def notes(self) -> tuple[str, ...]:
        """What Clio stored differently than it was sent, each once."""
        done = (each.message for each in self.results if each.outcome is Outcome.DONE)
        return tuple(dict.fromkeys(filter(None, done)))

    def counts(self) -> dict[str, int]:
        """Return how many items ended with which outcome."""
        found = Counter(each.outcome for each in self.results)
        return {outcome.value: found[outcome] for outcome in Outcome if found[outcome]}

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each result; the columns are those of :func:`clio_nb.firm.tables.results_frame`."""
        from ..tables import results_frame  # noqa: PLC0415 -- pandas loads when the first table is made

        return results_frame(self.results)

    def _repr_html_(self) -> str:
        return result_page(self)

    def __repr__(self) -> str:
        return f"<Result of {self}>"

    def __str__(self) -> str:
        ends = ", ".join(f"{count} {outcome}" for outcome, count in self.counts().items()) or "nothing to do"
        return f"run {self.run}: {ends}"


class Stop:
    """Ends a run early when ``asked`` is set: requests under way are finished and recorded, nothing more is sent."""

    def __init__(self) -> None:
        self.asked = False


async def apply(
    plan: Plan,
    session_of: Callable[[int], Awaitable[AsyncSession]],
    journal: Journal,
    *,
    on_result: Callable[[ItemResult], object] = lambda _: None,
    stop: Stop | None = None,
) -> Result:
    """Do exactly what the plan says, and nothing else.

    ``session_of`` gives the session of a user; ``on_result`` is called with each result, on the library's loop. Raises
    :class:`errors.InvalidAction` when the manifest has an action that no session would send,
    :class:`errors.RunInProgress` when another run changes the firm, :class:`errors.VaultError` when the journal fails.
    """
    _refuse_wrong(plan)
    stop = stop or Stop()
    work = asyncio.ensure_future(_run(plan, session_of, journal, on_result, stop))
    _under_way.add(work)
    work.add_done_callback(_under_way.discard)
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        # A cancelled run first finishes the requests under way. Cancelled again, it goes on by itself without being
        # awaited, and holds the lock of the firm until it has ended.
        stop.asked = True
        await asyncio.wait([work])
        raise


_under_way: Final[set[asyncio.Future[Result]]] = set()


def _refuse_wrong(plan: Plan) -> None:
    """Raise :class:`errors.InvalidAction` for an invalid action of a manifest. An undo may bring back an old one."""
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
    on_result: Callable[[ItemResult], object],
    stop: Stop,
) -> Result:
    with journal.lock():
        run, first = journal.begin(plan)
        lists: dict[int, list[tuple[int, Item]]] = {}
        for number, item in enumerate(plan.changes, first):
            lists.setdefault(item.user_id, []).append((number, item))
        changes = _Changes(journal, run, plan.app)
        users = [_UserRun(session_of, changes, on_result, stop) for _ in lists]
        work = [user.apply(each) for user, each in zip(users, lists.values(), strict=True)]
        results: list[ItemResult] = []
        for several in await asyncio.gather(*work, return_exceptions=True):
            if isinstance(several, BaseException):
                raise several
            results += several
        if not stop.asked:
            journal.finish(run)
    return Result(run, tuple(results))


class _Changes:
    """Collects what all users record in one turn of the loop, and writes it to the journal in one transaction."""

    def __init__(self, journal: Journal, run: str, app: str) -> None:
        self._journal = journal
        self._run = run
        self._app = app
        self._changes: list[EntryChange] = []
        self._written: asyncio.Task[None] | None = None

    def add(self, change: EntryChange) -> asyncio.Task[None]:
        """Record a change soon; the task ends when it is written, or with :class:`errors.VaultError`."""
        self._changes.append(change)
        if self._written is None:
            self._written = asyncio.create_task(self._write())
        return self._written

    async def _write(self) -> None:
        changes, self._changes, self._written = self._changes, [], None
        self._journal.record(self._run, self._app, changes)


class _UserRun:
    """One user's part of a run."""

    def __init__(
        self,
        session_of: Callable[[int], Awaitable[AsyncSession]],
        changes: _Changes,
        on_result: Callable[[ItemResult], object],
        stop: Stop,
    ) -> None:
        self._session_of = session_of
        self._changes = changes
        self._on_result = on_result
        self._stop = stop
        self._over = ""
        self._recorded: asyncio.Task[None] | None = None

    async def apply(self, numbered: Sequence[tuple[int, Item]]) -> list[ItemResult]:
        """Do the items one after the other."""
        results = []
        try:
            for number, item in numbered:
                result = await self._result_of(number, item)
                self._on_result(result)
                results.append(result)
            if self._recorded is not None:
                await self._recorded
        except BaseException:
            self._stop.asked = True  # the journal fails: nothing more may be sent, for any user
            raise
        return results

    async def _result_of(self, number: int, item: Item) -> ItemResult:
        """Do one item. Its outcome is recorded in the same transaction as the next request."""
        if self._stop.asked or self._over:
            return ItemResult(item, Outcome.NOT_SENT, self._over or "The run was stopped before this change.")
        await self._changes.add(EntryChange(number, SENT))
        try:
            action = await write(await self._session_of(item.user_id), item)
        except errors.ClioError as error:
            if isinstance(error, Changed) and error.made is not None:
                self._done(number, msgspec.structs.replace(item, after=None), error.made)
            if isinstance(error, _ENDS_THE_USER):
                self._over = f"Not sent, because an earlier change for this user failed: {error.args[0]}"
            return self._ended(number, item, _OUTCOMES.get(type(error), Outcome.FAILED), error)
        return self._done(number, item, action)

    def _done(self, number: int, item: Item, action: CustomAction | None) -> ItemResult:
        self._recorded = self._changes.add(EntryChange(number, Outcome.DONE, item=item, action=action))
        kept = ActionFields.of(action).kept_for(item.after) if action else ()
        return ItemResult(item, Outcome.DONE, " ".join(f"Clio stored {sent!r} as {now!r}." for sent, now in kept))

    def _ended(self, number: int, item: Item, outcome: Outcome, error: errors.ClioError) -> ItemResult:
        self._recorded = self._changes.add(EntryChange(number, outcome, str(error.args[0])))
        return ItemResult(item, outcome, str(error.args[0]))


_ENDS_THE_USER: Final = (errors.NeedsLogin, errors.Unauthorized, errors.Forbidden, errors.LoginError)
_OUTCOMES: Final = {Changed: Outcome.CONFLICT, NotKnown: Outcome.UNKNOWN, NotSent: Outcome.NOT_SENT}
