"""The verbs over a whole firm for notebooks and scripts: every verb waits, and writing shows its progress."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import wait
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .. import portal
from ..arguments import session_of_kind
from ..client import Session
from ..models import Site
from ..portal import waiting
from ..rollout.apply import Line, Result, Stop
from ..rollout.manifest import Manifest
from ..rollout.plan import Plan
from ..vault import Vault
from ..vault.vault import FIRM
from . import aio
from .aio import AsyncFirm, Progress, Users

if TYPE_CHECKING:
    import pandas as pd

LOOK: Final = 0.1  # seconds between looks at a run: to be woken for every line would slow it down


def actions_table(sessions: Session | Iterable[Session]) -> pd.DataFrame:
    """Read the custom actions of one session, or of many at once, into a table.

    One row for each action; the columns are those of :func:`clio_nb.tables.actions_frame`. Each session costs one
    request, and one more where its user is not known yet. Raises what the sessions raise; the first error ends it.
    """
    from ..tables import actions_frame  # noqa: PLC0415 -- pandas loads when the first table is made

    several = sessions if isinstance(sessions, Iterable) else [sessions]
    kept = [session_of_kind(session, Session, "actions_table").aio for session in several]
    return actions_frame(portal.run(aio.actions_table, kept))


class Firm:
    """Everyone of a firm who has signed in, and what can be done for all of them at once.

    ``vault`` holds the tokens, by default in memory. ``name`` is the firm's shelf in it, needed when one vault serves
    several. ``journal`` is a file that remembers what was written; by default it lies in this user's data folder, or in
    memory when the vault does. ``aio`` has the same verbs to be awaited.
    """

    def __init__(
        self, site: Site, vault: Vault | None = None, *, name: str = FIRM, journal: Path | str | None = None
    ) -> None:
        self.aio = AsyncFirm(site, vault, name=name, journal=journal)

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

    add = waiting(AsyncFirm.add)
    sign_in_everyone = waiting(AsyncFirm.sign_in_everyone)
    plan = waiting(AsyncFirm.plan)
    plan_undo = waiting(AsyncFirm.plan_undo)
    plan_offboard = waiting(AsyncFirm.plan_offboard)
    plan_resume = waiting(AsyncFirm.plan_resume)
    export = waiting(AsyncFirm.export)

    def users(self) -> pd.DataFrame:
        """Return the users of the firm and whether they have signed in."""
        from ..rollout.view import users_frame  # noqa: PLC0415 -- pandas loads when the first table is made

        return users_frame(portal.run(self.aio.users))

    def actions(self) -> pd.DataFrame:
        """Return all actions of all users who can be read."""
        from ..tables import actions_frame  # noqa: PLC0415 -- as above

        return actions_frame(portal.run(self.aio.actions))

    def coverage(self, manifest: Manifest | Path | str | None = None, *, profile: str | None = None) -> pd.DataFrame:
        """Return users x five places: what each sees, and why not."""
        from ..rollout.view import coverage_frame  # noqa: PLC0415 -- as above

        return coverage_frame(portal.run(self.aio.coverage, manifest, profile=profile))

    def drift(self, manifest: Manifest | Path | str | None = None, *, profile: str | None = None) -> pd.DataFrame:
        """Return what is not as it should be, one row for each; empty when all is well."""
        from ..rollout.view import items_frame  # noqa: PLC0415 -- as above

        return items_frame(portal.run(self.aio.drift, manifest, profile=profile))

    def audit(self, run: str | None = None) -> pd.DataFrame:
        """Return who got which action when, in one run or in all."""
        from ..rollout.view import audit_frame  # noqa: PLC0415 -- as above

        return audit_frame(portal.run(self.aio.audit, run), portal.run(self.aio.runs))

    def runs(self) -> pd.DataFrame:
        """Return the runs that the journal knows."""
        from ..rollout.view import runs_frame  # noqa: PLC0415 -- as above

        return runs_frame(portal.run(self.aio.runs))

    def session_of(self, user_id: int) -> Session:
        """Return the session of one user, for :func:`clio_nb.verify_launch` and for work of your own.

        Raises :class:`errors.NeedsLogin` when there is no token. It asks the vault only, never Clio.
        """
        return Session.of(self.aio.session_now(user_id))

    def import_tokens(self, source: pd.DataFrame | Path | str, *, query: str | None = None) -> int:
        """Keep tokens that you have already, all or none, and return how many.

        ``source`` is a DataFrame, the path of a CSV file, or with ``query`` the address of a database that SQLAlchemy
        knows. Columns: ``user_id`` and ``access_token``; where you have them also ``refresh_token``, ``expires_at`` (a
        time, or seconds since the epoch), ``name``, ``email`` and ``region``; others are ignored. Raises
        :class:`InvalidInput` that names the column or the row, and shows no token.
        """
        from .exchange import import_tokens  # noqa: PLC0415 -- pandas loads when it is needed

        return import_tokens(self.vault, self.site, self.aio.name, source, query)

    def tokens(self) -> pd.DataFrame:
        """Return what the vault holds of this firm; the tokens themselves do not show.

        Columns: ``user_id`` (Int64), ``name``, ``email`` (string), ``access_token``, ``refresh_token`` (object:
        :class:`Secret` or None), ``expires_at`` (datetime64[ns, UTC]), ``trouble`` (string: revoked, expired).
        """
        from .exchange import tokens_frame  # noqa: PLC0415 -- as above

        return tokens_frame(self.vault, self.site, self.aio.name)

    def export_tokens(self, path: Path | str) -> Path:
        """Write the tokens in clear to a CSV file, 0600, that :meth:`import_tokens` reads. Guard it as a password."""
        from .exchange import export_tokens  # noqa: PLC0415 -- as above

        return export_tokens(self.vault, self.site, self.aio.name, Path(path))

    def apply(self, plan: Plan, *, progress: Progress = True, stop: Stop | None = None) -> Result:
        """Do exactly what the plan says, with a progress bar. One user's failure stops nobody else.

        Ctrl-C (or interrupting the kernel) stops it safely: what is under way is finished and noted, then
        ``KeyboardInterrupt`` is raised, and :meth:`resume` goes on later. The result says who failed, why, and what to
        do. Raises :class:`InvalidInput` for a plan of another firm, :class:`errors.RunInProgress` while another run
        changes this one.
        """
        from tqdm.auto import tqdm  # noqa: PLC0415 -- looks for a notebook when it is imported

        stop, interrupted = stop or Stop(), False
        ended: list[Line] = []
        on_line = progress if callable(progress) else ended.append
        work = portal.submit(self.aio.apply, plan, progress=on_line, stop=stop)
        with tqdm(total=len(plan.changes), desc=plan.purpose, unit="action", disable=progress is not True) as bar:
            while not work.done():
                try:
                    wait([work], timeout=LOOK)
                except KeyboardInterrupt:
                    if interrupted:
                        work.cancel()
                        raise
                    stop.asked = interrupted = True
                bar.update(len(ended) - bar.n)
        if interrupted:
            raise KeyboardInterrupt
        return work.result()

    def undo(self, run: str, *, progress: Progress = True) -> Result:
        """Take back what a run did, except what somebody changed since: :meth:`plan_undo`, applied."""
        return self.apply(self.plan_undo(run), progress=progress)

    def offboard(
        self, users: Users = None, *, manifest: Manifest | Path | str | None = None, progress: Progress = True
    ) -> Result:
        """Remove all that is ours from these users, everyone by default: :meth:`plan_offboard`, applied.

        Look at that plan first: it counts the deletes, and lists what must be removed by hand.
        """
        return self.apply(self.plan_offboard(users, manifest=manifest), progress=progress)

    def resume(self, *, progress: Progress = True) -> Result:
        """Go on with the last run that was interrupted: :meth:`plan_resume`, applied."""
        return self.apply(self.plan_resume(), progress=progress)
