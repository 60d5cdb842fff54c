"""Judge one case by its evidence: the receiver's answers, and the requests at the sandbox and at the decoy. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ..vocabulary import Location
from .cases import Case
from .evidence import Baseline, Evidence
from .mistakes import Mistake

_NOT_CARRIED_OUT: Final = (401, 429)  # after such an answer the nonce is unspent and may be sent once more

_RECORD: Final = re.compile(rf"/api/v4/({'|'.join(location.resource for location in Location)})/\d+")


def judge(case: Case, seen: Evidence, usual: Baseline) -> tuple[tuple[Mistake, ...], bool]:
    """Return the mistakes that a case shows, each once, and whether it stays undecided if the launch was let in."""
    admitted = False if case.visits == "by HEAD" else usual.admits(seen)
    may_be_let_in = case.expect == "admit" or (seen.proved and (case.expect == "prove" or not _met_fault(case, seen)))
    mistakes = tuple(dict.fromkeys(_mistakes(case, seen, usual, wrongly_in=bool(admitted) and not may_be_let_in)))
    return mistakes, admitted is None and not may_be_let_in


def _mistakes(case: Case, seen: Evidence, usual: Baseline, *, wrongly_in: bool) -> Iterator[Mistake]:
    yield from _astray(case, seen)
    if case.visits == "by HEAD":
        if seen.with_nonce:
            yield Mistake.SPENDS_ON_HEAD
        return
    yield from _at_clio(case, seen, usual)
    if any(answer.status == 0 for answer in seen.answers):
        yield Mistake.NO_ANSWER
    if case.fault is None and any(answer.status >= 500 for answer in seen.answers):
        yield Mistake.BREAKS_DOWN
    if case.expect == "admit":
        yield from _genuine(seen, usual)
    elif wrongly_in:
        yield case.blamed if seen.proved else Mistake.LETS_IN_UNPROVED


def _met_fault(case: Case, seen: Evidence) -> bool:
    """Whether the fault of a case, if it has one, hit the proof: it is armed for the first request of the record."""
    first = next((one for one in seen.requests if one.path.removesuffix(".json") == seen.subject), None)
    return case.fault is None or (first is not None and first.has_nonce)


def _astray(case: Case, seen: Evidence) -> Iterator[Mistake]:
    if any(one.has_token for one in seen.stray):
        yield Mistake.TOKEN_LEAVES_CLIO
    elif seen.stray and not case.fault:
        yield Mistake.ASKS_ANOTHER_HOST
    if seen.stray and case.fault:
        yield Mistake.FOLLOWS_REDIRECTS


def _at_clio(case: Case, seen: Evidence, usual: Baseline) -> Iterator[Mistake]:
    if any(request.user_id is not None and request.user_id not in seen.users for request in seen.requests):
        yield Mistake.OTHER_USERS_TOKEN
    allowed = len(seen.answers) + any(request.status in _NOT_CARRIED_OUT for request in seen.with_nonce)
    if len(seen.with_nonce) > allowed:
        yield Mistake.RETRIES_NONCE
    if not case.hostile:
        return
    fair = {seen.subject} | usual.proof_paths
    if any(request.path.removesuffix(".json") not in fair for request in seen.with_nonce):
        yield Mistake.TRUSTS_SUBJECT_URL
    if usual.sends_nonce and not seen.with_nonce and any(_RECORD.match(request.path) for request in seen.requests):
        yield Mistake.SWALLOWED_NONCE


def _genuine(seen: Evidence, usual: Baseline) -> Iterator[Mistake]:
    if not usual.welcomes(seen):
        yield Mistake.REFUSES_GENUINE
    elif not seen.with_nonce:
        yield Mistake.NEVER_SENDS_NONCE
    elif not seen.proved:
        yield Mistake.LETS_IN_UNPROVED
