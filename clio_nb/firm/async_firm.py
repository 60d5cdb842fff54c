"""The verbs over a whole firm, to be awaited: read every user, plan, apply, undo, and report it in records."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, SupportsIndex, TypeAlias

from .. import events
from ..arguments import a_site, session_of_kind, sessions_of_kind
from ..errors import InvalidInput, NeedsLogin
from ..http.sync_and_async import awaited, on_loop
from ..http.timeouts import checked_timeout
from ..ledger.launches import Gap, LaunchRow, Refused
from ..ledger.recorder import Keep, checked_keep
from ..ledger.records import Entry, Run
from ..login import login
from ..models import CustomAction, Site, Token, User
from ..session import AsyncSession, Session, note_in
from ..tracebacks import verbs
from ..vault import Vault
from ..vault._grants import DAMAGED, Grant, id_of_user
from ..vault.vault import FIRM, firm_key_of
from ._planner import Planner
from ._state import Access
from ._usage import Since, Usage
from .adoption import Adoption
from .apply._user_run import Stop
from .apply.apply import Result, apply, apply_one
from .apply.unkeyed import UnkeyedWrites
from .coverage import Coverage
from .export import manifest_of
from .item import Item, ItemResult
from .manifest import Manifest
from .plan.plan import Plan
from .survey import Survey, Users

Progress: TypeAlias = bool | Callable[[ItemResult], object]
"""True shows a progress bar, except where the verb is awaited; a function is called with each result."""

if TYPE_CHECKING:
    from .pictures import Picture


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
        name: The firm's name in the vault, needed when one vault serves several.
        timeout: Seconds that each verb may wait in all (:func:`clio_nb.timeout`), and each verb of its sessions.
        record: True to record each launch that is verified with this firm, for 400 days, or a ``timedelta`` for how
            long. Some firms forbid to watch employees: nothing is recorded unless you say so.
    """

    def __init__(
        self,
        site: Site,
        vault: Vault | None = None,
        *,
        name: str = FIRM,
        timeout: float | None = None,
        record: Keep = False,
    ) -> None:
        self.site = a_site(site)
        self.timeout = checked_timeout(timeout)
        self.vault = vault or Vault()
        self.name = name
        self.record = checked_keep(record)
        self._firm_key = firm_key_of(site, name)
        self._survey = Survey(site, self.vault, name, timeout)
        self._usage = Usage(self.site, self.vault, self.name)
        self._planner = Planner(site, self._survey, self.vault.ledger)
        self._notes = self._survey.notes = UnkeyedWrites(self.vault.ledger, self._firm_key.app, self._survey.account_id)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} of app {self.site.client_id} at {self.site.origin}>"

    @on_loop
    async def add(self, session: Session | AsyncSession) -> User:
        """Keep a signed-in user's token in the vault.

        What this session has made, and will make, is noted as ours: see :meth:`plan_offboard`.

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
        await self._notes.take_over(user, note_in(session, self._notes))
        events.tell("connection", f"user {user.id} is connected", user_id=user.id, firm=self.name)
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
                "Only a sandbox can sign everyone in. At Clio, let each user sign in and add that session.",
                field="site",
            )
        enabled = [user for user in await (await login.aio(self.site)).list_users() if user.enabled]
        sessions = await asyncio.gather(*(login.aio(self.site, user.id) for user in enabled))
        users = [session.user for session in sessions]
        await self._keep([(user, await session.token()) for user, session in zip(users, sessions, strict=True)])
        return users

    @on_loop
    async def session_of(self, user_id: SupportsIndex) -> AsyncSession:
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

        One request a page of 200 users, and one for each user with a token, which alone shows whether it still works. A
        user with a token is included even if Clio's list does not have the user.
        """
        return [(state.user, state.access) for state in await self._survey.all_states()]

    @on_loop
    async def actions(self) -> list[tuple[User, CustomAction]]:
        """Return all actions of all users who can be read, each with its user."""
        states = await self._survey.all_states()
        return [(state.user, action) for state in states for action in state.actions]

    @on_loop
    async def coverage(
        self, manifest: Manifest | Path | str | None = None, *, profile: str | None = None
    ) -> list[Coverage]:
        """Return for each user what that user sees in each of the five locations, and why not.

        With a manifest it is held against that; without one, against what was written last (the ledger).
        """
        return await self._planner.coverage(manifest, profile)

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
            errors.NeedsLogin: No user's token can list the users.

        Examples:
            >>> firm.plan("actions.toml").counts()
            {'create': 5}
        """
        return await self._planner.plan(manifest, profile=profile, allow_delete=allow_delete, users=users)

    @on_loop
    async def plan_undo(self, run: str) -> Plan:
        """Return the plan that undoes a run. What somebody changed since is blocked.

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
        return await self._planner.undo(run)

    @on_loop
    async def plan_offboard(self, users: Users = None, *, manifest: Manifest | Path | str | None = None) -> Plan:
        """Return the plan that removes all that is ours from these users.

        Ours is what the ledger knows, on whichever machine it was made; what was made without a manifest is listed
        apart, as deletes that say so. What the ledger does not know is listed as foreign, and stays. What has to be
        removed by hand, because the user cannot be read, is blocked.

        Args:
            users: Ids or e-mail addresses; everyone, if left out.
            manifest: Says what is ours: only what this manifest made, also where the ledger does not know it.

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
        return await self._planner.offboard(users, manifest)

    @on_loop
    async def plan_resume(self) -> Plan:
        """Return the plan that resumes the last interrupted run, for the users whom it had not finished.

        Returns:
            The plan.

        Raises:
            errors.InvalidInput: No run was interrupted.

        Examples:
            >>> firm.plan_resume()
            Traceback (most recent call last):
            clio_nb.errors.InvalidInput: No run of this firm was interrupted. Plan and apply instead.
        """
        return await self._planner.resume()

    @on_loop
    async def apply(self, plan: Plan, *, progress: Progress = True, stop: Stop | None = None) -> Result:
        """Do exactly what the plan says. One user's failure does not stop the others; the result names each failure.

        Args:
            plan: What :meth:`plan` and its siblings return.
            progress: A function is called with each result; nothing else is shown where it is awaited.
            stop: Ends the run early, when it is asked to.

        Returns:
            The result for each item.

        Raises:
            errors.InvalidInput: The plan is of another firm.
            errors.InvalidAction: It has an action that :func:`clio_nb.lint` calls an error.
            errors.VaultError: The ledger cannot be written.
        """
        account_id = await self._survey.account_id()
        if (plan.site, plan.client_id, plan.account_id) != (*self._firm_key.app, account_id):
            raise InvalidInput(
                f"This plan is for firm {plan.account_id} at {plan.site}, not for this one ({account_id}).",
                field="plan",
            )
        on_result = progress if callable(progress) else lambda _: None
        again = self._planner.again
        return await apply(plan, self._survey.session_of, self.vault.ledger, again, on_result=on_result, stop=stop)

    @on_loop
    async def equip(
        self,
        user: Session | AsyncSession | SupportsIndex,
        manifest: Manifest | Path | str,
        *,
        profile: str | None = None,
    ) -> Result:
        """Make for one user what a manifest says: for the moment at which a colleague has signed in.

        It costs the user's list of actions and a request for each change, those that create together. Who the user is
        is asked only where that is unknown, or where the manifest chooses by roles.

        Args:
            user: The user's session, which is added as :meth:`add` does; or the id of a user who has signed in.
            manifest: What the user should see, or the path of a file that says it.
            profile: Which target URLs of the manifest to use.

        Returns:
            The result for each change, and for what is blocked. Nothing is deleted.

        Raises:
            errors.ManifestError: The manifest cannot be read.
            errors.RunInProgress: Another run is changing this user, and did not end in time.
            errors.NeedsLogin: The user has not signed in, or has no access any more.

        Examples:
            >>> firm.equip(clio.login(site), "actions.toml").counts()
            {'done': 1}
        """
        wanted = self._planner.read(manifest, profile)
        if isinstance(user, Session | AsyncSession):
            who = await self.add(user)  # may know more than the vault keeps: the roles
            session = await self._survey.session_of(who.id)
        else:
            session = await self._survey.session_of(user)
            who = session.user
        return await apply_one(
            who.id,
            lambda: self._planner.for_one(session, who, wanted, profile),
            self._survey.session_of,
            self.vault.ledger,
            self._planner.again,
            self._firm_key.app,
            await self._survey.account_id(),
        )

    @on_loop
    async def undo(self, run: str, *, progress: Progress = True) -> Result:
        """Undo a run, except what somebody changed since: :meth:`plan_undo`, applied."""
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
        """Resume the last interrupted run: :meth:`plan_resume`, applied."""
        return await self.apply(await self.plan_resume(), progress=progress)

    @on_loop
    async def drift(self, manifest: Manifest | Path | str | None = None, *, profile: str | None = None) -> list[Item]:
        """Return what is not as it should be, an item for each; empty when everything is.

        Without a manifest: what was changed by hand since it was written. With one: what a plan of it would change.
        Raises :class:`errors.NeedsLogin` when nobody has signed in: an empty list would look as if all were right.
        """
        if next(self.vault.grants(self.site, firm=self.name), None) is None:
            raise NeedsLogin(f"Nobody has signed in: {self.vault!r} has no token of this firm. Sign users in first.")
        return await self._planner.drift(manifest, profile)

    @on_loop
    async def audit(self, run: str | None = None) -> list[Entry]:
        """Return who got which action when, in one run or in all."""
        if run is not None:
            await self._planner.run(run)
        return await asyncio.to_thread(
            self.vault.ledger.entries, self._firm_key.app, await self._survey.account_id(), run
        )

    @on_loop
    async def runs(self) -> list[Run]:
        """Return the runs that the ledger knows, oldest first, of whichever machine."""
        return await asyncio.to_thread(self.vault.ledger.runs, self._firm_key.app, await self._survey.account_id())

    @on_loop
    async def launches(self, since: Since = None) -> list[LaunchRow]:
        """Return the recorded launches, oldest first."""
        return await self._usage.launches(since)

    @on_loop
    async def refusals(self, since: Since = None, *, time_zone: str = "UTC") -> list[Refused]:
        """Return how many launches were not verified, by minute (in the time zone), firm and reason."""
        return await self._usage.refusals(since, time_zone)

    @on_loop
    async def gaps(self, since: Since = None) -> list[Gap]:
        """Return the times in which launches may be missing from what was recorded."""
        return await self._usage.gaps(since)

    @on_loop
    async def pictures(self, since: Since = None, *, time_zone: str = "UTC") -> list[Picture]:
        """Draw what was recorded: launches a day, adoption over time, hours, refusals."""
        from .pictures import draw  # noqa: PLC0415 -- pandas loads when it is needed

        return await draw(self, since, time_zone)

    @on_loop
    async def adoption(self) -> list[Adoption]:
        """Return how each user uses each action, as far as that was recorded."""
        return [each for each, _, _ in await self._usage.adoption(await self._survey.account_id())]

    @on_loop
    async def erase(self, user_id: SupportsIndex) -> int:
        """Delete a user's recorded launches, and her name wherever the ledger has it.

        Her id and the ids of her actions stay in the ledger until her actions are gone, so that they can still be
        removed: see :meth:`plan_offboard`. Her name is also sealed with her token, until you remove that:
        :meth:`clio_nb.Vault.remove`. Refusals are counted without users. Manifests that name her stay with their runs.

        Args:
            user_id: Clio's id of the user.

        Returns:
            How many launches were deleted.

        Examples:
            >>> firm.erase(site.users[0].id)
            0
        """
        return await self._usage.erase(await self._survey.account_id(), id_of_user(user_id))

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
        manifest = manifest_of(app, region, await self._survey.all_states())
        if path is not None:
            await asyncio.to_thread(Path(path).write_text, manifest.to_toml(), encoding="utf-8")
        return manifest

    async def _keep(self, tokens: list[tuple[User, Token]]) -> None:
        """Keep tokens, after making sure that all are of one firm at Clio."""
        grants = self.vault.grants(self.site, firm=self.name)
        first = next((grant for grant in grants if grant.problem != DAMAGED), None)
        users = [user for user, _ in tokens] if first is None else [first.user, *(user for user, _ in tokens)]
        accounts = {user.account.id: user.account for user in users if user.account is not None}
        if len(accounts) > 1:
            raise InvalidInput(
                f"These users belong to several firms: {', '.join(str(each.name) for each in accounts.values())}. "
                "Use one Firm for each: Firm(site, vault, name=...).",
                field="session",
            )
        await asyncio.to_thread(
            self.vault.sealed.keep_all, [(self._firm_key, Grant(user, token)) for user, token in tokens]
        )
        for account in accounts.values():
            await self._survey.learn(account)
