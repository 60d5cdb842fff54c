"""When a request is sent again, and after which pause: bounded per request, and for all users together."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import tenacity

from . import errors, portal
from .pace import LONGEST_WAIT
from .wire import Request

T = TypeVar("T")

ATTEMPTS: Final = 4
RETRY_BUDGET: Final = 100  # retries for all users together: an outage is not answered with a storm of requests


class _Budget:
    """Retries left for all sessions together; each one that helped gives two back."""

    left: float = RETRY_BUDGET


async def repeat(request: Request, attempt: Callable[[], Awaitable[T]], failure: errors.ClioError) -> T:
    """Try again what has just failed: anything after a 429, a read after a 5xx or a lost answer.

    Nothing is repeated after a failure of TLS.
    Raises the last failure when it may not be repeated, or when the attempts or the shared budget are used up.
    """
    if not _may_repeat(request, failure):
        raise failure
    await _rest(_pause(failure, 1))
    answer: T = await tenacity.AsyncRetrying(
        stop=tenacity.stop_after_attempt(ATTEMPTS - 1),
        wait=lambda state: _pause(_failure(state), state.attempt_number + 1),
        retry=lambda state: _may_repeat(request, _failure(state)),
        sleep=_rest,
        reraise=True,
    )(attempt)
    _Budget.left = min(_Budget.left + 2, RETRY_BUDGET)
    return answer


def _may_repeat(request: Request, error: BaseException | None) -> bool:
    if isinstance(error, errors.RateLimited):
        return True
    trouble = isinstance(error, errors.ServerError | errors.NetworkError) and not isinstance(error, errors.TlsFailed)
    return request.repeatable and trouble and _Budget.left >= 1


async def _rest(seconds: float) -> None:
    _Budget.left -= seconds > 0  # no pause means a 429, for which the token's own pace waits
    await portal.sleep(seconds)


def _pause(error: BaseException | None, attempts: int) -> float:
    if isinstance(error, errors.RateLimited):
        return 0.0
    asked = error.retry_after if isinstance(error, errors.ServerError) else None
    jitter = random.uniform(0, 0.25 * 2**attempts)  # noqa: S311 -- no secret
    return min(asked, LONGEST_WAIT) if asked else jitter


def _failure(state: tenacity.RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None
