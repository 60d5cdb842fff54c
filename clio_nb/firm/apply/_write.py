"""Carry out one line of a plan with one user's session, and make sure of what came of it."""

from __future__ import annotations

import contextlib
import html
import re
import unicodedata
from typing import Final
from urllib.parse import unquote_plus

from ... import errors
from ...models import CustomAction
from ...session import AsyncSession
from .._state import Look
from ..item import Item, Kind

_LOST: Final = (errors.NetworkError, errors.ServerError, errors.UnexpectedAnswer)
"""After these it is not known whether Clio has done it. So it is read back, never repeated blindly."""


class Changed(errors.ClioError):
    """The action is not as the plan saw or wanted it. Nothing was overwritten; ``made`` is one that we just made."""

    def __init__(self, message: str, *, made: CustomAction | None = None) -> None:
        super().__init__(message)
        self.made: Final = made


class NotKnown(errors.ClioError):
    """A change was sent, its answer was lost, and reading back did not help. The next plan will see what came of it."""


async def write(session: AsyncSession, item: Item) -> CustomAction | None:
    """Create, update or delete as the line says; return the action as it is now, or None for one that is deleted.

    Raises :class:`Changed` when somebody changed the action since the plan, with both versions in the message,
    :class:`NotKnown` when it cannot be known whether Clio has done it, and what the session raises.
    """
    if item.kind is Kind.CREATE:
        return await _created(session, item)
    if item.kind is Kind.UPDATE:
        return await _updated(session, item)
    await _deleted(session, item)
    return None


async def _created(session: AsyncSession, item: Item) -> CustomAction:
    wanted = _look(item.after)
    try:
        made = await session.create_action(wanted.label or "", wanted.target_url or "", wanted.ui_reference or "")
    except errors.ActionExists as twin:
        there = await session.get_action(twin.action_id)
        if Look.of(there).differing(wanted):
            raise Changed(f"Since the plan, an action with this label came here: {_described(there)}.") from None
        return there
    except errors.TlsFailed:
        raise
    except _LOST as lost:  # the session has read back already
        raise _not_known(lost) from None
    return await _verified(session, made, wanted)


async def _updated(session: AsyncSession, item: Item) -> CustomAction:
    wanted, seen = _look(item.after), _seen(item)
    changes = {name: new for name, (_, new) in item.diff().items()}
    try:
        now = await _patch(session, seen, changes)
    except errors.Conflict:
        raise _changed(item, await session.get_action(seen.id)) from None
    except errors.NotFound:
        raise Changed(f"Action {seen.id} was deleted since the plan. Plan again.") from None
    except errors.TlsFailed:
        raise
    except _LOST:
        try:
            now = await session.get_action(seen.id)
            if Look.of(now) == item.before:
                now = await _patch(session, now, changes)
        except _LOST as lost:
            raise _not_known(lost) from None
    return await _verified(session, now, wanted, item)


async def _patch(session: AsyncSession, seen: CustomAction, changes: dict[str, str | None]) -> CustomAction:
    return await session.update_action(
        seen, label=changes.get("label"), target_url=changes.get("target_url"), at=changes.get("ui_reference")
    )


async def _deleted(session: AsyncSession, item: Item) -> None:
    """Delete what is still as the plan saw it. Clio takes no If-Match here, so it is read just before."""
    seen = _seen(item)
    with contextlib.suppress(errors.NotFound):  # gone already, which is what was wanted
        now = await session.get_action(seen.id)
        if Look.of(now) != item.before or now.etag != item.etag:
            raise _changed(item, now)
        try:
            await session.delete_action(seen.id)
        except errors.TlsFailed:
            raise
        except _LOST:
            try:
                await session.get_action(seen.id)
                await session.delete_action(seen.id)
            except _LOST as lost:
                raise _not_known(lost) from None


async def _verified(
    session: AsyncSession, answered: CustomAction, wanted: Look, item: Item | None = None
) -> CustomAction:
    """Make sure that Clio keeps what was sent; an answer that says otherwise is checked by reading once more.

    What Clio answered to our own write and keeps counts as done if it can be what Clio made of it.
    """
    if not Look.of(answered).differing(wanted):
        return answered
    now = await session.get_action(answered.id)
    look, before = Look.of(now), item and item.before
    if all(
        look == Look.of(answered) and _made_of(getattr(wanted, name), getattr(look, name), getattr(before, name, None))
        for name in look.differing(wanted)
    ):
        return now
    if item is not None:
        raise _changed(item, now)
    raise Changed(f"Clio keeps the action differently than it was sent: {_described(now)}.", made=now)


def _made_of(asked: str | None, kept: str | None, before: str | None) -> bool:
    """Whether Clio kept what was asked in its own way: tidied, cut or completed, but not just as it was before."""
    one, other = map(_words, (asked, kept))
    return one == other or (kept != before and one != "" != other and (one in other or other in one))


def _words(text: str | None) -> str:
    plain = unicodedata.normalize("NFKC", unquote_plus(html.unescape(text or ""))).casefold()
    return re.sub(r"\Ahttps?://|[\W_]", "", plain)


def _not_known(lost: errors.ClioError) -> NotKnown:
    return NotKnown(f"Whether Clio has done it is not known. Plan again to see. {lost.args[0]}")


def _changed(item: Item, now: CustomAction) -> Changed:
    before = f"{item.before.label!r} to {item.before.target_url}" if item.before else "unknown"
    return Changed(f"Somebody changed it since the plan, which saw {before}; now it is {_described(now)}. Plan again.")


def _described(action: CustomAction) -> str:
    return f"{action.label!r} to {action.target_url} (id {action.id})"


def _look(look: Look | None) -> Look:
    if look is None:
        raise errors.InvalidInput("This line of the plan does not say how the action should look.", field="plan")
    return look


def _seen(item: Item) -> CustomAction:
    if item.action_id is None:
        raise errors.InvalidInput("This line of the plan does not say which action it is about.", field="plan")
    return CustomAction(id=item.action_id, etag=item.etag)
