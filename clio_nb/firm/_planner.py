"""Make the plans of a firm: read its users, then compare them with a manifest or with the ledger."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import SupportsIndex

import msgspec

from ..errors import InvalidInput, ManifestError, NeedsLogin, RunInProgress
from ..http import timeouts
from ..http.client import whole
from ..ledger._statements import LEASE
from ..ledger.ledger import Ledger
from ..ledger.records import Kind, Known, Outcome, Run, UserRecord
from ..models import Site, User
from ..session import AsyncSession
from ._state import Access, UserState
from .apply._hold import POLL
from .coverage import Coverage, coverage_of
from .item import NOT_IN_LEDGER, WITHOUT_MANIFEST, WRITES, Item
from .manifest import Manifest, parse_manifest, read_manifest
from .plan.compare import Comparison
from .plan.drift import drift_items
from .plan.plan import OFFBOARD, UNDO, Plan
from .plan.undo import offboard_items, undo_items
from .survey import FirmUsers, Survey, Users, several

EQUIP = "equip"
Source = Manifest | Path | str


@dataclass(frozen=True, slots=True)
class Planner:
    """One firm's plans. :class:`clio_nb.aio.Firm` describes its verbs."""

    site: Site
    survey: Survey
    ledger: Ledger

    async def plan(self, manifest: Source, *, profile: str | None, allow_delete: bool, users: Users = None) -> Plan:
        """Compare a manifest with what every user has."""
        wanted, users = self.read(manifest, profile), several(users)
        known = await self._known(users)
        comparison = Comparison(wanted, known, profile=profile, allow_delete=allow_delete)
        firm_users, states = await self.survey.read(users, in_full=wanted.asks_for_roles)
        self._somebody(firm_users)
        items: list[Item] = []
        gone: list[tuple[int, int]] = []
        somebody = False
        async for state in states:
            somebody |= state.access is Access.SIGNED_IN
            items += comparison.items_of(_judged(state, known))
            gone += _gone(state, known)
        made = await self._plan(
            wanted.app.name, items, firm_users, known, gone, manifest=wanted, profile=profile, allow_delete=allow_delete
        )
        return made if somebody else msgspec.structs.replace(made, nobody_read=True)

    async def undo(self, run: str, users: Collection[int] | None = None) -> Plan:
        """Plan to undo a run, of all of its users or of these."""
        found = await self.run(run)
        entries = await asyncio.to_thread(self.ledger.entries, self.survey.app, await self.survey.account_id(), run)
        of_them = [entry for entry in entries if users is None or entry.user_id in users]
        whose = dict.fromkeys(entry.user_id for entry in of_them)  # in the order of the run
        known = await self._known(whose)
        firm_users, states = await self.survey.read(whose, strict=False)
        read = [_judged(each, known) async for each in states]
        items = undo_items(of_them, read, known)
        gone = [each for state in read for each in _gone(state, known)]
        return await self._plan(found.app, items, firm_users, known, gone, purpose=f"{UNDO}{run}")

    async def offboard(self, users: Users, manifest: Source | None) -> Plan:
        """Plan to remove all that is ours from these users."""
        wanted, users = None if manifest is None else self.read(manifest, None), several(users)
        known = await self._known(users)
        firm_users, reading = await self.survey.read(users, known=known.user_ids)
        with_access = set(firm_users.grants) if users is None else firm_users.ids(users) or set()
        self._somebody(firm_users)
        states = [_judged(each, known) async for each in reading]
        items = offboard_items(states, known, wanted, with_access)
        app = wanted.app.name if wanted else ""
        gone = [each for state in states for each in _gone(state, known)]
        made = await self._plan(
            app, items, firm_users, known, gone, purpose=OFFBOARD, manifest=wanted, allow_delete=True
        )
        nobody = not any(state.access is Access.SIGNED_IN for state in states)
        return msgspec.structs.replace(made, nobody_read=nobody)

    def _somebody(self, firm_users: FirmUsers) -> None:
        """Raise :class:`NeedsLogin` where nobody is known: a plan of nothing would look as if all were right."""
        if not firm_users.people:
            raise NeedsLogin(
                "Nobody of this firm has signed in yet, so nothing is known of it: sign its users in first."
            )

    async def for_one(self, session: AsyncSession, user: User, manifest: Manifest, profile: str | None) -> Plan:
        """Plan for the user of a session: the list is read, and who it is only where roles count and are unknown."""
        known = await self._known([user.id])
        if manifest.asks_for_roles and user.roles is None:
            user = await session.who_am_i()
        state = _judged(UserState(user, actions=tuple(whole(await session.list_actions()))), known)
        items = Comparison(manifest, known, profile=profile).items_of(state)
        alone = FirmUsers(((user, state.access),), {}, everyone=False)
        return await self._plan(
            manifest.app.name,
            items,
            alone,
            known,
            _gone(state, known),
            purpose=EQUIP,
            manifest=manifest,
            profile=profile,
        )

    async def again(self, plan: Plan, user_id: int) -> Plan:
        """Return the plan of one user as it would be if it were made now."""
        if plan.purpose.startswith(UNDO):
            made = await self.undo(plan.purpose.removeprefix(UNDO), {user_id})
        elif plan.purpose == OFFBOARD:
            made = await self.offboard([user_id], plan.manifest)
        elif plan.manifest is None:
            return msgspec.structs.replace(plan, items=())
        else:
            made = await self.plan(plan.manifest, profile=plan.profile, allow_delete=plan.allow_delete, users=[user_id])
        return made

    async def resume(self) -> Plan:
        """Plan what the last interrupted run had not done."""
        account_id = await self.survey.account_id()
        runs = await asyncio.to_thread(self.ledger.runs, self.survey.app, account_id)
        run = next((run for run in reversed(runs) if run.finished is None and _can_be_resumed(run)), None)
        if run is None:
            raise InvalidInput("No run of this firm was interrupted. Plan and apply instead.", field="run")
        entries = await asyncio.to_thread(self.ledger.entries, self.survey.app, account_id, run.run)
        left = {entry.user_id for entry in entries if entry.outcome != Outcome.DONE}
        await self._wait_for(run, left)
        manifest = None if run.manifest is None else parse_manifest(run.manifest)
        if run.purpose.startswith(UNDO):
            plan = await self.undo(run.purpose.removeprefix(UNDO))
        elif run.purpose == OFFBOARD or manifest is None:
            plan = await self.offboard(left, manifest)
        else:
            plan = await self.plan(manifest, profile=run.profile, allow_delete=run.allow_delete, users=left)
        return msgspec.structs.replace(plan, run=run.run)

    async def _wait_for(self, run: Run, users: Collection[int]) -> None:
        """Wait for the leases that a run has left behind. Those of one that goes on do not end."""
        until = timeouts.now() + min(LEASE, timeouts.left())
        while await asyncio.to_thread(self.ledger.is_held, self.survey.app, users):
            if timeouts.now() >= until:
                raise RunInProgress(f"Run {run.run} is still changing this firm. Wait until it has ended.")
            await timeouts.sleep(POLL)

    async def coverage(self, manifest: Source | None, profile: str | None) -> list[Coverage]:
        """Return what each user sees, compared with a manifest or with the ledger."""
        wanted = None if manifest is None else self.read(manifest, profile)
        known = await self._known(None)
        states = [_judged(state, known) for state in await self.survey.all_states(known.user_ids)]
        if wanted is None:
            return coverage_of(states, drift_items(states, known))
        comparison = Comparison(wanted, known, profile=profile)
        return coverage_of(states, [item for state in states for item in comparison.items_of(state)])

    async def drift(self, manifest: Source | None, profile: str | None) -> list[Item]:
        """Return the items that are not as a manifest or the ledger says, and those of which nobody can say it."""
        if manifest is not None:
            items: Iterable[Item] = (await self.plan(manifest, profile=profile, allow_delete=False)).items
        else:
            known = await self._known(None)
            states = await self.survey.all_states(known.user_ids)
            items = drift_items([_judged(state, known) for state in states], known)
        return [item for item in items if item.kind not in (Kind.OK, Kind.FOREIGN) or item.reason == NOT_IN_LEDGER]

    async def run(self, name: str) -> Run:
        """Return one run. Raises :class:`InvalidInput` when the ledger has no such run of this firm."""
        return await asyncio.to_thread(self.ledger.run, self.survey.app, await self.survey.account_id(), name)

    def read(self, manifest: Source, profile: str | None) -> Manifest:
        """Read a manifest, and make sure that it is one for here."""
        wanted = read_manifest(manifest)
        wanted.check_profile(profile)
        if wanted.app.region is not None and wanted.app.region is not self.site.region:
            raise ManifestError(
                f"app.region: the manifest is for {wanted.app.region.value}, but this app is in "
                f"{self.site.region.value}. Change app.region, or connect to the other region."
            )
        return wanted

    async def _known(self, users: Collection[SupportsIndex | str] | None) -> Known:
        """Return what the ledger knows: before the users are read, so that what is written meanwhile is noticed."""
        ids = None if users is None else [each for each in users if isinstance(each, int) and abs(each) < 2**63]
        if ids is not None and len(ids) < len(users or ()):
            ids = None  # some are known by their addresses only
        return await asyncio.to_thread(self.ledger.known, self.survey.app, await self.survey.account_id(), ids)

    async def _plan(
        self,
        app: str,
        items: Iterable[Item],
        firm_users: FirmUsers,
        known: Known,
        gone: list[tuple[int, int]],
        *,
        purpose: str = "plan",
        manifest: Manifest | None = None,
        profile: str | None = None,
        allow_delete: bool = False,
    ) -> Plan:
        items = tuple(items)
        findings = manifest.notes(profile) if manifest is not None and purpose != OFFBOARD else []
        read = {item.user_id for item in items} | {user_id for user_id, _ in gone}
        records = {user_id: known.of(user_id) for user_id in read}
        changed = {item.user_id for item in items if item.kind in (*WRITES, Kind.BLOCKED)}
        open_still = {user for user, record in records.items() if record.lost} | {user_id for user_id, _ in gone}
        open_still |= {item.user_id for item in items if _is_news(item, records[item.user_id])}
        said = [firm_users.note, *known.notes, *_unknown_users(manifest, firm_users), *findings]
        return Plan(
            site=self.survey.app.site,
            client_id=self.survey.app.client_id,
            account_id=await self.survey.account_id(),
            app=app,
            purpose=purpose,
            profile=profile,
            allow_delete=allow_delete,
            made_at=dt.datetime.now(dt.UTC),
            manifest=manifest,
            items=items,
            notes=tuple(filter(None, [*said, *_left_standing(items, purpose)])),
            writes={user_id: record.writes for user_id, record in records.items() if record.writes},
            gone=tuple(gone),
            unsettled=tuple(sorted(open_still - changed)),
        )


