"""Judge one case by its evidence: what the receiver answered, what reached the sandbox, and what went astray. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ...places import Location
from ..control import SeenRequest
from .browser import Answer
from .canary import Stranger
from .cases import ADMIT, BY_HEAD, REFUSE, Case
from .mistakes import Mistake

_NOT_CARRIED_OUT: Final = (401, 429)
"""After such an answer the nonce is unspent and may be sent once more."""

_RECORD: Final = re.compile(rf"/api/v4/({'|'.join(location.resource for location in Location)})/\d+")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was seen of one case.

    ``users`` are those whom the launch names, ``subject`` is the path of the record it was clicked on.
    """

    users: frozenset[int]
    subject: str
    answers: tuple[Answer, ...]
    requests: tuple[SeenRequest, ...]
    strangers: tuple[Stranger, ...]

    @property
    def with_nonce(self) -> list[SeenRequest]:
        """The requests to Clio that carried a nonce."""
        return [request for request in self.requests if request.has_nonce]

    @property
    def proved(self) -> bool:
        """Whether Clio confirmed the nonce for a user of the launch."""
        return any(request.status == 200 and request.user_id in self.users for request in self.with_nonce)


def judge(case: Case, seen: Evidence, genuine: frozenset[Answer]) -> tuple[Mistake, ...]:
    """Return the mistakes that a case shows, each once. ``genuine`` are the answers to genuine launches."""
    return tuple(dict.fromkeys(_mistakes(case, seen, genuine)))


def _mistakes(case: Case, seen: Evidence, genuine: frozenset[Answer]) -> Iterator[Mistake]:
    yield from _astray(seen)
    if case.visits == BY_HEAD:
        if seen.with_nonce:
            yield Mistake.SPENDS_ON_HEAD
        return
    yield from _at_clio(case, seen)
    yield from _answered(case, seen)
    admitted = any(_admits(answer, genuine) for answer in seen.answers)
    if case.expect == ADMIT:
        yield from _genuine(seen, admitted=admitted)
    elif admitted and not seen.proved:
        yield Mistake.LETS_IN_UNPROVED
    elif admitted and case.expect == REFUSE:
        yield case.blamed


def _astray(seen: Evidence) -> Iterator[Mistake]:
    if any(stranger.has_token for stranger in seen.strangers):
        yield Mistake.TOKEN_LEAVES_CLIO
    elif seen.strangers:
        yield Mistake.ASKS_ANOTHER_HOST


def _at_clio(case: Case, seen: Evidence) -> Iterator[Mistake]:
    if any(request.user_id is not None and request.user_id not in seen.users for request in seen.requests):
        yield Mistake.OTHER_USERS_TOKEN
    allowed = len(seen.answers) + any(request.status in _NOT_CARRIED_OUT for request in seen.with_nonce)
    if len(seen.with_nonce) > allowed:
        yield Mistake.RETRIES_NONCE
    if not case.hostile:
        return
    if any(request.path.removesuffix(".json") != seen.subject for request in seen.with_nonce):
        yield Mistake.TRUSTS_SUBJECT_URL
    if any(not request.has_nonce and _RECORD.match(request.path) for request in seen.requests):
        yield Mistake.SWALLOWED_NONCE


def _answered(case: Case, seen: Evidence) -> Iterator[Mistake]:
    if any(answer.status == 0 for answer in seen.answers):
        yield Mistake.NO_ANSWER
    if case.fault is None and any(answer.status >= 500 for answer in seen.answers):
        yield Mistake.BREAKS_DOWN


def _genuine(seen: Evidence, *, admitted: bool) -> Iterator[Mistake]:
    if not admitted:
        yield Mistake.REFUSES_GENUINE
    elif not seen.with_nonce:
        yield Mistake.NEVER_SENDS_NONCE
    elif not seen.proved:
        yield Mistake.LETS_IN_UNPROVED


def _admits(answer: Answer, genuine: frozenset[Answer]) -> bool:
    """Whether a launch was let in: answered well, and in the way in which genuine ones are answered."""
    return 0 < answer.status < 400 and (not genuine or answer.shape in genuine)
