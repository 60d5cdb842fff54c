"""P2, P3: users come, go and change things by hand, two machines do whatever they may: nothing is lost or made twice.

A model: hypothesis chooses what happens next, and after every step looks at Clio and at the ledger.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import itertools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from clio_nb.database import schema
from clio_nb.database.database import Database
from clio_nb.errors import ClioError, InvalidInput
from clio_nb.firm import Firm
from clio_nb.firm.apply import _hold, _user_run
from clio_nb.firm.manifest import parse_manifest
from clio_nb.firm.plan.plan import Plan
from clio_nb.http import loop, timeouts
from clio_nb.ledger.records import ActionFields, Kind
from clio_nb.login import login
from clio_nb.sandbox import Sandbox
from clio_nb.vault import Vault
from clio_nb.vault.keys import passing_keys

from .test_kill import Killed, Killer


def action(key: str, label: str, at: str) -> str:
    return (
        f'[[actions]]\nkey = "{key}"\nlabel = "{label}"\ntarget_url = "https://p.example/{key}"\nlocations = ["{at}"]\n'
    )


HEAD = '[app]\nname = "partner"\n\n'
MANIFESTS = [
    parse_manifest(HEAD + "\n".join(actions))
    for actions in (
        [action("sign", "Sign", "matters"), action("view", "View", "folders")],
        [action("sign", "Sign now", "matters"), action("send", "Send", "contacts")],
        [action("sign", "Sign", "matters"), action("view", "Look", "folders"), action("send", "Send", "contacts")],
    )
]
THEIRS = "https://theirs.example/"
machines = st.sampled_from([0, 1])
people = st.integers(0, 2)
manifests = st.sampled_from(MANIFESTS)


class Model(RuleBasedStateMachine):
    """Two machines, three users, and what they do one after the other or at once."""

    plans = Bundle("plans")

    def __init__(self, site: Sandbox) -> None:
        super().__init__()
        site.reset()
        self.site = site
        self._folder = tempfile.TemporaryDirectory()
        self._keys = passing_keys()
        self._numbers = itertools.count()
        self._theirs: dict[int, tuple[str, str]] = {}  # what others made, by its id
        self._by_hand: set[int] = set()  # of ours, what was renamed
        self._patches = pytest.MonkeyPatch()
        self._patches.setattr(timeouts, "sleep", self._wait)
        self._patches.setattr(timeouts, "now", site.now)
        self.firms = [self._machine(), self._machine()]
        for person in range(2):
            self.sign_in(0, person)

    def _machine(self) -> Firm:
        return Firm(self.site, Vault(Database(Path(self._folder.name) / "vault.sqlite"), self._keys))

    async def _wait(self, seconds: float) -> None:
        self.site.advance(seconds)
        await asyncio.sleep(0)

    def _user(self, person: int) -> int:
        return self.site.users[person].id

    def _leases_end(self, *of: sa.ColumnElement[bool]) -> None:
        with self.firms[0].vault.database.transaction(write=True) as database:
            database.execute(sa.update(schema.users).where(*of).values(lease_until=1.0))

    @rule(machine=machines, person=people)
    def sign_in(self, machine: int, person: int) -> None:
        with contextlib.suppress(ClioError):  # a user who is disabled
            self.firms[machine].add(login(self.site, self._user(person)))

    @rule(person=people)
    def disable(self, person: int) -> None:
        self.site.disable(self._user(person))

    @rule(person=people)
    def revoke(self, person: int) -> None:
        with contextlib.suppress(ClioError, LookupError, ValueError):  # one who never allowed it
            self.site.revoke(self._user(person))

    @rule(person=people, which=st.integers(0, 2))
    def rename_by_hand(self, person: int, which: int) -> None:
        state = self.site._state
        with state.lock:
            rows = [row for row in state.actions.of(self._user(person)).values() if row.id not in self._theirs]
            if rows:
                row = rows[which % len(rows)]
                state.actions.update(row, {"label": f"By hand {next(self._numbers)}"})
                self._by_hand.add(row.id)

    @rule(person=people)
    def others_make_theirs(self, person: int) -> None:
        state = self.site._state
        label = f"Theirs {next(self._numbers)}"
        with state.lock:
            data = {"label": label, "target_url": THEIRS, "ui_reference": "matters/show"}
            self._theirs[state.actions.create(self._user(person), data).id] = (label, THEIRS)

    @rule(target=plans, machine=machines, wanted=manifests, allow_delete=st.booleans())
    def plan(self, machine: int, wanted: Any, allow_delete: bool) -> Plan:
        return self.firms[machine].plan(wanted, allow_delete=allow_delete)

    @rule(target=plans, machine=machines)
    def plan_offboard(self, machine: int) -> Plan:
        return self.firms[machine].plan_offboard()

    @rule(target=plans, machine=machines, which=st.integers(0, 3))
    def plan_undo(self, machine: int, which: int) -> Plan:
        runs = self.firms[machine].runs()["run"].tolist()
        return (
            self.firms[machine].plan_undo(runs[-1 - which % len(runs)]) if runs else self.firms[machine].plan_offboard()
        )

    @rule(machine=machines, plan=plans)
    def apply(self, machine: int, plan: Plan) -> None:
        self.firms[machine].apply(plan, progress=False)

    @rule(machine=machines, wanted=manifests)
    def plan_and_apply(self, machine: int, wanted: Any) -> None:
        self.apply(machine, self.plan(machine, wanted, allow_delete=True))

    @rule(machine=machines, person=people, wanted=manifests)
    def equip(self, machine: int, person: int, wanted: Any) -> None:
        with contextlib.suppress(ClioError):  # one who has no access
            self.firms[machine].equip(self._user(person), wanted)

    @rule(one=plans, other=plans)
    def both_apply_at_once(self, one: Plan, other: Plan) -> None:
        async def at_once() -> None:
            await asyncio.gather(*(firm.aio.apply(plan) for firm, plan in zip(self.firms, (one, other), strict=True)))

        loop.run(at_once)

    @rule(machine=machines, plan=plans, wanted=manifests)
    def apply_and_sleep_past_a_lease(self, machine: int, plan: Plan, wanted: Any) -> None:
        """The machine is suspended between a lease and a note; meanwhile the other one changes that user."""
        firm, other = self.firms[machine], self.firms[1 - machine]
        session_of, sleeping = firm.aio._survey.session_of, dict[int, asyncio.Task[None]]()

        async def meanwhile(user_id: int) -> None:
            self._leases_end(schema.users.c.user_id == user_id)
            with contextlib.suppress(InvalidInput):  # nobody whom the firm knows
                await other.aio.apply(await other.aio.plan(wanted, users=[user_id]))

        async def sleepy(user_id: int, *grant: Any) -> Any:
            if not sleeping:
                sleeping[user_id] = asyncio.create_task(meanwhile(user_id), context=contextvars.Context())
            if user_id in sleeping:
                await sleeping[user_id]
            return await session_of(user_id, *grant)

        with pytest.MonkeyPatch.context() as patches:
            patches.setattr(firm.aio._survey, "session_of", sleepy)
            firm.apply(plan, progress=False)

    @rule(machine=machines, plan=plans, through=st.integers(0, 6), after=st.booleans(), resume=st.booleans())
    def crash(self, machine: int, plan: Plan, through: int, after: bool, resume: bool) -> None:
        with pytest.MonkeyPatch.context() as killing, contextlib.suppress(Killed):
            Killer(killing, through, after=after)
            self.firms[machine].apply(plan, progress=False)
        self._leases_end(schema.users.c.lease_owner != "")
        self.firms[machine].vault.close()
        self.firms[machine] = self._machine()
        if resume:
            with contextlib.suppress(InvalidInput):  # it had come to its end
                self.firms[machine].resume(progress=False)

    def _there(self) -> list[tuple[int, int, ActionFields]]:
        """Return user, id and fields of all actions at Clio."""
        with self.site._state.lock:
            return [
                (row.owner, row.id, ActionFields(row.data["label"], row.data["target_url"], row.data["ui_reference"]))
                for row in self.site._state.actions.every()
            ]

    @invariant()
    def no_second_button_of_one_key(self) -> None:
        targets = [(owner, fields.target_url) for owner, _, fields in self._there() if fields.target_url != THEIRS]
        assert sorted(targets) == sorted(set(targets))

    @invariant()
    def nothing_of_others_is_touched(self) -> None:
        there = {number: (fields.label, fields.target_url) for _, number, fields in self._there()}
        assert {number: there.get(number) for number in self._theirs} == self._theirs

    @invariant()
    def the_ledger_and_clio_agree(self) -> None:
        ledger, app = self.firms[0].vault.ledger, self.firms[0].aio._firm_key.app
        account = ledger.firm_id(self.firms[0].aio._firm_key) or 0
        known = ledger.known(app, account)
        maybe = [each for each in ledger.entries(app, account) if each.outcome in ("sent", "unknown")]
        there = {number: fields for _, number, fields in self._there()}
        for owner, number, fields in self._there():
            record = known.of(owner)
            if number in self._theirs:
                assert number not in record.owned
            elif number in record.owned:
                unsure = self._by_hand | {each.action_id for each in maybe if each.kind is not Kind.CREATE}
                assert number in unsure or record.owned[number].fields == fields
            else:
                assert number in self._by_hand or fields in record.lost
        deletes = {each.action_id for each in maybe if each.kind is Kind.DELETE}
        for user in self.site.users:
            owned = known.of(user.id).owned
            assert {number for number in owned if number not in there} <= deletes

    def teardown(self) -> None:
        """In the end a plan is carried out, and the next one finds nothing to do."""
        try:
            here, there = self.firms
            self.sign_in(0, 2)
            for _ in range(2):  # the first may find what a killed run has left
                here.apply(here.plan(MANIFESTS[0], allow_delete=True), progress=False)
            assert there.plan(MANIFESTS[0], allow_delete=True).changes == ()
            drift = there.drift()
            assert drift[drift["kind"] != "blocked"].empty
        finally:
            self.close()

    def close(self) -> None:
        self._patches.undo()
        for firm in self.firms:
            firm.vault.close()
        self._folder.cleanup()


@pytest.fixture(scope="module")
def site() -> Iterator[Sandbox]:
    with Sandbox(users=3, rate_limit=None) as site:
        yield site


def explore(site: Sandbox, examples: int, number: int | None = None, **options: Any) -> None:
    """Let hypothesis look for a fault: always the same way, or from a seed."""

    def model() -> Model:
        return Model(site)

    found: Any = model if number is None else seed(number)(model)
    run_state_machine_as_test(
        found,
        settings=settings(
            max_examples=examples,
            stateful_step_count=12,
            deadline=None,
            database=None,
            derandomize=number is None,
            suppress_health_check=list(HealthCheck),
            **options,
        ),
    )


def test_p3_whatever_users_and_two_machines_do_nothing_is_made_twice_lost_or_taken_from_others(site: Sandbox) -> None:
    explore(site, 10)


@pytest.mark.long
@pytest.mark.parametrize("number", range(12))
def test_p3_whatever_users_and_two_machines_do_from_many_seeds(site: Sandbox, number: int) -> None:
    explore(site, 40, number)


async def _unheeded(self: _hold.Fence) -> None:
    await self._note()
    self.passed = True


BUGS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "no fence": lambda patches: patches.setattr(_hold.Fence, "__call__", _unheeded),
    "no reading again after the lease": lambda patches: patches.setattr(_user_run, "is_stale", lambda *_: False),
}


def asleep(model: Model) -> None:
    model.apply_and_sleep_past_a_lease(0, model.plan(0, MANIFESTS[0], allow_delete=False), MANIFESTS[1])


def stale(model: Model) -> None:
    plan = model.plan(0, MANIFESTS[0], allow_delete=False)
    model.plan_and_apply(1, MANIFESTS[1])
    model.apply(0, plan)


@pytest.mark.parametrize(("bug", "steps"), list(zip(BUGS, (asleep, stale), strict=True)))
def test_the_model_sees_what_a_deliberate_bug_does(
    site: Sandbox, monkeypatch: pytest.MonkeyPatch, bug: str, steps: Callable[[Model], None]
) -> None:
    for broken in (False, True):
        model = Model(site)
        if broken:
            BUGS[bug](monkeypatch)
        steps(model)
        with pytest.raises(AssertionError) if broken else contextlib.nullcontext():
            model.no_second_button_of_one_key()
        model.close()


@pytest.mark.long
@pytest.mark.parametrize("bug", BUGS)
def test_the_model_finds_a_deliberate_bug(site: Sandbox, monkeypatch: pytest.MonkeyPatch, bug: str) -> None:
    BUGS[bug](monkeypatch)
    with pytest.raises(AssertionError):
        explore(site, 300, phases=[Phase.generate])
