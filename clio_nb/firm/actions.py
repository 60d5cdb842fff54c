"""The custom actions of one session or of many, read at the same time, as a table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..arguments import sessions_of_kind
from ..http import loop
from ..session import Session
from ..tracebacks import verb
from . import async_firm

if TYPE_CHECKING:
    import pandas as pd


@verb
def actions_table(sessions: Session | Iterable[Session]) -> pd.DataFrame:
    """Read the custom actions of one session, or of many at once, into a table.

    ==========  ===================  =========================================================================
    column      dtype                holds
    ==========  ===================  =========================================================================
    user_id     Int64                the user who sees the action
    user        string               that user's name
    location    category             its ``ui_reference``, such as ``matters/show``
    label       string               the text on the button
    target_url  string               where a click leads
    action_id   Int64                Clio's id of the action
    created_at  datetime64[ns, UTC]  when it was made
    updated_at  datetime64[ns, UTC]  when it was last changed
    ==========  ===================  =========================================================================

    Args:
        sessions: A session, or several. Each costs one request, and one more where its user is not known yet.

    Returns:
        One row for each action, in the columns above, also when there is none. Awaited, in :mod:`clio_nb.aio`: a list
        of pairs of a :class:`User` and a :class:`CustomAction`.

    Raises:
        errors.ApiError: Clio refused one of the sessions.

    Examples:
        >>> action = clio.create_action(session, "Sign", "https://partner.example/launch", at="matters")
        >>> clio.actions_table(session)["label"].tolist()
        ['Sign']
    """
    from ..tables import actions_frame  # noqa: PLC0415 -- pandas loads when the first table is made

    several = [session.aio for session in sessions_of_kind(sessions, Session, "actions_table")]
    return actions_frame(loop.run(async_firm.actions_table, several))
