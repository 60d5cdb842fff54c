"""What each verb is in one firm: one line on that firm's own verb, and its result in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, TypeAlias

from ..errors import ClioError
from ..firm.apply._user_run import Stop
from ..firm.apply.apply import Result
from ..firm.async_firm import AsyncFirm
from ..firm.item import Item
from ..firm.plan.plan import Plan
from ..http import timeouts, transport
from ..ledger.records import Kind, Outcome
from ._task import Task
from .report import FirmRow, reasons

Told: TypeAlias = dict[str, Any]
"""The fields of a :class:`FirmRow` that a verb knows."""

_MISSING: Final = (Kind.BLOCKED, Kind.ORPHAN, Kind.DUPLICATE)


async def carried_out(firm: AsyncFirm, task: Task, stop: Stop) -> FirmRow:
    """Do what a task says in its firm. What goes wrong is in the row."""
    sent, started = 0, timeouts.now()

    def count() -> None:
        nonlocal sent
        sent += 1

    counting = transport.on_request.set(count)
    try:
        told = await _VERBS[task.verb](firm, stop, **task.arguments())
    except ClioError as error:
        told = {"error": str(error)}
    finally:
        transport.on_request.reset(counting)
    return task.row(requests=sent, seconds=timeouts.now() - started, **told)


async def _plan(firm: AsyncFirm, _stop: Stop, **how: Any) -> Told:
    return _of_plan(await firm.plan(**how))


async def _plan_offboard(firm: AsyncFirm, _stop: Stop, **how: Any) -> Told:
    return _of_plan(await firm.plan_offboard(**how))


async def _apply(firm: AsyncFirm, stop: Stop, *, plan: Plan | None = None, **how: Any) -> Told:
    if plan is not None:
        return await _applied(firm, stop, plan)
    return await _done(firm, stop, lambda: firm.plan(**how))


async def _offboard(firm: AsyncFirm, stop: Stop, **how: Any) -> Told:
    return await _done(firm, stop, lambda: firm.plan_offboard(**how))


async def _coverage(firm: AsyncFirm, _stop: Stop, **how: Any) -> Told:
    found = await firm.coverage(**how)
    counts = {"users": len(found), "equipped": sum(each.equipped for each in found)}
    return {"counts": counts, "why": reasons(reason for each in found for reason in each.missing)}


async def _drift(firm: AsyncFirm, _stop: Stop, **how: Any) -> Told:
    items = await firm.drift(**how)
    return {"counts": _kinds(items), "why": reasons(item.reason for item in items)}


async def _audit(firm: AsyncFirm, _stop: Stop) -> Told:
    runs, entries = await firm.runs(), await firm.audit()
    done = sum(entry.outcome == Outcome.DONE for entry in entries)
    unfinished = sum(run.finished is None for run in runs)
    counts = {"runs": len(runs), "unfinished": unfinished, "changes": len(entries), "done": done}
    why = reasons(entry.message for entry in entries if entry.outcome != Outcome.DONE)
    return {"counts": counts, "why": why, "run": runs[-1].run if runs else ""}


_VERBS: Final[dict[str, Callable[..., Awaitable[Told]]]] = {
    "plan": _plan,
    "plan_offboard": _plan_offboard,
    "apply": _apply,
    "offboard": _offboard,
    "coverage": _coverage,
    "drift": _drift,
    "audit": _audit,
}


async def _done(firm: AsyncFirm, stop: Stop, planned: Callable[[], Awaitable[Plan]]) -> Told:
    """Plan and apply; and once more where another run came between, which may have done the same."""
    told = await _applied(firm, stop, await planned())
    first = told["counts"]
    if first.get(Outcome.CONFLICT) and not stop.asked:
        again = await _applied(firm, stop, await planned())
        done = first.get(Outcome.DONE, 0) + again["counts"].get(Outcome.DONE, 0)
        told = {**again, "counts": {**again["counts"], Outcome.DONE.value: done}, "run": again["run"] or told["run"]}
    return told


async def _applied(firm: AsyncFirm, stop: Stop, plan: Plan) -> Told:
    """Apply a plan. One without anything to do or to note leaves no run in the ledger."""
    told = _of_plan(plan)
    result = Result("", ())
    if plan.changes or plan.unsettled:
        result = await firm.apply(plan, stop=stop)
    failed = [each for each in result.results if each.outcome is not Outcome.DONE]
    first = f"{len(failed)} of {len(result.results)} changes were not made: {failed[0].message}" if failed else ""
    return {
        "firm_id": plan.account_id,
        "counts": {**result.counts(), Kind.BLOCKED.value: len(plan.blocked)},
        "why": reasons([*(item.reason for item in plan.blocked), *(each.message for each in failed)]),
        "run": result.run,
        "error": first or told["error"],
    }


def _of_plan(plan: Plan) -> Told:
    blind = ""
    if plan.nobody_read:
        blind = " ".join(("No user of this firm could be read.", *plan.notes[:1]))
    elif plan.is_blind:
        blind = f"Nothing of it can be done: {plan.blocked[0].reason}. {plan.blocked[0].advice}"
    return {
        "firm_id": plan.account_id,
        "counts": plan.counts(),
        "why": reasons(item.reason for item in plan.items if item.kind in _MISSING),
        "plan": plan,
        "error": blind if plan.is_blind else "",
    }


def _kinds(items: Iterable[Item]) -> dict[str, int]:
    return dict(Counter(item.kind.value for item in items))
