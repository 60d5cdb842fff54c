"""Apply a plan: many users at the same time, each user's items in order; one failure does not stop the others."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ... import errors, events
from ...action_rules import check
from ...database.firm_key import AppKey
from ...http import network
from ...ledger.ledger import Ledger
from ...ledger.records import Kind, NewRun, Outcome
from ...session import AsyncSession
from .._page import result_page
from ..item import Item, ItemResult
from ..plan.plan import Plan
from ._hold import BUSY, Hold, holding
from ._user_run import Numbered, Stop, UserRun, found_ours

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


async def apply(
    plan: Plan,
    session_of: Callable[[int], Awaitable[AsyncSession]],
    ledger: Ledger,
    planned_again: Callable[[Plan, int], Awaitable[Plan]],
    *,
    on_result: Callable[[ItemResult], object] = lambda _: None,
    stop: Stop | None = None,
) -> Result:
    """Do exactly what the plan says, and nothing else.

    ``session_of`` gives the session of a user, ``planned_again`` the plan of one user as it would be now;
    ``on_result`` is called with each result, on the library's loop. Raises :class:`errors.InvalidAction` when the
    manifest has an action that no session would send, :class:`errors.VaultError` when the ledger fails.
    """
    _refuse_wrong(plan)
    stop = stop or Stop()
    return await _to_its_end(_run(plan, session_of, ledger, planned_again, on_result, stop), stop)


async def _to_its_end(run: Coroutine[Any, Any, Result], stop: Stop) -> Result:
    """Await a run. A cancelled one first finishes the requests under way.

    Cancelled again, it goes on by itself without being awaited, and holds its users until it has ended.
    """
    work = asyncio.ensure_future(run)
    _under_way.add(work)
    work.add_done_callback(_under_way.discard)
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
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
    ledger: Ledger,
    planned_again: Callable[[Plan, int], Awaitable[Plan]],
    on_result: Callable[[ItemResult], object],
    stop: Stop,
) -> Result:
    with holding(ledger, AppKey(plan.site, plan.client_id), plan.account_id) as hold, _failure_told(hold):
        first = await hold.begin(_new_run(plan, hold.owner), plan.changes)
        lists: dict[int, list[tuple[int, Item]]] = {user_id: [] for user_id in plan.unsettled}
        for number, item in enumerate(plan.changes, first):
            lists.setdefault(item.user_id, []).append((number, item))
        one = UserRun(plan, session_of, hold, planned_again, on_result, stop)
        results = await _each(one, lists, stop)
        await hold.written()
        if not stop.asked:
            await hold.finish()
    return _told(plan, Result(hold.run, tuple(result for user_id in lists for result in results[user_id])))


async def apply_one(
    user_id: int,
    planned: Callable[[], Awaitable[Plan]],
    session_of: Callable[[int], Awaitable[AsyncSession]],
    ledger: Ledger,
    planned_again: Callable[[Plan, int], Awaitable[Plan]],
    app: AppKey,
    account_id: int,
) -> Result:
    """Plan and apply for one user who is held all the time, so that the plan cannot become stale.

    Raises :class:`errors.RunInProgress` when another run does not give the user back in time. What is blocked is among
    the results, since nobody has seen the plan.
    """
    stop = Stop()
    work = _run_for_one(user_id, planned, session_of, ledger, planned_again, app, account_id, stop)
    return await _to_its_end(work, stop)


async def _run_for_one(
    user_id: int,
    planned: Callable[[], Awaitable[Plan]],
    session_of: Callable[[int], Awaitable[AsyncSession]],
    ledger: Ledger,
    planned_again: Callable[[Plan, int], Awaitable[Plan]],
    app: AppKey,
    account_id: int,
    stop: Stop,
) -> Result:
    with holding(ledger, app, account_id) as hold, _failure_told(hold):
        if not await hold.take(user_id, lambda: stop.asked):
            raise errors.RunInProgress(BUSY)
        try:
            plan = await planned()
            _refuse_wrong(plan)
            results = [ItemResult(item, Outcome.NOT_SENT, f"{item.reason}. {item.advice}") for item in plan.blocked]
            if plan.changes:
                first = await hold.begin(_new_run(plan, hold.owner), plan.changes)
                one = UserRun(plan, session_of, hold, planned_again, lambda _: None, stop)
                results += await one.write_all(list(enumerate(plan.changes, first)))
            else:
                await hold.adopt(user_id, plan.app, *found_ours(plan), plan.gone)
        finally:
            hold.release(user_id)
        await hold.written()
        if hold.run and not stop.asked:
            await hold.finish()
    return _told(plan, Result(hold.run, tuple(results)))


async def _each(one: UserRun, lists: Mapping[int, Numbered], stop: Stop) -> dict[int, list[ItemResult]]:
    """Do the part of each user, so many at a time."""
    results: dict[int, list[ItemResult]] = {}
    left = iter(lists.items())

    async def work() -> None:
        for user_id, items in left:
            try:
                results[user_id] = await one.apply(user_id, items)
            except BaseException:
                stop.asked = True  # the ledger fails: nothing more may be sent, for any user
                raise

    at_a_time = 2 * network.current().in_flight  # so memory does not grow with the firm, and no request waits long
    workers = (work() for _ in range(min(at_a_time, len(lists))))
    for failure in await asyncio.gather(*workers, return_exceptions=True):
        if failure is not None:
            raise failure
    return results


@contextlib.contextmanager
def _failure_told(hold: Hold) -> Iterator[None]:
    """Log a run that ends with an error. What it has begun is in the ledger."""
    try:
        yield
    except BaseException as error:
        name = type(error).__name__
        said = f"run {hold.run} ended with {name}" if hold.run else f"a run could not begin: {name}"
        events.tell("run", said, True, outcome=Outcome.FAILED.value, reason=name, run=hold.run)
        raise


def _told(plan: Plan, result: Result) -> Result:
    """Log how a run and each of its items ended."""
    for each in result.results:
        item = each.item
        words = {"kind": item.kind.value, "outcome": each.outcome.value, "user_id": item.user_id, "run": result.run}
        said = f"{item.kind.value} of {item.key or 'an action'} for user {item.user_id}: {each.outcome.value}"
        warn = each.outcome is not Outcome.DONE
        events.tell("item", said, warn, key=item.key, action_id=item.action_id, **words)
    events.tell("run", f"{plan.purpose} of {plan.app}, {result}", not result, purpose=plan.purpose, run=result.run)
    return result


def _new_run(plan: Plan, owner: str) -> NewRun:
    """Say what the ledger should know of a run, and what its plan found to be ours."""
    read = {item.user_id for item in plan.items if item.kind is not Kind.BLOCKED} | {user for user, _ in plan.gone}
    as_wanted, differing = found_ours(plan)
    return NewRun(
        owner,
        plan.app,
        plan.purpose,
        plan.profile,
        plan.allow_delete,
        plan.manifest.to_toml() if plan.manifest else None,
        plan.run,
        seen={user_id: plan.writes.get(user_id, 0) for user_id in read},
        as_wanted=as_wanted,
        differing=differing,
        gone=plan.gone,
    )
