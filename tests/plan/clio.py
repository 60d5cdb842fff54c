"""One user's actions as Clio keeps them, for plans without a network: each label once in a location."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import msgspec

from clio_nb.firm._state import Access, UserState
from clio_nb.firm.item import Item, Kind
from clio_nb.firm.manifest import Action, AppOf, Manifest
from clio_nb.firm.plan.compare import Comparison
from clio_nb.ledger.records import ActionFields, Known, Lost, Owned
from clio_nb.models import CustomAction, User

NOON = dt.datetime(2026, 1, 15, 17, tzinfo=dt.UTC)
ANNA = User(id=1, name="Anna Demo", email="anna@firm.example", roles=("Admin",), subscription_type="Attorney")


def fields(label: str, target: str = "https://p.example/a", place: str = "matters/show") -> ActionFields:
    return ActionFields(label, target, place)


def action(id: int, label: str, target: str = "https://p.example/a", place: str = "matters/show") -> CustomAction:
    return CustomAction(id=id, etag='"1"', label=label, target_url=target, ui_reference=place, created_at=NOON)


def manifest(*actions: Action, profiles: dict[str, dict[str, str]] | None = None) -> Manifest:
    return Manifest(app=AppOf(name="partner"), actions=actions, profiles=profiles or {})


def owned(action_id: int, seen: ActionFields, key: str = "sign", app: str = "partner") -> Owned:
    return Owned(ANNA.id, action_id, app, key, seen, NOON)


def plan(
    wanted: Manifest,
    actions: Iterable[CustomAction] = (),
    ours: Iterable[Owned] = (),
    lost: Iterable[Lost] = (),
    access: Access = Access.SIGNED_IN,
    **options: object,
) -> list[Item]:
    state = UserState(ANNA, access, tuple(actions))
    return list(Comparison(wanted, Known(ours, lost), **options).items_of(state))  # type: ignore[arg-type]


def kinds(lines: list[Item]) -> dict[int | None, Kind]:
    return {line.action_id: line.kind for line in lines}


class PretendClio:
    """Applies a plan's lines in their order, strictly, and keeps a ledger as the real one does."""

    def __init__(self, actions: Iterable[CustomAction], owned: Iterable[Owned] = (), app: str = "partner") -> None:
        self.app = app
        self.actions = {each.id: each for each in actions}
        self.owned = {each.action_id: each for each in owned}
        self._next = max([0, *self.actions, *self.owned]) + 1

    def state(self, user: User = ANNA) -> UserState:
        return UserState(user, actions=tuple(self.actions.values()))

    def known(self) -> Known:
        return Known(self.owned.values())

    def apply(self, items: Iterable[Item]) -> None:
        for item in items:
            if item.kind is Kind.DELETE:
                assert item.action_id is not None
                del self.actions[item.action_id]
                self.owned.pop(item.action_id, None)
            elif item.kind is Kind.CREATE:
                assert item.after is not None
                self._keep(item, CustomAction(id=self._next, created_at=NOON, **msgspec.structs.asdict(item.after)))
                self._next += 1
            elif item.kind is Kind.UPDATE:
                assert item.action_id is not None
                assert item.after is not None
                now = self.actions[item.action_id]
                assert ActionFields.of(now) == item.before
                self._keep(item, msgspec.structs.replace(now, **msgspec.structs.asdict(item.after)))
            elif item.kind is Kind.OK:
                assert item.action_id is not None
                self._own(item, self.actions[item.action_id])

    def _keep(self, item: Item, new: CustomAction) -> None:
        taken = {ActionFields.of(other).slot for other in self.actions.values() if other.id != new.id}
        assert ActionFields.of(new).slot not in taken, "Clio would answer 422: that label is there already"
        self.actions[new.id] = new
        self._own(item, new)

    def _own(self, item: Item, now: CustomAction) -> None:
        self.owned[now.id] = Owned(item.user_id, now.id, self.app, item.key, ActionFields.of(now), now.created_at)
