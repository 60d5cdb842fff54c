"""When a request is sent again, and after which pause: bounded per request, and for all users together."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from .. import errors
from ..models import Clock
from . import timeouts
from .messages import Request
from .pace import LONGEST_WAIT

T = TypeVar("T")

ATTEMPTS: Final = 4
RETRY_BUDGET: Final = 100  # retries for all users together: an outage is not answered with a storm of requests


class _Budget:
    """Retries left for all sessions together; each that succeeded adds two."""

    left: float = RETRY_BUDGET


async def repeat(
    request: Request, attempt: Callable[[], Awaitable[T]], failure: errors.ClioError, clock: Clock | None = None
) -> T:
    """Try again what has just failed: anything after a 429, a read after a 5xx or a lost answer.

    Nothing is repeated after a failure of TLS or a refusal of the proxy. Raises the last failure when it may not be
    repeated, when the attempts or the shared budget are used up, or when the pause before the next would outlast the
    timeout. A pause that the server asks for goes by its ``clock``.
    """
    for attempts in range(1, ATTEMPTS):
        asked = min(failure.retry_after or 0.0, LONGEST_WAIT) if isinstance(failure, errors.ServerError) else 0.0
        pause = asked or random.uniform(0, 0.25 * 2**attempts)  # noqa: S311 -- no secret
        if isinstance(failure, errors.RateLimited):
            pause = 0.0  # the token's own pace waits
        elif not (_may_read_again(request) and getattr(failure, "repeatable", True)):
            break
        if pause >= timeouts.left():
            break
        if pause:
            _Budget.left -= 1
            stands = clock if asked else None
            await timeouts.rest(pause, stands, pause + (stands.now() if stands else 0.0))
        try:
            answer = await attempt()
        except (errors.RateLimited, errors.ServerError, errors.NetworkError) as again:
            failure = again
        else:
            _Budget.left = min(_Budget.left + 2, RETRY_BUDGET)
            return answer
    raise failure


def _may_read_again(request: Request) -> bool:
    return request.repeatable and _Budget.left >= 1
