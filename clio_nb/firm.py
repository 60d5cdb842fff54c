"""A firm: everyone who has signed in, and the verbs over all of them at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from .client import AsyncSession, Session
from .models import CustomAction, User
from .portal import blocking

if TYPE_CHECKING:
    import pandas as pd


@blocking
async def actions_table(sessions: Session | AsyncSession | Iterable[Session | AsyncSession]) -> pd.DataFrame:
    """Read the custom actions of one session, or of many at once, into a table.

    One row for each action; the columns are those of :func:`clio_nb.tables.actions_frame`. Each session costs one
    request, and one more where its user is not known yet. Raises what the sessions raise; the first error ends it.
    """
    from .tables import actions_frame  # noqa: PLC0415 -- pandas loads when the first table is made

    return actions_frame((user, action) for user, actions in await _read(sessions) for action in actions)


async def _read(
    sessions: Session | AsyncSession | Iterable[Session | AsyncSession],
) -> list[tuple[User, list[CustomAction]]]:
    several = [sessions] if isinstance(sessions, Session | AsyncSession) else sessions
    return await asyncio.gather(*(_read_one(session) for session in several))


async def _read_one(session: Session | AsyncSession) -> tuple[User, list[CustomAction]]:
    session = session.aio if isinstance(session, Session) else session
    return session.user or await session.who_am_i(), await session.list_actions()
