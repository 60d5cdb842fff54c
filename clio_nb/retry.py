"""When a request is sent again, and after which pause: bounded per request, and for all users together."""

from __future__ import annotations

import random
from typing import Final

import tenacity

from . import errors, portal
from .pace import LONGEST_WAIT
from .wire import Request

ATTEMPTS: Final = 4
RETRY_BUDGET: Final = 100  # for all users together: an outage is not answered with a storm of requests


class _Budget:
    """Retries left for all sessions together; each good answer gives a little back."""

    def __init__(self) -> None:
        self.left = float(RETRY_BUDGET)


_budget: Final = _Budget()


def retrying(request: Request) -> tenacity.AsyncRetrying:
    """Say how one request is tried again: reads after a 5xx or a lost answer, anything after a 429."""

    def again(state: tenacity.RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        if error is None:
            _budget.left = min(_budget.left + 0.1, RETRY_BUDGET)
            return False
        if isinstance(error, errors.RateLimited):
            return True
        if (
            not request.repeatable
            or not isinstance(error, errors.ServerError | errors.NetworkError)
            or _budget.left < 1
        ):
            return False
        _budget.left -= 1
        return True

    def pause(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, errors.RateLimited):
            return 0.0  # the pace of the token waits
        asked = error.retry_after if isinstance(error, errors.ServerError) else None
        jitter = random.uniform(0, 0.25 * 2**state.attempt_number)  # noqa: S311 -- no secret
        return min(asked, LONGEST_WAIT) if asked else jitter

    return tenacity.AsyncRetrying(
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=pause,
        retry=again,
        sleep=lambda seconds: portal.sleep(seconds),  # noqa: PLW0108 -- looked up late, for the tests' clock
        reraise=True,
    )
