"""The suite: every launch that is sent to a receiver, and what a good receiver does with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Final, Literal

from ..models import Subject, User
from ..vocabulary import MEANINGS, Location
from .mistakes import Mistake

Parameters = list[tuple[str, str]]

Expectation = Literal["admit", "refuse", "prove"]
"""Admit it; refuse it; or admit it only if Clio has confirmed it (a receiver may give up or ask again)."""

Visits = Literal["once", "again", "twice at once", "in a session", "by HEAD"]


@dataclass(frozen=True, slots=True)
class Setup:
    """The users, actions and records of the launches at one location.

    ``action`` is the user's, ``others_action`` the other's; ``elsewhere`` is a record of another location.
    """

    user: User
    other: User
    action: int
    others_action: int
    first: Subject
    second: Subject
    elsewhere: Subject
    decoy: str


Change = Callable[[Parameters, Setup], Parameters]


@dataclass(frozen=True, slots=True)
class Case:
    """One attack, or a genuine launch.

    ``change`` makes the sent parameters out of the genuine ones; ``fault`` is armed at the sandbox, for the record's
    path; ``late`` seconds pass after the click; ``hostile`` says that ``subject_url`` is one that Clio never sends,
    ``lacking`` that it lacks what a proof needs; ``blamed`` is the mistake of a receiver that admits it although Clio
    confirmed the nonce. A case is sent at one location in turn, or ``everywhere``, on the second record if ``second``.
    """

    name: str
    title: str
    expect: Expectation
    change: Change = lambda parameters, _: parameters
    everywhere: bool = False
    second: bool = False
    fault: Mapping[str, object] | None = None
    late: float = 0.0
    visits: Visits = "once"
    hostile: bool = False
    lacking: bool = False
    blamed: Mistake = Mistake.LETS_IN_MALFORMED


def changed(name: str, text: Callable[[str, Setup], str]) -> Change:
    """Return a change of one parameter's value, given its genuine one."""
    return lambda parameters, setup: [(key, text(old, setup) if key == name else old) for key, old in parameters]


def put(name: str, value: str | Callable[[Setup], str]) -> Change:
    """Return a change to another value, whatever the genuine one is."""
    return changed(name, lambda _, setup: value if isinstance(value, str) else value(setup))


def without(name: str) -> Change:
    """Return a change that leaves a parameter out."""
    return lambda parameters, _: [(key, value) for key, value in parameters if key != name]


def twice(name: str) -> Change:
    """Return a change that adds a parameter once more, with another value that is good by itself."""
    return lambda parameters, setup: [*parameters, (name, _ANOTHER[name](setup))]


def renamed(name: str, to: str) -> Change:
    """Return a change of a parameter's name."""
    return lambda parameters, _: [(to if key == name else key, value) for key, value in parameters]


def _hostile(name: str, title: str, text: Callable[[str, Setup], str]) -> Case:
    return Case(name, title, "refuse", changed("subject_url", text), hostile=True)


def _spoilt(name: str, title: str, change: Change, *, lacking: bool = False) -> Case:
    return Case(name, title, "refuse", change, lacking=lacking)


def _misled(name: str, title: str, change: Change, *, everywhere: bool = False) -> Case:
    return Case(name, title, "refuse", change, everywhere=everywhere, blamed=Mistake.IGNORES_ACTION)


def _broken(name: str, title: str, expect: Expectation, **fault: object) -> Case:
    return Case(name, title, expect, fault=fault, blamed=Mistake.TRUSTS_ANY_ANSWER)


_FORGED: Final = "forged-nonce-0123456789"
_NOBODY: Final = "999999999999"


_ANOTHER: Final[Mapping[str, Callable[[Setup], str]]] = {
    "custom_action_id": lambda setup: str(setup.others_action),
    "user_id": lambda setup: str(setup.other.id),
    "subject_url": lambda setup: setup.second.path,
    "custom_action_nonce": lambda _: _FORGED,
}

_ARABIC: Final = {ord("0") + digit: 0x660 + digit for digit in range(10)}

