"""Make the plans of a firm: read its users, then compare them with a manifest or with the journal."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ..database.firm_key import FirmKey
from ..errors import InvalidInput, ManifestError
from ..models import Site
from .apply.journal import Journal
from .coverage import Coverage, coverage_of
from .item import Item, Kind, Outcome
from .manifest import Manifest, read_manifest
from .plan.compare import Comparison
from .plan.drift import drift_items
from .plan.plan import Plan
from .plan.undo import offboard_items, undo_items
from .survey import FirmUsers, Survey, Users

UNDO = "undo of "
OFFBOARD = "offboarding"
Source = Manifest | Path | str


@dataclass(frozen=True, slots=True)
class Planner:
    """One firm's plans. :class:`clio_nb.aio.Firm` describes its verbs."""

    site: Site
    firm_key: FirmKey
    survey: Survey
    journal: Journal

    async def plan(self, manifest: Source, *, profile: str | None, allow_delete: bool, users: Users = None) -> Plan:
        """Compare a manifest with what every user has."""
        wanted = self._read(manifest, profile)
        firm_users = await self.survey.users()
        comparison = Comparison(wanted, self.journal.ledger(), profile=profile, allow_delete=allow_delete)
        items: list[Item] = []
        async for state in self.survey.states(firm_users, firm_users.ids(users)):
            items += comparison.items_of(state)
        return self._plan(
            wanted.app.name, items, firm_users, manifest=wanted, profile=profile, allow_delete=allow_delete
        )

    async def undo(self, run: str) -> Plan:
        """Plan to undo a run."""
        app = self.journal.run(run).app
        entries = self.journal.entries(run)
        firm_users = await self.survey.users()
        states = [each async for each in self.survey.states(firm_users, {entry.user_id for entry in entries})]
        items = undo_items(entries, states, self.journal.ledger())
        return self._plan(app, items, firm_users, purpose=f"{UNDO}{run}")

    async def offboard(self, users: Users, manifest: Source | None) -> Plan:
        """Plan to remove all that is ours from these users."""
        wanted = None if manifest is None else self._read(manifest, None)
        firm_users = await self.survey.users()
        states = [each async for each in self.survey.states(firm_users, firm_users.ids(users))]
        items = offboard_items(states, self.journal.ledger(), wanted)
        app = wanted.app.name if wanted else ""
        return self._plan(app, items, firm_users, purpose=OFFBOARD, manifest=wanted, allow_delete=True)

    async def resume(self) -> Plan:
        """Plan what the last interrupted run had not done."""
        run = next((run for run in reversed(self.journal.runs()) if run.finished is None), None)
        if run is None:
            raise InvalidInput("No run of this firm was interrupted. Plan and apply instead.", field="run")
        left = {entry.user_id for entry in self.journal.entries(run.run) if entry.outcome != Outcome.DONE}
        if run.purpose.startswith(UNDO):
            plan = await self.undo(run.purpose.removeprefix(UNDO))
        elif run.purpose == OFFBOARD or run.manifest is None:
            plan = await self.offboard(left, run.manifest)
        else:
            plan = await self.plan(run.manifest, profile=run.profile, allow_delete=run.allow_delete, users=left)
        return msgspec.structs.replace(plan, run=run.run)

    async def coverage(self, manifest: Source | None, profile: str | None) -> list[Coverage]:
        """Return what each user sees, compared with a manifest or with the journal."""
        wanted = None if manifest is None else self._read(manifest, profile)
        states = await self.survey.all_states()
        if wanted is None:
            return coverage_of(states, drift_items(states, self.journal.ledger()))
        comparison = Comparison(wanted, self.journal.ledger(), profile=profile)
        return coverage_of(states, [item for state in states for item in comparison.items_of(state)])

    async def drift(self, manifest: Source | None, profile: str | None) -> list[Item]:
        """Return the items that are not as a manifest or the journal says."""
        if manifest is not None:
            items: Iterable[Item] = (await self.plan(manifest, profile=profile, allow_delete=False)).items
        else:
            items = drift_items(await self.survey.all_states(), self.journal.ledger())
        return [item for item in items if item.kind not in (Kind.OK, Kind.FOREIGN)]

    def _read(self, manifest: Source, profile: str | None) -> Manifest:
        wanted = read_manifest(manifest)
        wanted.check_profile(profile)
        if wanted.app.region is not None and wanted.app.region is not self.site.region:
            raise ManifestError(
                f"app.region: the manifest is for {wanted.app.region.value}, but this app is in "
                f"{self.site.region.value}. Change app.region, or connect to the other region."
            )
        return wanted

    def _plan(
        self,
        app: str,
        items: Iterable[Item],
        firm_users: FirmUsers,
        *,
        purpose: str = "plan",
        manifest: Manifest | None = None,
        profile: str | None = None,
        allow_delete: bool = False,
    ) -> Plan:
        findings = manifest.notes(profile) if manifest is not None and purpose != OFFBOARD else []
        return Plan(
            site=self.firm_key.site,
            client_id=self.firm_key.client_id,
            firm=self.firm_key.firm,
            app=app,
            purpose=purpose,
            profile=profile,
            allow_delete=allow_delete,
            made_at=dt.datetime.now(dt.UTC),
            manifest=manifest,
            items=tuple(items),
            notes=tuple(filter(None, [firm_users.note, *_unknown_users(manifest, firm_users), *findings])),
        )


def _unknown_users(manifest: Manifest | None, firm_users: FirmUsers) -> list[str]:
    """Name the users of a manifest who are not in this firm."""
    actions = manifest.actions if manifest is not None else ()
    named = {name: action.key for action in actions for name in (*action.who.users, *action.who.exclude)}
    return [
        f"Action {key!r} names {name!r}, who is not a user of this firm."
        for name, key in named.items()
        if firm_users.find(name) is None
    ]