def _can_be_resumed(run: Run) -> bool:
    return run.manifest is not None or run.purpose == OFFBOARD or run.purpose.startswith(UNDO)


def _judged(state: UserState, known: Known) -> UserState:
    """Return a user as one who cannot be read where the ledger is damaged: half of it is no ground to plan."""
    problem = known.of(state.user.id).problem
    return replace(state, access=Access.LEDGER_DAMAGED, detail=problem) if problem else state


def _is_news(item: Item, record: UserRecord) -> bool:
    """Whether the ledger does not know yet what was found to be as wanted, such as after an answer that was lost."""
    if item.kind is not Kind.OK or not item.key or item.action_id is None:
        return False
    one = record.owned.get(item.action_id)
    return one is None or (one.key, one.fields) != (item.key, item.before)


def _gone(state: UserState, known: Known) -> list[tuple[int, int]]:
    """Return what the ledger knows of a user, and Clio has no more."""
    if state.access is not Access.SIGNED_IN:
        return []
    there = {action.id for action in state.actions}
    return [(state.user.id, action_id) for action_id in known.of(state.user.id).owned if action_id not in there]


def _left_standing(items: Iterable[Item], purpose: str) -> list[str]:
    """Say what a plan leaves alone that is this app's."""
    reasons = [item.reason for item in items if item.kind in (Kind.FOREIGN, Kind.DELETE)]
    unknown, apart = reasons.count(NOT_IN_LEDGER), reasons.count(WITHOUT_MANIFEST)
    said = []
    if unknown:
        said.append(
            f"{unknown} actions of this app are not in the ledger and stay. If a manifest made them, pass it "
            "(manifest=..., in a terminal --manifest)."
        )
    if apart and purpose == OFFBOARD:
        said.append(f"{apart} of these actions were made without a manifest.")
    return said


def _unknown_users(manifest: Manifest | None, firm_users: FirmUsers) -> list[str]:
    """Name the users of a manifest who are not in this firm."""
    actions = manifest.actions if manifest is not None and firm_users.everyone else ()
    named = {name: action.key for action in actions for name in (*action.who.users, *action.who.exclude)}
    return [
        f"Action {key!r} names {name!r}, who is not a user of this firm."
        for name, key in named.items()
        if firm_users.find(name) is None
    ]
