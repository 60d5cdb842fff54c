"""What a firm's sessions write without a manifest: noted as ours, so that audit, undo and offboarding know of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final, TypeVar

import msgspec

from ...database.firm_key import AppKey
from ...errors import ClioError, NetworkError, RunInProgress, ServerError, UnexpectedAnswer, VaultError
from ...ledger.ledger import Ledger
from ...ledger.records import ActionFields, Kind, NewRun, Outcome, Owned
from ...models import CustomAction, User
from ..item import Item
from ._hold import BUSY, Hold, holding

T = TypeVar("T", bound=CustomAction | None)

_KINDS: Final = {"create_action": Kind.CREATE, "update_action": Kind.UPDATE, "delete_action": Kind.DELETE}
_NO_FIELDS: Final = ActionFields(None, None, None)


class UnkeyedWrites:
    """The :class:`clio_nb.session.Notes` of a firm."""

    def __init__(self, ledger: Ledger, app: AppKey, account_id: Callable[[], Awaitable[int]]) -> None:
        self._ledger = ledger
        self._app = app
        self._account_id = account_id

    async def write(
        self,
        verb: str,
        user: User,
        action_id: int | None,
        fields: Mapping[str, str],
        work: Callable[[], Awaitable[T]],
    ) -> T:
        """Do the work of a verb as a run of one item. A change of what a manifest made is a change by hand."""
        with holding(self._ledger, self._app, await self._account_id()) as hold:
            if not await hold.take(user.id):
                raise RunInProgress(BUSY)
            try:
                ours = None if action_id is None else (await hold.record_of(user.id)).owned.get(action_id)
                if action_id is not None and (ours is None or ours.key):
                    return await work()
                item = Item(
                    kind=_KINDS[verb],
                    user_id=user.id,
                    user=user.name or "",
                    action_id=action_id,
                    created_at=ours.created_at if ours else None,
                    before=ours.fields if ours else None,
                    after=msgspec.structs.replace(ours.fields if ours else _NO_FIELDS, **fields) if fields else None,
                )
                made = await _noted(hold, verb, item, work)
            finally:
                hold.release(user.id)
            try:
                await hold.written()
                await hold.finish()
            except VaultError as error:
                raise VaultError(f"{verb} was carried out at Clio, but could not be noted. {error.args[0]}") from None
            return made

    async def take_over(self, user: User, made: Collection[CustomAction]) -> None:
        """Note as ours what a session made before it was one of this firm."""
        if not made:
            return
        owned = [Owned(user.id, one.id, "", "", ActionFields.of(one), one.created_at) for one in made]
        with holding(self._ledger, self._app, await self._account_id()) as hold:
            if not await hold.take(user.id):
                raise RunInProgress(BUSY)
            await hold.adopt(user.id, None, owned)
            hold.release(user.id)
            await hold.written()


async def _noted(hold: Hold, verb: str, item: Item, work: Callable[[], Awaitable[T]]) -> T:
    number = await hold.begin(NewRun(hold.owner, "", verb), [item])
    with hold.fenced(number, item.user_id) as fence:
        try:
            action = await work()
        except ClioError as error:
            hold.ended(number, item.user_id, _outcome(error, sent=fence.passed), str(error.args[0]))
            raise
    hold.ended(number, item.user_id, Outcome.DONE, "", item, action)
    return action


def _outcome(error: ClioError, *, sent: bool) -> Outcome:
    """Say what an error means for a write: whether it may have been made."""
    if not sent:
        return Outcome.NOT_SENT
    lost = isinstance(error, NetworkError | ServerError | UnexpectedAnswer | RunInProgress | VaultError)
    return Outcome.UNKNOWN if lost else Outcome.FAILED
