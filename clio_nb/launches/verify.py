"""Verify a launch: see that it is well-formed and was not used here before, and have Clio confirm it."""

from __future__ import annotations

import re
from collections.abc import Coroutine
from typing import Any, Final

from ..errors import InvalidInput
from ..http import sync_and_async
from ..ledger.recorder import Keep
from .inspect import inspect_launch
from .proof.sessions import Sessions, check_sessions
from .proof.steps import Actions, check_actions, prove
from .proof.used_nonces import Asker, used_nonces
from .recording import recording_of
from .report import LaunchReport
from .verdict import Verdict

_FIELD: Final = r"\w+(?:\{\w+(?:,\w+)*\})?"
_FIELDS: Final = re.compile(rf"{_FIELD}(?:,{_FIELD})*", re.ASCII)


@sync_and_async.sync_function_from
def verify_launch(
    url: object,
    sessions: Sessions,
    *,
    fields: str | None = None,
    target: str | None = None,
    actions: Actions = "known",
    arrived: float | None = None,
) -> Coroutine[Any, Any, Verdict]:
    """Have Clio confirm, with one request, that the user whom a launch names has clicked.

    Which action and which record it was is what the browser said; see :class:`Verdict`. A launch never makes it raise:
    whatever is wrong is in the verdict, which is then false.

    Args:
        url: The address that was opened.
        sessions: The session of the user who clicked, several sessions, or a firm.
        fields: Fields of the record to ask for in the same request, in Clio's syntax
            (``"display_number,client{name}"``); without it, a few that name it.
        target: As in :func:`clio_nb.inspect_launch`.
        actions: Which actions count as ours: ``"known"`` are those that Clio lists for this user; a collection of your
            own is the last word; ``"any"`` leaves the check out.
        arrived: The :data:`clio_nb.http.timeouts.now` at which the launch came, when that is not now.

    Returns:
        The verdict, true only when Clio confirmed the user.

    Raises:
        errors.InvalidInput: ``fields`` that Clio would refuse, or no sessions. The nonce was not spent.

    Source: Clio's guide, "Confirming a User's Action".

    Examples:
        >>> action = clio.create_action(session, "Sign", "https://partner.example/launch", at="matters")
        >>> matter = clio.list_records(session, "matters")[0]
        >>> click = site.click(session.user.id, action.id, matter.subject.path)
        >>> clio.verify_launch(click, session).state
        'verified'
    """
    _check_fields(fields)
    check_sessions(sessions)
    check_actions(actions)
    report = inspect_launch(url, target=target)
    asker = used_nonces.join(report.launch) if report.launch else None  # here and now, not in its turn on the loop
    return verify_report(report, sessions, asker=asker, fields=fields, actions=actions, arrived=arrived)


@sync_and_async.on_loop
async def verify_report(
    report: LaunchReport,
    sessions: Sessions,
    *,
    asker: Asker | None = None,
    fields: str | None = None,
    actions: Actions = "known",
    arrived: float | None = None,
    record: Keep = False,
) -> Verdict:
    """Verify a launch that was inspected already."""
    recording = recording_of(sessions, record=record)
    verdict, _ = await prove(
        report, sessions, asker=asker, fields=fields, actions=actions, arrived=arrived, recording=recording
    )
    return verdict


def _check_fields(fields: object) -> None:
    """Clio answers deeper braces with 400, which is easily mistaken for a refused nonce (reference, "fields")."""
    if fields is not None and not (isinstance(fields, str) and _FIELDS.fullmatch(fields)):
        raise InvalidInput(
            "fields must be a comma-separated list without spaces, braces one level deep: 'id,client{name}'.",
            field="fields",
        )
