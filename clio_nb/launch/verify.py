"""Verify a launch: see that it is well-formed and was not used here before, and have Clio confirm it."""

from __future__ import annotations

import re
from typing import Final

from .. import portal
from ..errors import InvalidInput
from .lookup import Sessions, check_sessions
from .proof import Actions, prove
from .url import inspect_launch
from .verdict import PARSED, STEPS, Step, Verdict

_FIELD: Final = r"\w+(?:\{\w+(?:,\w+)*\})?"
_FIELDS: Final = re.compile(rf"{_FIELD}(?:,{_FIELD})*", re.ASCII)


@portal.blocking
async def verify_launch(
    url: object,
    sessions: Sessions,
    *,
    fields: str | None = None,
    target: str | None = None,
    actions: Actions = "known",
    arrived: float | None = None,
) -> Verdict:
    """Have Clio confirm, with one request, that a launch is genuine.

    ``sessions`` is the session of the user who clicked, several sessions, or a firm. ``fields`` asks for fields of the
    record in the same request, in Clio's syntax (``"display_number,client{name}"``); without it, a few that name it.
    ``target`` is as in :func:`inspect_launch`. ``actions`` are the actions that count as ours: ``"known"`` those that
    Clio lists for this user, or a collection of your own, which is then the last word; ``"any"`` leaves the check out.
    ``arrived`` is the :data:`clio_nb.portal.now` at which the launch came, when that is not now.

    A launch never makes it raise: whatever is wrong is in the verdict, which is then false. Raises
    :class:`InvalidInput` for ``fields`` that Clio would refuse, before the nonce is spent.

    Source: Clio's guide, "Confirming a User's Action".
    """
    arrival = portal.now() if arrived is None else arrived
    _check(fields)
    check_sessions(sessions)
    report = inspect_launch(url, target=target)
    launch = report.launch
    if launch is None:
        reason = " ".join(report.reasons)
        steps = (Step(name, ok=False, detail=reason) if name == PARSED else Step(name) for name in STEPS)
        return Verdict("refused", reason, tuple(steps))
    return await prove(launch, sessions, fields=fields, actions=actions, arrived=arrival)


def _check(fields: str | None) -> None:
    """Clio answers deeper braces with 400, which is easily mistaken for a refused nonce (reference, "fields")."""
    if fields is not None and not _FIELDS.fullmatch(fields):
        raise InvalidInput(
            "fields is a comma list with one level of braces and no spaces, such as 'id,client{name}'.", field="fields"
        )
