"""Verbs over sessions that you hold yourself, without a vault."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..client import AsyncSession, Session
from ..models import CustomAction, User
from ..portal import blocking

if TYPE_CHECKING:
    import pandas as pd


@blocking
async def actions_table(sessions: Session | AsyncSession | Iterable[Session | AsyncSession]) -> pd.DataFrame:
    """Read the custom actions of one session, or of many at once, into a table.

    One row for each action; the columns are those of :func:`clio_nb.tables.actions_frame`. Each session costs one
    request, and one more where its user is not known yet. Raises what the sessions raise; the first error ends it.
    """
    from ..tables import actions_frame  # noqa: PLC0415 -- pandas loads when the first table is made

    several = [sessions] if isinstance(sessions, Session | AsyncSession) else sessions
    lists = await asyncio.gather(*(_read(session) for session in several))
    return actions_frame((user, action) for user, actions in lists for action in actions)


async def _read(session: Session | AsyncSession) -> tuple[User, list[CustomAction]]:
    session = session.aio if isinstance(session, Session) else session
    return session.user or await session.who_am_i(), await session.list_actions()
