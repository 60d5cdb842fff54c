"""The evidence of one case, and the baseline: how this receiver answers genuine and malformed launches. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..http.sandbox_control import SeenRequest
from ..vocabulary import Location
from ._browser import BrowserAnswer
from ._decoy import StrayRequest


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was seen of one case.

    ``users`` are those whom the launch names, ``subject`` is the path of the record it was clicked on, at ``at``.
    """

    at: Location
    users: frozenset[int]
    subject: str
    answers: tuple[BrowserAnswer, ...]
    requests: tuple[SeenRequest, ...]
    stray: tuple[StrayRequest, ...]

    @property
    def with_nonce(self) -> list[SeenRequest]:
        """The requests to Clio that carried a nonce."""
        return [request for request in self.requests if request.has_nonce]

    @property
    def proved(self) -> bool:
        """Whether Clio confirmed the nonce for a user of the launch."""
        return any(request.status == 200 and request.user_id in self.users for request in self.with_nonce)

    @property
    def work(self) -> frozenset[tuple[str, str]]:
        """Method and path, without numbers, of what was asked of Clio after the nonce."""
        last = max((at for at, request in enumerate(self.requests) if request.has_nonce), default=-1)
        return frozenset((one.method, re.sub(r"\d+", "0", one.path)) for one in self.requests[last + 1 :])


class Baseline:
    """How a receiver answers genuine launches, and malformed ones, which every receiver must refuse.

    What is compared: the status, whether the browser was redirected, and words. Genuine answers of one location have
    some words in common, whatever differs between them (an address, a name, a token), and so have refusals. Where that
    tells nothing, what the receiver did after Clio had refused the nonce is held against what it does after a proof.
    """

    def __init__(self, genuine: Sequence[Evidence], malformed: Sequence[Evidence], sign_in: str) -> None:
        self._sign_in = sign_in
        self.proof_paths = {one.path for seen in genuine for one in seen.with_nonce} - {one.subject for one in genuine}
        self.sends_nonce = any(seen.with_nonce for seen in genuine)
        self._work = frozenset.intersection(*(seen.work for seen in genuine)) if genuine else frozenset()

        turned_away = [answer for seen in malformed if not seen.proved for answer in seen.answers]
        looks = {(answer.form, answer.words) for answer in turned_away}
        good = [(seen.at, answer) for seen in genuine for answer in seen.answers if 0 < answer.status < 400]
        # where only some are answered as malformed ones are, the receiver turned these away
        good = [(at, answer) for at, answer in good if (answer.form, answer.words) not in looks] or good
        self._good = [answer for _, answer in good]
        self._in_common = [_common([one for where, one in good if where == at]) for at in {at for at, _ in good}]
        self._spoken = frozenset[str]().union(*(one.words for one in self._good))
        # a malformed launch that is answered just as a genuine one was let in, unless all of them are answered so
        refusals = [one for one in turned_away if not (self._like_genuine(one) and one.words <= self._spoken)]
        self._refused_with = _common(refusals) - self._spoken
        self._refusal_words = frozenset[str]().union(*(one.words for one in refusals))
        self._refusal_forms = {one.form for one in refusals}

    def admits(self, seen: Evidence) -> bool | None:
        """Whether a launch was let in; None where that cannot be told."""
        told = [self._told(answer, seen) for answer in seen.answers]
        return True if True in told else None if None in told else False

    def welcomes(self, seen: Evidence) -> bool:
        """Whether a genuine launch was answered well."""
        return any(answer in self._good or self._told(answer, seen) for answer in seen.answers)

    def _told(self, answer: BrowserAnswer, seen: Evidence) -> bool | None:
        went_on = not seen.proved and bool(self._work) and self._work <= seen.work
        if answer.status == 0 or answer.status >= 400:
            return went_on and any(method != "GET" for method, _ in self._work)
        if answer.led_to.startswith(self._sign_in):
            return False
        like = self._like_genuine(answer)
        if answer.form in self._refusal_forms:
            only_genuine = frozenset[str]().union(*self._in_common) - self._refusal_words
            if self._refused_with and self._refused_with <= answer.words:
                return False
            if only_genuine and not only_genuine & answer.words:
                return False
            like = [words for words in like if words - self._refusal_words or answer.words <= self._spoken]
        if like and (self._refusal_forms or not self.sends_nonce):  # who never asks Clio refuses nothing
            return True
        elsewhere = _address(answer) not in map(_address, self._good)  # a session of its own
        return True if went_on or (seen.with_nonce and not seen.proved and like and elsewhere) else None

    def _like_genuine(self, answer: BrowserAnswer) -> list[frozenset[str]]:
        """Return the words that the genuine answers of a location have in common, for each that an answer is like."""
        alike = any(answer.form == one.form for one in self._good)
        return [words for words in self._in_common if alike and words <= answer.words]


def _address(answer: BrowserAnswer) -> str:
    """Return where an answer led to, without numbers, which differ from record to record."""
    return re.sub(r"\d+", "0", answer.led_to)


def _common(answers: Sequence[BrowserAnswer]) -> frozenset[str]:
    """Return the words that all answers have."""
    return frozenset.intersection(*(answer.words for answer in answers)) if answers else frozenset()
