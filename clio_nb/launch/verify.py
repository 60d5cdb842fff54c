"""Verify a launch: see that it is well-formed and was not used here before, and have Clio confirm it."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Coroutine
from typing import Any, Final, ParamSpec

from .. import portal
from ..errors import InvalidInput
from ..frames import verb
from .lookup import Sessions
from .proof import Actions, prove
from .report import LaunchReport
from .seen import Asker, seen
from .url import inspect_launch
from .verdict import PARSED, STEPS, Step, Verdict

P = ParamSpec("P")

_FIELD: Final = r"\w+(?:\{\w+(?:,\w+)*\})?"
_FIELDS: Final = re.compile(rf"{_FIELD}(?:,{_FIELD})*", re.ASCII)


@verb
def verify_launch_async(
    url: object,
    sessions: Sessions,
    *,
    fields: str | None = None,
    target: str | None = None,
    actions: Actions = "known",
    arrived: float | None = None,
) -> Coroutine[Any, Any, Verdict]:
    """Have Clio confirm, with one request, that the user whom a launch names has clicked.

    Which action and which record it was is what the browser said; see :class:`Verdict`.

    ``sessions`` is the session of the user who clicked, several sessions, or a firm. ``fields`` asks for fields of the
    record in the same request, in Clio's syntax (``"display_number,client{name}"``); without it, a few that name it.
    ``target`` is as in :func:`inspect_launch`. ``actions`` are the actions that count as ours: ``"known"`` those that
    Clio lists for this user, or a collection of your own, which is then the last word; ``"any"`` leaves the check out.
    ``arrived`` is the :data:`clio_nb.portal.now` at which the launch came, when that is not now.

    A launch never makes it raise: whatever is wrong is in the verdict, which is then false. Raises
    :class:`InvalidInput` for ``fields`` that Clio would refuse, before the nonce is spent.

    Source: Clio's guide, "Confirming a User's Action".
    """
    _check(fields)
    report = inspect_launch(url, target=target)
    asker = seen.join(report.launch) if report.launch else None  # here and now, not when its turn comes on the loop
    return _verify(report, asker, sessions, fields, actions, portal.now() if arrived is None else arrived)


@portal.on_portal
async def _verify(
    report: LaunchReport, asker: Asker | None, sessions: Sessions, fields: str | None, actions: Actions, arrived: float
) -> Verdict:
    if report.launch is None or asker is None:
        reason = " ".join(report.reasons)
        steps = (Step(name, ok=False, detail=reason) if name == PARSED else Step(name) for name in STEPS)
        return Verdict("refused", reason, tuple(steps))
    return await prove(report.launch, asker, sessions, fields=fields, actions=actions, arrived=arrived)


def _waiting(work: Callable[P, Coroutine[Any, Any, Verdict]]) -> Callable[P, Verdict]:
    """Return the sync twin, which asks in the caller's thread and waits for the answer."""

    @verb
    @functools.wraps(work)
    def verify_launch(*args: P.args, **kwargs: P.kwargs) -> Verdict:
        asked = work(*args, **kwargs)

        async def answer() -> Verdict:
            return await asked

        return portal.run(answer)

    return verify_launch


verify_launch = _waiting(verify_launch_async)
verify_launch.__name__ = verify_launch.__qualname__ = "verify_launch"


def _check(fields: str | None) -> None:
    """Clio answers deeper braces with 400, which is easily mistaken for a refused nonce (reference, "fields")."""
    if fields is not None and not _FIELDS.fullmatch(fields):
        raise InvalidInput(
            "fields is a comma list with one level of braces and no spaces, such as 'id,client{name}'.", field="fields"
        )
