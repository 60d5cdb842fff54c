"""Carry out one item of a plan with one user's session, and check the result."""

from __future__ import annotations

import contextlib
import html
import re
import unicodedata
from typing import Final
from urllib.parse import unquote_plus

from ... import errors
from ...ledger.records import ActionFields, Kind
from ...models import CustomAction
from ...session import AsyncSession
from ..item import Item

_LOST: Final = (errors.NetworkError, errors.ServerError, errors.UnexpectedAnswer)
"""After these errors it is unknown whether Clio made the change. So it is read back, never repeated blindly."""


class Changed(errors.ClioError):
    """The action is not as the plan saw or wanted it. Nothing was overwritten; ``made`` is an action just created."""

    def __init__(self, message: str, *, made: CustomAction | None = None) -> None:
        super().__init__(message)
        self.made: Final = made


class NotKnown(errors.ClioError):
    """A change was sent, its answer was lost, and reading back failed too. The next plan shows whether it was made."""


class NotSent(errors.ClioError):
    """No byte of the change can have reached Clio, so there is nothing to read back."""


async def write(session: AsyncSession, item: Item) -> CustomAction | None:
    """Create, update or delete as the item says; return the action as it is now, or None for one that is deleted.

    Raises :class:`Changed` when somebody changed the action since the plan, with both versions in the message,
    :class:`NotKnown` when Clio may or may not have made the change, :class:`NotSent` when it cannot have, and what the
    session raises.
    """
    if item.kind is Kind.CREATE:
        return await _created(session, item)
    if item.kind is Kind.UPDATE:
        return await _updated(session, item)
    await _deleted(session, item)
    return None


async def _created(session: AsyncSession, item: Item) -> CustomAction:
    wanted = _fields(item.after)
    try:
        made = await session.create_action(wanted.label or "", wanted.target_url or "", wanted.ui_reference or "")
    except errors.ActionExists as twin:
        there = await session.get_action(twin.action_id)
        if ActionFields.of(there).differing(wanted):
            raise Changed(
                f"Since the plan, an action with this label was created: {_described(there)}. Plan again."
            ) from None
        return there
    except _LOST as lost:  # the session has read back already
        _raise_if_unsent(lost)
        raise _not_known(lost) from None
    return await _verified(session, made, wanted)


async def _updated(session: AsyncSession, item: Item) -> CustomAction:
    wanted, seen = _fields(item.after), _planned_action(item)
    changes = {name: new for name, (_, new) in item.diff().items()}
    try:
        now = await _patch(session, seen, changes)
    except errors.Conflict:
        raise _changed(item, await session.get_action(seen.id)) from None
    except errors.NotFound:
        raise Changed(f"Action {seen.id} was deleted since the plan. Plan again.") from None
    except _LOST as first:
        _raise_if_unsent(first)
        try:
            now = await session.get_action(seen.id)
            if ActionFields.of(now) == item.before:
                now = await _patch(session, now, changes)
        except _LOST as lost:
            raise _not_known(lost) from None
    return await _verified(session, now, wanted, item)


async def _patch(session: AsyncSession, seen: CustomAction, changes: dict[str, str | None]) -> CustomAction:
    return await session.update_action(
        seen, label=changes.get("label"), target_url=changes.get("target_url"), at=changes.get("ui_reference")
    )


async def _deleted(session: AsyncSession, item: Item) -> None:
    """Delete an action that is still as the plan saw it. Clio takes no If-Match here, so it is read just before."""
    seen = _planned_action(item)
    with contextlib.suppress(errors.NotFound):  # gone already, which is what was wanted
        try:
            now = await session.get_action(seen.id)
        except errors.NetworkError as lost:
            raise NotSent(lost.args[0]) from None
        if ActionFields.of(now) != item.before or now.etag != item.etag:
            raise _changed(item, now)
        try:
            await session.delete_action(seen.id)
        except _LOST as first:
            _raise_if_unsent(first)
            try:
                await session.get_action(seen.id)
                await session.delete_action(seen.id)
            except _LOST as lost:
                raise _not_known(lost) from None


async def _verified(
    session: AsyncSession, answered: CustomAction, wanted: ActionFields, item: Item | None = None
) -> CustomAction:
    """Check that Clio stored what was sent; when its answer says otherwise, read the action once more.

    A stored value that differs counts as done if it can be what Clio made of the value that was sent.
    """
    if not ActionFields.of(answered).differing(wanted):
        return answered
    try:
        now = await session.get_action(answered.id)
    except _LOST as lost:
        raise _not_known(lost) from None
    fields, before = ActionFields.of(now), item and item.before
    differing = fields.differing(wanted)
    if not differing or (
        fields == ActionFields.of(answered)
        and all(_made_of(*(getattr(each, name, None) for each in (wanted, fields, before))) for name in differing)
    ):
        return now
    if item is not None:
        raise _changed(item, now)
    raise Changed(f"Clio stored the action differently than it was sent: {_described(now)}.", made=now)


def _made_of(asked: str | None, kept: str | None, before: str | None) -> bool:
    """Whether a stored value can be what Clio made of the one sent: tidied, cut or completed, not the old one."""
    one, other = map(_words, (asked, kept))
    return one == other or (kept != before and one != "" != other and (one in other or other in one))


def _words(text: str | None) -> str:
    plain = unicodedata.normalize("NFKC", unquote_plus(html.unescape(text or ""))).casefold()
    return re.sub(r"\Ahttps?://|[\W_]", "", plain)


def _raise_if_unsent(lost: errors.ClioError) -> None:
    if isinstance(lost, errors.NetworkError) and lost.nothing_sent:
        raise NotSent(lost.args[0]) from None


def _not_known(lost: errors.ClioError) -> NotKnown:
    return NotKnown(f"Clio did not confirm this change. Plan again to see whether it was made. {lost.args[0]}")


def _changed(item: Item, now: CustomAction) -> Changed:
    before = f"{item.before.label!r} to {item.before.target_url}" if item.before else "unknown"
    return Changed(f"Somebody changed it since the plan: it was {before}, now it is {_described(now)}. Plan again.")


def _described(action: CustomAction) -> str:
    return f"{action.label!r} to {action.target_url} (id {action.id})"


def _fields(fields: ActionFields | None) -> ActionFields:
    if fields is None:
        raise errors.InvalidInput(
            "This item of the plan does not say what the action should be. Plan again.", field="plan"
        )
    return fields


def _planned_action(item: Item) -> CustomAction:
    if item.action_id is None:
        raise errors.InvalidInput(
            "This item of the plan does not say which action it is about. Plan again.", field="plan"
        )
    return CustomAction(id=item.action_id, etag=item.etag)
