"""The verbs over a whole firm, to be awaited: read every user, plan, apply, undo, and tell about it in records."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import TypeAlias

import msgspec
import platformdirs

from ..arguments import a_site, session_of_kind, sessions_of_kind
from ..errors import InvalidInput, ManifestError, NeedsLogin
from ..frames import verbs
from ..http.twins import awaited, on_loop
from ..http.waiting import checked_timeout
from ..login import login
from ..models import CustomAction, Site, Token, User
from ..session import AsyncSession, Session
from ..vault import Vault
from ..vault._grants import DAMAGED, Grant
from ..vault.vault import FIRM, shelf_of
from ._state import Access, UserState
from .apply.apply import Line, Result, Stop, apply
from .apply.journal import Journal, Run, Step
from .coverage import Coverage, coverage_of
from .export import manifest_of
from .item import Item, Kind, Outcome
from .manifest import Manifest, read_manifest
from .plan.compare import Comparison, items
from .plan.drift import drift_items
from .plan.plan import Plan
from .plan.undo import offboard_items, undo_items
from .survey import Roll, Survey

Users: TypeAlias = Collection[int | str] | int | str | None
"""Users by id or e-mail address: one, several, or None for everyone."""

Progress: TypeAlias = bool | Callable[[Line], object]
"""True shows a bar while one waits, and nothing where it is awaited; a function hears of each line as it ends."""

UNDO = "undo of "
OFFBOARD = "offboarding"


def journal_path(site: Site, name: str = FIRM) -> Path:
    """Return where the journal of a firm lies by default: in this user's data folder, one file a firm and app."""
    whose = hashlib.sha256("\n".join(shelf_of(site, name)).encode()).hexdigest()[:12]
    return platformdirs.user_data_path("clio-nb") / f"journal-{whose}.sqlite"


@on_loop
async def actions_table(sessions: AsyncSession | Iterable[AsyncSession]) -> list[tuple[User, CustomAction]]:
    """Read the custom actions of one session, or of many at once: the rows of :func:`clio_nb.actions_table`.

    Args:
        sessions: A session, or several.

    Returns:
        Each action with its user.
    """
    several = sessions_of_kind(sessions, AsyncSession, "actions_table")
    lists = await asyncio.gather(*(_read(session) for session in several))
    return [(user, action) for user, actions in lists for action in actions]


async def _read(session: AsyncSession) -> tuple[User, list[CustomAction]]:
    return await session.the_user(), await session.list_actions()


