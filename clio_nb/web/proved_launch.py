"""What a page receives: the click of a user whom Clio has confirmed, and the record that the browser named."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..http import sync_and_async
from ..models import Record, Subject
from ..session import AsyncSession, Session


@dataclass(frozen=True)
class _Click:
    """What both forms have in common."""

    id: str
    custom_action_id: int
    user_id: int
    subject: Subject
    proved_at: float


@dataclass(frozen=True)
class AsyncProvedLaunch(_Click):
    """A launch whose click Clio has confirmed, as ASGI apps get it: :class:`ProvedLaunch`, awaited."""

    session: AsyncSession = field(repr=False, compare=False)
    kept: Record | None = field(default=None, repr=False, compare=False)

    @sync_and_async.on_loop
    async def record(self, *, fields: str | None = None) -> Record:
        """Return the record that the action was clicked on.

        The proof has read it, and the process that proved the launch keeps it for a minute. Everywhere else, later, and
        with ``fields``, it is one more request.

        Args:
            fields: What to ask for, in Clio's syntax (``"id,client{name}"``). Without it, a few that name the record.

        Returns:
            The record.

        Raises:
            errors.NotFound: It is deleted, or this user cannot see it.
        """
        if self.kept is not None and fields is None:
            return self.kept
        return await self.session.record(self.subject, fields=fields)


@dataclass(frozen=True)
class ProvedLaunch(_Click):
    """A launch whose click Clio has confirmed. ``proved_at`` is in whole seconds since the epoch.

    Clio has confirmed that the user ``user_id`` clicked, and has shown this user the record ``subject``. Which action
    was clicked (``custom_action_id``) and on which record is what the browser said: Clio is never told the first, and
    may not check the second. Before you change anything, ask the user on a page of your own. ``session`` is this
    user's session; ``aio`` is the same launch, awaited.
    """

    aio: AsyncProvedLaunch = field(repr=False, compare=False)

    @classmethod
    def of(cls, aio: AsyncProvedLaunch) -> ProvedLaunch:
        """Return the launch whose verbs wait, for one whose verbs are awaited: for a ``def`` endpoint of FastAPI."""
        return cls(aio.id, aio.custom_action_id, aio.user_id, aio.subject, aio.proved_at, aio)

    @property
    def session(self) -> Session:
        """The session of the user who clicked."""
        return Session.of(self.aio.session)

    record = sync_and_async.sync_method(AsyncProvedLaunch.record)