CASES: Final = (
    Case("genuine", "a genuine launch", "admit", everywhere=True),
    Case("double-click", "the same launch twice at once", "admit", visits="twice at once"),
    Case("genuine-again", "a genuine launch of another record", "admit", everywhere=True, second=True),
    # what only Clio can tell
    Case("forged-nonce", "a forged nonce", "refuse", put("custom_action_nonce", _FORGED), everywhere=True),
    Case(
        "in-session",
        "a forged nonce, once let in",
        "refuse",
        put("custom_action_nonce", _FORGED),
        visits="in a session",
    ),
    Case("replayed", "a launch that was used, from another browser", "refuse", visits="again"),
    Case("expired", "a launch that is 61 seconds old", "refuse", late=61.0),
    Case("other-user", "another user's id with this user's nonce", "refuse", put("user_id", lambda s: str(s.other.id))),
    Case("unknown-user", "a user who has never signed in", "refuse", put("user_id", _NOBODY)),
    Case(
        "swapped-subject",
        "another record with this record's nonce",
        "prove",
        put("subject_url", lambda s: s.second.path),
    ),
    # what the receiver itself must know
    _misled("unknown-action", "an unknown action", put("custom_action_id", _NOBODY)),
    _misled(
        "others-action",
        "another user's action",
        put("custom_action_id", lambda s: str(s.others_action)),
        everywhere=True,
    ),
    _misled("misplaced-action", "a record of another location", put("subject_url", lambda s: s.elsewhere.path)),
    # another host
    _hostile("at-host", "subject_url @host", lambda path, s: f"@{s.decoy}{path}"),
    _hostile("userinfo", "subject_url :x@host", lambda path, s: f":x@{s.decoy}{path}"),
    _hostile("two-slashes", "subject_url //host", lambda path, s: f"//{s.decoy}{path}"),
    _hostile("three-slashes", "subject_url ///host", lambda path, s: f"///{s.decoy}{path}"),
    _hostile("backslashes", "subject_url /\\host", lambda path, s: f"/\\{s.decoy}{path}"),
    _hostile("absolute", "subject_url http://host", lambda path, s: f"http://{s.decoy}{path}"),
    _hostile("path-at-host", "subject_url of a record, then @host", lambda path, s: f"{path}@{s.decoy}{path}"),
    _hostile("line-break", "subject_url with a line break and a header", lambda path, s: f"{path}\r\nHost: {s.decoy}"),
    # another path
    _hostile("question-mark", "subject_url with a query", lambda path, _: f"{path}?x=1"),
    _hostile("hash", "subject_url with a fragment", lambda path, _: f"{path}#x"),
    _hostile("bare-question-mark", "subject_url that ends in ?", lambda path, _: f"{path}?"),
    _hostile("ampersand", "subject_url with a parameter", lambda path, _: f"{path}&x=1"),
    _hostile("dot-segments", "subject_url with dot segments", lambda path, _: f"{path}/../../users/who_am_i"),
    _hostile(
        "dots-inside",
        "subject_url with dot segments that lead back",
        lambda path, _: path.replace("/v4/", "/v4/../v4/"),
    ),
    _hostile("who-am-i", "subject_url of who_am_i", lambda *_: "/api/v4/users/who_am_i"),
    _hostile("below-a-record", "subject_url below a record", lambda path, _: f"{path}/notes"),
    _hostile("other-version", "subject_url of another version", lambda path, _: path.replace("/v4/", "/v3/")),
    _hostile("leading-zero", "an id with a leading zero", lambda path, _: "/0".join(path.rsplit("/", 1))),
    _hostile("other-digits", "an id in digits that are not ASCII", lambda path, _: path.translate(_ARABIC)),
    _hostile("trailing-newline", "subject_url with a newline at its end", lambda path, _: f"{path}\n"),
    _hostile("no-slash", "subject_url without its first slash", lambda path, _: path.lstrip("/")),
    # encodings
    _hostile("encoded-twice", "subject_url encoded twice", lambda path, _: path.replace("/", "%2F")),
    _hostile("encoded-thrice", "subject_url encoded thrice", lambda path, _: path.replace("/", "%252F")),
    _spoilt("array", "subject_url[] in place of subject_url", renamed("subject_url", "subject_url[]")),
    _spoilt("upper-case", "USER_ID in place of user_id", renamed("user_id", "USER_ID")),
    _spoilt("signed-id", "a user id with a sign", lambda p, s: put("user_id", f"+{s.user.id}")(p, s)),
    _spoilt("float-id", "a user id as a decimal", lambda p, s: put("user_id", f"{s.user.id}.0")(p, s)),
    # missing, empty, doubled
    *(_spoilt(f"no-{name}", f"{name} is missing", without(name), lacking=True) for name in MEANINGS),
    *(_spoilt(f"empty-{name}", f"{name} is empty", put(name, ""), lacking=True) for name in MEANINGS),
    *(_spoilt(f"two-{name}", f"{name} twice, with two values", twice(name)) for name in MEANINGS),
    # failures of Clio and of the network
    _broken("401", "Clio answers 401", "prove", kind="status", status=401, body={"error": "invalid_token"}),
    _broken("429", "Clio answers 429", "prove", kind="rate_limit", seconds=1),
    _broken("500", "Clio answers 500", "prove", kind="status", status=500),
    _broken("500-after", "Clio answers 500 after the nonce was spent", "prove", kind="status", status=500, after=True),
    _broken("reset", "the connection breaks", "prove", kind="reset"),
    _broken("reset-after", "the connection breaks after the nonce was spent", "prove", kind="reset", after=True),
    _broken("slow", "Clio takes its time", "prove", kind="delay", seconds=2),
    _broken("wrong-record", "Clio answers with another record", "refuse", kind="wrong_record"),
    _broken("html", "a proxy answers with a page and 200", "refuse", kind="html", status=200),
    _broken("redirect", "a redirect to another host", "refuse", kind="redirect"),
    Case("head", "a HEAD request", "prove", visits="by HEAD"),
)


def suite(locations: Sequence[Location]) -> Iterator[tuple[str, str, Case, Location]]:
    """Return name and title of each launch to send, its case and its location, in order."""
    turns = cycle(locations)
    for case in CASES:
        if case.everywhere:
            yield from ((f"{case.name}-{at.resource}", f"{case.title} on {at.resource}", case, at) for at in locations)
        else:
            yield case.name, case.title, case, next(turns)
