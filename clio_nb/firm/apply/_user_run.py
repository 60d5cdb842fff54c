"""One user's part of a run: taken, read again if the plan is no longer right, written in order, and given back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import groupby
from typing import Final, TypeAlias

import msgspec

from ... import errors
from ...ledger.records import ActionFields, Kind, Outcome, Owned
from ...models import CustomAction
from ...session import AsyncSession
from ..item import Item, ItemResult
from ..plan.plan import Plan
from ._hold import BUSY, Hold
from ._together import while_away
from ._write import Changed, NotKnown, NotSent, write

Numbered: TypeAlias = Sequence[tuple[int, Item]]
_OURS: Final = (Kind.OK, Kind.UPDATE, Kind.DELETE, Kind.DUPLICATE, Kind.ORPHAN)
_STOPPED: Final = "The run was stopped before this change."
_STALE: Final = "Another run changed this user since the plan was made, so nothing was sent. {}"
_ENDS_THE_USER: Final = (
    errors.NeedsLogin,
    errors.Unauthorized,
    errors.Forbidden,
    errors.LoginError,
    errors.RunInProgress,
)
_OUTCOMES: Final = {Changed: Outcome.CONFLICT, NotKnown: Outcome.UNKNOWN, NotSent: Outcome.NOT_SENT}


class Stop:
    """Ends a run early when ``asked`` is set: requests under way are finished and recorded, nothing more is sent."""

    def __init__(self) -> None:
        self.asked = False


class UserRun:
    """The part of one user after the other, in a run of one plan."""

    def __init__(
        self,
        plan: Plan,
        session_of: Callable[[int], Awaitable[AsyncSession]],
        hold: Hold,
        planned_again: Callable[[Plan, int], Awaitable[Plan]],
        on_result: Callable[[ItemResult], object],
        stop: Stop,
    ) -> None:
        self._plan = plan
        self._session_of = session_of
        self._hold = hold
        self._planned_again = planned_again
        self._on_result = on_result
        self._stop = stop

    async def apply(self, user_id: int, items: Numbered) -> list[ItemResult]:
        """Do the items of one user. Creates that follow each other are sent together: their order is free."""
        if self._stop.asked:
            return self._none(items, Outcome.NOT_SENT, _STOPPED)
        if not await self._hold.take(user_id, lambda: self._stop.asked):
            return self._none(items, Outcome.NOT_SENT, _STOPPED if self._stop.asked else BUSY, note=True)
        try:
            if is_stale(self._plan, user_id, await self._hold.writes_of(user_id)):
                again = await self._read_again(user_id, items)
                if isinstance(again, str):
                    return self._none(items, Outcome.CONFLICT, _STALE.format(again).strip(), note=True)
                items = again
            return await self.write_all(items)
        finally:
            self._hold.release(user_id)

    async def _read_again(self, user_id: int, items: Numbered) -> Numbered | str:
        """Plan again for a user who was written since; return the items as they are now, or why they cannot be done."""
        try:
            now = await self._planned_again(self._plan, user_id)
        except errors.VaultError:
            raise
        except errors.ClioError as error:
            return str(error)
        await self._hold.adopt(user_id, now.app, *found_ours(now), now.gone)
        changes = now.changes
        if [_meant(item) for _, item in items] != [_meant(item) for item in changes]:
            blocked = next((item.advice for item in now.blocked), "")
            return blocked or "Plan again."
        return [(number, item) for (number, _), item in zip(items, changes, strict=True)]

    def _none(self, items: Numbered, outcome: Outcome, message: str, *, note: bool = False) -> list[ItemResult]:
        """Do none of these items, and say why."""
        results = [ItemResult(item, outcome, message) for _, item in items]
        for (number, item), result in zip(items, results, strict=True):
            if note:
                self._hold.ended(number, item.user_id, outcome, message)
            self._on_result(result)
        return results

    async def write_all(self, items: Numbered) -> list[ItemResult]:
        """Do the items of a user who is held."""
        results: list[ItemResult] = []
        ends: list[str] = []  # why nothing more can be sent for this user
        for together in _groups(items):
            if ends or self._stop.asked:
                results += self._none(together, Outcome.NOT_SENT, ends[0] if ends else _STOPPED)
                continue
            done = (self._result_of(number, item, ends) for number, item in together)
            for result in await asyncio.gather(*done, return_exceptions=True):
                if isinstance(result, BaseException):
                    raise result
                results.append(result)
        return results

    async def _result_of(self, number: int, item: Item, ends: list[str]) -> ItemResult:
        """Do one item. Its outcome is noted in the same transaction as what comes next."""
        with self._hold.fenced(number, item.user_id) as fence:
            try:
                action = await while_away(lambda: self._written(item), lambda: not fence.passed)
            except errors.VaultError:
                raise
            except errors.ClioError as error:
                if isinstance(error, _ENDS_THE_USER):
                    ends.append(f"Not sent, because an earlier change for this user failed: {error.args[0]}")
                result = ItemResult(item, _outcome(error, sent=fence.passed), str(error.args[0]))
                made = error.made if isinstance(error, Changed) else None
                ours = None if made is None else msgspec.structs.replace(item, after=None)
                self._hold.ended(number, item.user_id, result.outcome, result.message, ours, made)
            else:
                kept = ActionFields.of(action).kept_for(item.after) if action else ()
                said = " ".join(f"Clio stored {sent!r} as {now!r}." for sent, now in kept)
                result = ItemResult(item, Outcome.DONE, said)
                self._hold.ended(number, item.user_id, Outcome.DONE, "", item, action)
        self._on_result(result)
        return result

    async def _written(self, item: Item) -> CustomAction | None:
        return await write(await self._session_of(item.user_id), item)


def is_stale(plan: Plan, user_id: int, writes: int) -> bool:
    """Whether something was written for a user since the plan read the user's actions."""
    return writes != plan.writes.get(user_id, 0)


def found_ours(plan: Plan) -> tuple[list[Owned], list[Owned]]:
    """Return what a plan found to be ours, as it was read: what is as it is wanted, and what is not."""
    as_wanted: list[Owned] = []
    differing: list[Owned] = []
    for item in plan.items:
        if item.kind in _OURS and item.key and item.before and item.action_id is not None:
            one = Owned(item.user_id, item.action_id, plan.app, item.key, item.before, item.created_at)
            (as_wanted if item.kind is Kind.OK else differing).append(one)
    return as_wanted, differing


def _groups(items: Numbered) -> Iterator[list[tuple[int, Item]]]:
    """Give creates that follow each other together, and each other change alone."""
    for creates, some in groupby(items, lambda each: each[1].kind is Kind.CREATE):
        several = list(some)
        yield from [several] if creates else [[each] for each in several]


def _meant(item: Item) -> tuple[object, ...]:
    """Return what a person has seen of an item in the plan."""
    return item.kind, item.key, item.action_id, item.before, item.after


def _outcome(error: errors.ClioError, *, sent: bool) -> Outcome:
    if isinstance(error, errors.RunInProgress):
        return Outcome.UNKNOWN if sent else Outcome.NOT_SENT
    return _OUTCOMES.get(type(error), Outcome.FAILED)