@awaited
@verbs
class AsyncFirm:
    """Everyone of a firm who has signed in, for servers: the verbs of :class:`clio_nb.Firm`, awaited.

    Args:
        site: The app and Clio to talk to.
        vault: Where the tokens are, by default in memory.
        name: The firm's shelf in the vault, needed when one vault serves several.
        journal: A file that remembers what was written; by default in this user's data folder, or in memory when the
            vault is.
        timeout: Seconds that each verb may wait in all (:func:`clio_nb.timeout`), and each verb of its sessions.
    """

    def __init__(
        self,
        site: Site,
        vault: Vault | None = None,
        *,
        name: str = FIRM,
        journal: Path | str | None = None,
        timeout: float | None = None,
    ) -> None:
        self.site = a_site(site)
        self.timeout = checked_timeout(timeout)
        self.vault = vault or Vault()
        self.name = name
        self._shelf = shelf_of(site, name)
        if journal is None and self.vault.lasting:
            journal = journal_path(site, name)
        self._journal = Journal(None if journal is None else Path(journal), self._shelf)
        self._survey = Survey(site, self.vault, name, timeout)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} of app {self.site.client_id} at {self.site.origin}>"

    @on_loop
    async def add(self, session: Session | AsyncSession) -> User:
        """Keep a signed-in user's token in the vault.

        Args:
            session: The user's session, awaited or not.

        Returns:
            The user.

        Raises:
            errors.InvalidInput: The user is of another firm than those who are in it.

        Examples:
            >>> firm.add(clio.login(site)).name
            'Odalys Hartwell-Oyelaran'
        """
        session = session_of_kind(session.aio if isinstance(session, Session) else session, AsyncSession, "add")
        user = await session.the_user()
        await self._keep([(user, await session.token())])
        return user

    @on_loop
    async def sign_in_everyone(self) -> list[User]:
        """Sign in every enabled user of a sandbox, without a browser.

        Returns:
            The users.

        Raises:
            errors.InvalidInput: At Clio itself, where each user has to consent.

        Examples:
            >>> len(firm.sign_in_everyone())
            5
        """
        if self.site.control_url is None:
            raise InvalidInput(
                "Only a sandbox signs everyone in; at Clio each user signs in and is added.", field="site"
            )
        enabled = [user for user in await (await login.aio(self.site)).list_users() if user.enabled]
        sessions = await asyncio.gather(*(login.aio(self.site, user.id) for user in enabled))
        users = [session.user for session in sessions]
        await self._keep([(user, await session.token()) for user, session in zip(users, sessions, strict=True)])
        return users

    @on_loop
    async def session_of(self, user_id: int) -> AsyncSession:
        """Return the session of one user, for :func:`clio_nb.verify_launch` and for work of your own.

        Args:
            user_id: Clio's id of the user. The vault is asked, never Clio.

        Returns:
            The session.

        Raises:
            errors.NeedsLogin: There is no token of this user.

        Examples:
            >>> firm.session_of(site.users[0].id).user.name
            'Odalys Hartwell-Oyelaran'
        """
        return await self._survey.session_of(user_id)

    @on_loop
    async def users(self) -> list[tuple[User, Access]]:
        """Return the users of the firm, each with whether they have signed in.

        One request a page of 200 users. Who has a token and is not listed by Clio is listed all the same.
        """
        return list((await self._survey.roll()).people)

    @on_loop
    async def actions(self) -> list[tuple[User, CustomAction]]:
        """Return all actions of all users who can be read, each with its user."""
        states = await self._states(await self._survey.roll())
        return [(state.user, action) for state in states for action in state.actions]

    @on_loop
    async def coverage(
        self, manifest: Manifest | Path | str | None = None, *, profile: str | None = None
    ) -> list[Coverage]:
        """Return for each user what that user sees in each of the five places, and why not.

        With a manifest it is held against that; without one, against what was written last (the journal).
        """
        wanted = None if manifest is None else self._read(manifest, profile)
        states = await self._states(await self._survey.roll())
        ledger = self._journal.ledger()
        lines = drift_items(states, ledger) if wanted is None else items(wanted, states, ledger, profile=profile)
        return coverage_of(states, lines)

    @on_loop
    async def plan(
        self,
        manifest: Manifest | Path | str,
        *,
        profile: str | None = None,
        allow_delete: bool = False,
        users: Users = None,
    ) -> Plan:
        """Compare a manifest with what every user has, and return what would have to be done. Nothing is changed.

        Args:
            manifest: What every user should see, or the path of a file that says it. Each user's actions are read once.
            profile: Which target URLs of the manifest to use.
            allow_delete: Turn duplicates and orphans into deletes.
            users: Plan for these only: ids or e-mail addresses.

        Returns:
            The plan.

        Raises:
            errors.ManifestError: The manifest cannot be read.
            errors.InvalidInput: One of ``users`` is not in the firm.
            errors.NeedsLogin: Nobody's token can list the users.

        Examples:
            >>> firm.plan("actions.toml").counts()
            {'create': 5}
        """
        wanted = self._read(manifest, profile)
        roll = await self._survey.roll()
        comparison = Comparison(wanted, self._journal.ledger(), profile=profile, allow_delete=allow_delete)
        lines: list[Item] = []
        async for state in self._survey.states(roll, _ids(roll, users)):
            lines += comparison.lines(state)
        return self._plan(wanted.app.name, lines, roll, manifest=wanted, profile=profile, allow_delete=allow_delete)

    @on_loop
    async def plan_undo(self, run: str) -> Plan:
        """Return the plan that takes back what a run did. What somebody changed since is blocked.

        Args:
            run: The run: a :class:`Result` has it in ``run``, and :meth:`runs` lists all.

        Returns:
            The plan.

        Raises:
            errors.InvalidInput: There is no such run.

        Examples:
            >>> result = firm.apply(firm.plan("actions.toml"), progress=False)
            >>> firm.plan_undo(result.run).counts()
            {'delete': 5}
        """
        app = self._journal.run(run).app
        steps = self._journal.steps(run)
        roll = await self._survey.roll()
        states = await self._states(roll, {step.user_id for step in steps})
        return self._plan(app, list(undo_items(steps, states, self._journal.ledger())), roll, purpose=f"{UNDO}{run}")

    @on_loop
    async def plan_offboard(self, users: Users = None, *, manifest: Manifest | Path | str | None = None) -> Plan:
        """Return the plan that removes all that is ours from these users.

        Ours is what the journal knows. What has to be removed by hand, because the token is gone, is blocked.

        Args:
            users: Ids or e-mail addresses; everyone, if left out.
            manifest: Says what is ours where the journal is not at hand.

        Returns:
            The plan.

        Raises:
            errors.InvalidInput: One of ``users`` is not in the firm.
            errors.ManifestError: The manifest cannot be read.

        Examples:
            >>> result = firm.apply(firm.plan("actions.toml"), progress=False)
            >>> firm.plan_offboard(site.users[0].id).counts()
            {'delete': 1}
        """
        wanted = None if manifest is None else self._read(manifest, None)
        roll = await self._survey.roll()
        states = await self._states(roll, _ids(roll, users))
        lines = list(offboard_items(states, self._journal.ledger(), wanted))
        app = wanted.app.name if wanted else ""
        return self._plan(app, lines, roll, purpose=OFFBOARD, manifest=wanted, allow_delete=True)

    @on_loop
    async def plan_resume(self) -> Plan:
        """Return the plan that goes on with the last run that was interrupted: only for users whom it had not finished.

        Returns:
            The plan.

        Raises:
            errors.InvalidInput: No run was interrupted.

        Examples:
            >>> firm.plan_resume()
            Traceback (most recent call last):
            clio_nb.errors.InvalidInput: No run of this firm was interrupted. Plan and apply instead.
        """
        run = next((run for run in reversed(self._journal.runs()) if run.finished is None), None)
        if run is None:
            raise InvalidInput("No run of this firm was interrupted. Plan and apply instead.", field="run")
        left = {step.user_id for step in self._journal.steps(run.run) if step.outcome != Outcome.DONE}
        if run.purpose.startswith(UNDO):
            plan = await self.plan_undo(run.purpose.removeprefix(UNDO))
        elif run.purpose == OFFBOARD or run.manifest is None:
            plan = await self.plan_offboard(left, manifest=run.manifest)
        else:
            plan = await self.plan(run.manifest, profile=run.profile, allow_delete=run.allow_delete, users=left)
        return msgspec.structs.replace(plan, run=run.run)

    @on_loop
    async def apply(self, plan: Plan, *, progress: Progress = True, stop: Stop | None = None) -> Result:
        """Do exactly what the plan says. One user's failure stops nobody else; the result says who failed and why.

        Args:
            plan: What :meth:`plan` and its siblings return.
            progress: A function hears of each line as it ends; nothing else is shown where it is awaited.
            stop: Ends the run early, when it is asked to.

        Returns:
            What came of each line.

        Raises:
            errors.InvalidInput: The plan is of another firm.
            errors.InvalidAction: It has an action that :func:`clio_nb.lint` calls an error.
            errors.RunInProgress: Another run is changing this one.
        """
        if (plan.site, plan.client_id, plan.firm) != self._shelf:
            raise InvalidInput(f"This plan is for firm {plan.firm!r} at {plan.site}, not for this one.", field="plan")
        on_line = progress if callable(progress) else lambda _: None
        return await apply(plan, self._survey.session_of, self._journal, on_line=on_line, stop=stop)

    @on_loop
    async def undo(self, run: str, *, progress: Progress = True) -> Result:
        """Take back what a run did, except what somebody changed since: :meth:`plan_undo`, applied."""
        return await self.apply(await self.plan_undo(run), progress=progress)

    @on_loop
    async def offboard(
        self, users: Users = None, *, manifest: Manifest | Path | str | None = None, progress: Progress = True
    ) -> Result:
        """Remove all that is ours from these users, everyone by default: :meth:`plan_offboard`, applied.

        Look at that plan first: it counts the deletes, and lists what must be removed by hand.
        """
        return await self.apply(await self.plan_offboard(users, manifest=manifest), progress=progress)

    @on_loop
    async def resume(self, *, progress: Progress = True) -> Result:
        """Go on with the last run that was interrupted: :meth:`plan_resume`, applied."""
        return await self.apply(await self.plan_resume(), progress=progress)

    @on_loop
    async def drift(self, manifest: Manifest | Path | str | None = None, *, profile: str | None = None) -> list[Item]:
        """Return what is not as it should be, one line for each; empty when all is well.

        Without a manifest: what was changed by hand since it was written. With one: what a plan of it would change.
        Raises :class:`errors.NeedsLogin` when nobody has signed in: an empty answer would say that all is well.
        """
        if next(self.vault.grants(self.site, firm=self.name), None) is None:
            raise NeedsLogin(f"Nobody has signed in: {self.vault!r} holds no token of this firm. Sign users in first.")
        if manifest is not None:
            lines = (await self.plan(manifest, profile=profile)).items
        else:
            lines = tuple(drift_items(await self._states(await self._survey.roll()), self._journal.ledger()))
        return [line for line in lines if line.kind not in (Kind.OK, Kind.FOREIGN)]

    @on_loop
    async def audit(self, run: str | None = None) -> list[Step]:
        """Return who got which action when, in one run or in all."""
        return list(self._journal.steps(run and self._journal.run(run).run))

    @on_loop
    async def runs(self) -> list[Run]:
        """Return the runs that the journal knows, oldest first."""
        return list(self._journal.runs())

    @on_loop
    async def export(self, path: Path | str | None = None, *, app: str = "exported") -> Manifest:
        """Return the manifest that says what every user sees now.

        Args:
            path: Where to write it as TOML, too.
            app: The name of the app in it.

        Returns:
            The manifest.

        Examples:
            >>> action = clio.create_action(session, "Sign", "https://partner.example/launch", at="matters")
            >>> [wanted.label for wanted in firm.export("now.toml").actions]
            ['Sign']
        """
        region = self.site.region if self.site.control_url is None else None
        manifest = manifest_of(app, region, await self._states(await self._survey.roll()))
        if path is not None:
            await asyncio.to_thread(Path(path).write_text, manifest.to_toml(), encoding="utf-8")
        return manifest

    async def _keep(self, tokens: list[tuple[User, Token]]) -> None:
        """Keep tokens, after making sure that all are of one firm at Clio."""
        grants = self.vault.grants(self.site, firm=self.name)
        first = next((grant for grant in grants if grant.trouble != DAMAGED), None)
        users = [user for user, _ in tokens] if first is None else [first.user, *(user for user, _ in tokens)]
        accounts = {user.account.id: user.account.name for user in users if user.account is not None}
        if len(accounts) > 1:
            raise InvalidInput(
                f"These users belong to several firms: {', '.join(map(str, accounts.values()))}. "
                "Give each firm its own: Firm(site, vault, name=...).",
                field="session",
            )
        await asyncio.to_thread(self.vault.keep_all, [(self._shelf, Grant(user, token)) for user, token in tokens])

    async def _states(self, roll: Roll, only: Collection[int] | None = None) -> list[UserState]:
        return [state async for state in self._survey.states(roll, only)]

    def _read(self, manifest: Manifest | Path | str, profile: str | None) -> Manifest:
        wanted = read_manifest(manifest)
        wanted.check_profile(profile)
        if wanted.app.region is not None and wanted.app.region is not self.site.region:
            raise ManifestError(
                f"app.region: the manifest is for {wanted.app.region.value}, this app for {self.site.region.value}."
            )
        return wanted

    def _plan(
        self,
        app: str,
        lines: list[Item],
        roll: Roll,
        *,
        purpose: str = "plan",
        manifest: Manifest | None = None,
        profile: str | None = None,
        allow_delete: bool = False,
    ) -> Plan:
        findings = manifest.notes(profile) if manifest is not None and purpose != OFFBOARD else []
        return Plan(
            site=self._shelf.site,
            client_id=self._shelf.client_id,
            firm=self.name,
            app=app,
            purpose=purpose,
            profile=profile,
            allow_delete=allow_delete,
            made_at=dt.datetime.now(dt.UTC),
            manifest=manifest,
            items=tuple(lines),
            notes=tuple(filter(None, [roll.note, *_nobody(manifest, roll), *findings])),
        )


def _ids(roll: Roll, users: Users) -> set[int] | None:
    """Return the ids of the users that a person names. Raises :class:`InvalidInput` for one who is not in the firm."""
    if users is None:
        return None
    ids = set()
    for name in [users] if isinstance(users, int | str) else users:
        found = next((user.id for user, _ in roll.people if _is(user, name)), None)
        if found is None:
            raise InvalidInput(f"{name!r} is no user of this firm. Give an id or an e-mail address.", field="users")
        ids.add(found)
    return ids


def _is(user: User, name: int | str) -> bool:
    return user.id == name if isinstance(name, int) else name.casefold() == (user.email or "").casefold()


def _nobody(manifest: Manifest | None, roll: Roll) -> list[str]:
    """Say which names in a manifest are nobody's in this firm."""
    named = (
        {}
        if manifest is None
        else {name: action.key for action in manifest.actions for name in (*action.who.users, *action.who.exclude)}
    )
    return [
        f"Action {key!r} names {name!r}, who is no user of this firm."
        for name, key in named.items()
        if not any(_is(user, name) for user, _ in roll.people)
    ]
