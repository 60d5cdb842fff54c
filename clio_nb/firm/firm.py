"""The verbs over a whole firm for notebooks and scripts: every verb waits, and writing shows its progress."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import lazy_loader

from ..http import loop
from ..http.sync_and_async import sync_method, sync_method_into
from ..ledger.recorder import Keep
from ..models import Site
from ..session import Session
from ..tracebacks import verbs
from ..vault import Vault
from ..vault.vault import FIRM
from ._progress import watched
from ._usage import Since
from .apply._user_run import Stop
from .apply.apply import Result
from .async_firm import AsyncFirm, Progress
from .item import ItemResult
from .manifest import Manifest
from .plan.plan import Plan
from .survey import Users

if TYPE_CHECKING:
    import pandas as pd

    from . import launches as history
    from . import tables
    from .pictures import Picture
else:
    history = lazy_loader.load("clio_nb.firm.launches", suppress_warning=True)
    tables = lazy_loader.load("clio_nb.firm.tables", suppress_warning=True)  # pandas loads when the first table is made


@verbs
class Firm:
    """Everyone of a firm who has signed in, and what can be done for all of them at once.

    ``aio`` is the same firm, awaited: a :class:`clio_nb.aio.Firm`, which gives plain records where this gives tables.

    Args:
        site: The app and Clio to talk to.
        vault: Where the tokens are, by default in memory.
        name: The firm's name in the vault, needed when one vault serves several.
        timeout: Seconds that each verb may wait in all (:func:`clio_nb.timeout`), and each verb of its sessions.
        record: True to record each launch that is verified with this firm, for 400 days, or a ``timedelta`` for how
            long. Some firms forbid to watch employees: nothing is recorded unless you say so.

    Nothing is opened before a verb is called. What was done, and what is ours, is remembered in the vault: the ledger.

    Examples:
        >>> one_firm = clio.Firm(site)
        >>> one_firm.add(session).name
        'Odalys Hartwell-Oyelaran'
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
        self.aio = AsyncFirm(site, vault, name=name, timeout=timeout, record=record)

    @property
    def site(self) -> Site:
        """The app and Clio that this firm is reached by."""
        return self.aio.site

    @property
    def vault(self) -> Vault:
        """Where the tokens are."""
        return self.aio.vault

    def __repr__(self) -> str:
        return repr(self.aio)

    add = sync_method(AsyncFirm.add)
    equip = sync_method(AsyncFirm.equip)
    sign_in_everyone = sync_method(AsyncFirm.sign_in_everyone)
    plan = sync_method(AsyncFirm.plan)
    plan_undo = sync_method(AsyncFirm.plan_undo)
    plan_offboard = sync_method(AsyncFirm.plan_offboard)
    plan_resume = sync_method(AsyncFirm.plan_resume)
    export = sync_method(AsyncFirm.export)
    erase = sync_method(AsyncFirm.erase)
    session_of = sync_method_into(Session.of)(AsyncFirm.session_of)

    def users(self) -> pd.DataFrame:
        """Return the users of the firm and whether their access works.

        One request for each 200 users, and one for each user with a token: only Clio knows whether it was taken back.

        =================  ========  ===================================================================================
        column             dtype     holds
        =================  ========  ===================================================================================
        user_id            Int64     Clio's id of the user
        user               string    the user's name
        email              string    the user's e-mail address
        enabled            boolean   whether the user can use Clio
        subscription_type  category  Attorney or NonAttorney
        roles              string    separated by commas
        access             category  signed in, never signed in, revoked, expired, damaged, no permission, wrong region,
                                     disabled user, not readable
        =================  ========  ===================================================================================

        Returns:
            One row for each user, also for one with a token whom Clio's list does not have. Awaited: pairs of a
            :class:`User` and an :class:`Access`.

        Raises:
            errors.NeedsLogin: No user's token can list the users.

        Examples:
            >>> firm.users()["access"].unique().tolist()
            ['signed in']
        """
        return tables.users_frame(loop.run(self.aio.users))

    def actions(self) -> pd.DataFrame:
        """Return all actions of all users who can be read.

        Returns:
            One row for each action; the columns are those of :func:`clio_nb.actions_table`. Awaited: pairs of a
            :class:`User` and a :class:`CustomAction`.

        Examples:
            >>> firm.apply(firm.plan("actions.toml"), progress=False).counts()
            {'done': 5}
            >>> len(firm.actions())
            5
        """
        from ..tables import actions_frame  # noqa: PLC0415 -- as above

        return actions_frame(loop.run(self.aio.actions))

    def coverage(self, manifest: Manifest | Path | str | None = None, *, profile: str | None = None) -> pd.DataFrame:
        """Return users x five locations: what each sees, and why not.

        One row for each user, by the index ``user_id`` (Int64). Columns: ``user`` (string), ``access`` (category),
        then the five ``ui_reference`` values (string). A cell holds the labels that the user sees there, with what is
        odd about them in brackets (``Sign (renamed by hand)``), or a dash and the reason why there is nothing.

        Args:
            manifest: What it is held against, or the path of one; without it, what was written last (the ledger).
            profile: Which target URLs of the manifest count.

        Returns:
            The table. Awaited: a list of :class:`clio_nb.firm.coverage.Coverage`.

        Raises:
            errors.ManifestError: The manifest cannot be read.

        Examples:
            >>> firm.apply(firm.plan("actions.toml"), progress=False).counts()
            {'done': 5}
            >>> firm.coverage("actions.toml")["matters/show"].unique().tolist()
            ['Send for signature']
        """
        return tables.coverage_frame(loop.run(self.aio.coverage, manifest, profile=profile))

    def drift(self, manifest: Manifest | Path | str | None = None, *, profile: str | None = None) -> pd.DataFrame:
        """Return what is not as it should be; empty when everything is.

        Args:
            manifest: With one, what a plan of it would change; without one, what was changed by hand since it was
                written.
            profile: Which target URLs of the manifest count.

        Returns:
            One row for each item, in the columns of :func:`clio_nb.firm.tables.items_frame`. Awaited: a list of
            :class:`clio_nb.firm.item.Item`.

        Raises:
            errors.NeedsLogin: No user has signed in. An empty table would look as if everything were right.
            errors.ManifestError: The manifest cannot be read.

        Examples:
            >>> firm.drift("actions.toml")["kind"].tolist()
            ['create', 'create', 'create', 'create', 'create']
        """
        return tables.items_frame(loop.run(self.aio.drift, manifest, profile=profile))

    def audit(self, run: str | None = None) -> pd.DataFrame:
        """Return who got which action when: one row for each change in the ledger.

        Columns: ``at`` (datetime64[ns, UTC], missing if it was never sent), ``run`` and ``purpose`` (string),
        ``user_id`` (Int64), ``user`` (string), ``kind`` (category), ``key`` (string), ``location`` (category),
        ``label_before``, ``label_after``, ``target_before``, ``target_after`` (string), ``outcome`` (category),
        ``message`` (string), ``action_id`` (Int64).

        Args:
            run: The run; all, if left out.

        Returns:
            The table. Awaited: a list of :class:`clio_nb.ledger.records.Entry`.

        Raises:
            errors.InvalidInput: There is no such run.

        Examples:
            >>> result = firm.apply(firm.plan("actions.toml"), progress=False)
            >>> firm.audit(result.run)["outcome"].unique().tolist()
            ['done']
        """
        return tables.audit_frame(loop.run(self.aio.audit, run), loop.run(self.aio.runs))

    def runs(self) -> pd.DataFrame:
        """Return the runs that the ledger knows, oldest first.

        Columns: ``run``, ``purpose``, ``app`` (string), ``started``, ``finished`` (datetime64[ns, UTC]; the last is
        missing for an interrupted run, which can be resumed).

        Returns:
            The table. Awaited: a list of :class:`clio_nb.ledger.records.Run`.

        Examples:
            >>> firm.runs().empty
            True
        """
        return tables.runs_frame(loop.run(self.aio.runs))

    def launches(self, since: Since = None) -> pd.DataFrame:
        """Return the launches that were recorded (``record=True``), oldest first.

        ============  ===================  ============================================================================
        column        dtype                holds
        ============  ===================  ============================================================================
        at            datetime64[ns, UTC]  when it came
        firm          string               the firm's name in the vault; missing for one that names nobody known, which
                                           came in where several firms do
        user_id       Int64                who clicked; in a launch that was not verified, who is said to have
        user          string               the user's name, where vault or ledger have it now
        action_id     Int64                which action, as the browser said
        key           string               its key in the manifest
        location      category             where in Clio: ``matters/show`` and its siblings
        record_id     Int64                which record
        state         category             verified, refused, expired, unknown
        reason        category             why it was not verified, in a word that stays the same
        milliseconds  Int64                how long the proof took
        ============  ===================  ============================================================================

        What was not verified has at most 20 rows for each user and hour; :meth:`refusals` counts all.

        Args:
            since: From when on: a datetime with a time zone, or a timedelta before now.

        Returns:
            One row for each launch. Awaited: a list of :class:`clio_nb.ledger.launches.LaunchRow`.

        Raises:
            errors.InvalidInput: ``since`` is no such time.

        Examples:
            >>> recorded = clio.Firm(site, firm.vault, record=True)
            >>> clio.verify_launch(site.click_on(session.user.id, "https://partner.example/launch"), recorded).state
            'verified'
            >>> firm.launches()[["user", "state"]].values.tolist()
            [['Odalys Hartwell-Oyelaran', 'verified']]
        """
        return history.launches_frame(loop.run(self.aio.launches, since))

    def adoption(self) -> pd.DataFrame:
        """Return users x actions: since when each user has each action, and how often she has clicked it.

        Columns: ``user_id`` (Int64), ``user`` (string), ``action_id`` (Int64), ``key`` (string), ``location``
        (category), ``label`` (string), ``equipped_since``, ``first_click``, ``last_click`` (datetime64[ns, UTC]),
        ``clicks``, ``clicks_7_days``, ``clicks_30_days`` (Int64: what Clio confirmed, until now), ``never`` (boolean:
        no click is recorded).

        Returns:
            One row for each action that is ours, by the ledger, and for each that was clicked. ``equipped_since`` is
            missing for what is not ours, or no more. Awaited: a list of :class:`clio_nb.firm.adoption.Adoption`.

        Examples:
            >>> firm.apply(firm.plan("actions.toml"), progress=False).counts()
            {'done': 5}
            >>> firm.adoption()["never"].tolist()
            [True, True, True, True, True]
        """
        return history.adoption_frame(loop.run(self.aio.adoption))

    def refusals(self, since: Since = None, *, time_zone: str = "UTC") -> pd.DataFrame:
        """Return how many launches were not verified, by day and reason.

        Columns: ``day`` (datetime64 in the time zone, which the dtype names: the first moment of the day), ``firm``
        (string, as in :meth:`launches`), ``reason`` (category), ``launches`` (Int64: all of them, also those without a
        row).

        Args:
            since: From when on: a datetime with a time zone, or a timedelta before now.
            time_zone: Whose days these are: ``"America/Toronto"``.

        Returns:
            One row for each day, firm and reason that has any. Awaited: by minute in that time zone, a list of
            :class:`clio_nb.ledger.launches.Refused`.

        Raises:
            errors.InvalidInput: The time zone is unknown, or ``since`` is no such time.

        Examples:
            >>> recorded = clio.Firm(site, firm.vault, record=True)
            >>> clio.verify_launch("https://partner.example/launch?user_id=1", recorded).code
            'malformed'
            >>> firm.refusals(time_zone="America/Toronto")[["reason", "launches"]].values.tolist()
            [['malformed', 1]]
        """
        return history.refusals_frame(loop.run(self.aio.refusals, since, time_zone=time_zone), time_zone)

    def gaps(self, since: Since = None) -> pd.DataFrame:
        """Return when launches may be missing: a recording process was killed, or had no database for too long.

        Columns: ``since``, ``until`` (datetime64[ns, UTC]), ``process`` (string: the mark of the process). How many
        launches came in such a time is not known.

        Args:
            since: Only gaps that end after this: a datetime with a time zone, or a timedelta before now.

        Returns:
            One row for each gap. Awaited: a list of :class:`clio_nb.ledger.launches.Gap`.

        Raises:
            errors.InvalidInput: ``since`` is no such time.

        Examples:
            >>> firm.gaps().empty
            True
        """
        return history.gaps_frame(loop.run(self.aio.gaps, since))

    def pictures(self, since: Since = None, *, time_zone: str = "UTC") -> list[Picture]:
        """Draw what was recorded: launches a day, adoption over time, hours, refusals. A notebook shows each.

        They can be read without colour, on light and on dark, and each says the same in words. They need no network.

        Args:
            since: From when on: a datetime with a time zone, or a timedelta before now.
            time_zone: Whose days and hours these are: ``"America/Toronto"``.

        Returns:
            Four pictures; :meth:`clio_nb.firm.pictures.Picture.save` writes one as an SVG file.

        Raises:
            errors.InvalidInput: The time zone is unknown, ``since`` is no such time, or matplotlib is not installed.

        Examples:
            >>> firm.apply(firm.plan("actions.toml"), progress=False).counts()
            {'done': 5}
            >>> firm.pictures()[1].title
            '0 of 5 users have clicked; 5 never have'
        """
        return loop.run(self.aio.pictures, since, time_zone=time_zone)

    def import_tokens(self, source: pd.DataFrame | Path | str, *, query: str | None = None) -> int:
        """Keep tokens that you have already, all or none.

        Columns: ``user_id`` and ``access_token``; where you have them also ``refresh_token``, ``expires_at`` (a time,
        or seconds since the epoch), ``name``, ``email`` and ``region``; others are ignored.

        Args:
            source: A DataFrame, the path of a CSV file, or with ``query`` the address of a database that SQLAlchemy
                knows.
            query: The SQL that gives these columns.

        Returns:
            How many.

        Raises:
            errors.InvalidInput: Something cannot be right; it names the column or the row, and shows no token.
            errors.VaultError: The database does not answer.

        Examples:
            >>> tokens = firm.export_tokens("tokens.csv")
            >>> clio.Firm(site, name="the same again").import_tokens(tokens)
            5
        """
        from .tokens import import_tokens  # noqa: PLC0415 -- pandas loads when it is needed

        return import_tokens(self.vault, self.site, self.aio.name, source, query)

    def tokens(self) -> pd.DataFrame:
        """Return what the vault holds of this firm; the tokens themselves do not show.

        Columns: ``user_id`` (Int64), ``name``, ``email`` (string), ``access_token``, ``refresh_token`` (object:
        :class:`Secret` or None), ``expires_at`` (datetime64[ns, UTC]), ``problem`` (string: revoked,
        expired, damaged).

        Returns:
            One row for each user with a token.

        Examples:
            >>> firm.tokens()["access_token"].tolist()[0]
            Secret(***)
        """
        from .tokens import tokens_frame  # noqa: PLC0415 -- as above

        return tokens_frame(self.vault, self.site, self.aio.name)

    def export_tokens(self, path: Path | str) -> Path:
        """Write the tokens in clear to a CSV file, 0600, that :meth:`import_tokens` reads. Guard it as a password.

        Args:
            path: The file.

        Returns:
            The path.

        Examples:
            >>> firm.export_tokens("tokens.csv").name
            'tokens.csv'
        """
        from .tokens import export_tokens  # noqa: PLC0415 -- as above

        return export_tokens(self.vault, self.site, self.aio.name, Path(path))

    def apply(self, plan: Plan, *, progress: Progress = True, stop: Stop | None = None) -> Result:
        """Do exactly what the plan says, with a progress bar. One user's failure does not stop the others.

        Ctrl-C (or interrupting the kernel) stops it safely: requests under way are finished and recorded, then
        ``KeyboardInterrupt`` is raised, and :meth:`resume` goes on later.

        Args:
            plan: What :meth:`plan` and its siblings return.
            progress: False for no bar; or a function that is called with each result.
            stop: Ends the run early, when it is asked to.

        Returns:
            The result for each item: who failed, why, and what to do.

        Raises:
            errors.InvalidInput: The plan is of another firm.
            errors.RunInProgress: Another run is changing this one.

        Examples:
            >>> firm.apply(firm.plan("actions.toml"), progress=False)
            <Result of run ...: 5 done>
        """
        stop, ended = stop or Stop(), list[ItemResult]()
        on_result = progress if callable(progress) else ended.append
        work = loop.submit(self.aio.apply, plan, progress=on_result, stop=stop)
        total = len(plan.changes)
        return watched(work, ended, total, what=plan.purpose, unit="action", bar=progress is True, stop=stop)

    def undo(self, run: str, *, progress: Progress = True) -> Result:
        """Undo a run, except what somebody changed since: :meth:`plan_undo`, applied.

        Args:
            run: The run: a :class:`Result` has it in ``run``.
            progress: As in :meth:`apply`.

        Returns:
            The result for each item.

        Raises:
            errors.InvalidInput: There is no such run.
            errors.RunInProgress: Another run is changing this firm.

        Examples:
            >>> result = firm.apply(firm.plan("actions.toml"), progress=False)
            >>> firm.undo(result.run, progress=False).counts()
            {'done': 5}
        """
        return self.apply(self.plan_undo(run), progress=progress)

    def offboard(
        self, users: Users = None, *, manifest: Manifest | Path | str | None = None, progress: Progress = True
    ) -> Result:
        """Remove all that is ours from these users: :meth:`plan_offboard`, applied.

        Look at that plan first: it counts the deletes, and lists what must be removed by hand.

        Args:
            users: Ids or e-mail addresses; everyone, if left out.
            manifest: Says what is ours: only what this manifest made, also where the ledger does not know it.
            progress: As in :meth:`apply`.

        Returns:
            The result for each item.

        Raises:
            errors.InvalidInput: One of ``users`` is not in the firm.
            errors.RunInProgress: Another run is changing this firm.

        Examples:
            >>> result = firm.apply(firm.plan("actions.toml"), progress=False)
            >>> firm.offboard(progress=False).counts()
            {'done': 5}
        """
        return self.apply(self.plan_offboard(users, manifest=manifest), progress=progress)

    def resume(self, *, progress: Progress = True) -> Result:
        """Resume the last interrupted run: :meth:`plan_resume`, applied.

        Args:
            progress: As in :meth:`apply`.

        Returns:
            The result for each item.

        Raises:
            errors.InvalidInput: No run was interrupted.
            errors.RunInProgress: Another run is changing this firm.

        Examples:
            >>> firm.resume()
            Traceback (most recent call last):
            clio_nb.errors.InvalidInput: No run of this firm was interrupted. Plan and apply instead.
        """
        return self.apply(self.plan_resume(), progress=progress)
