"""The suite: every launch that is fired at a receiver, and what a good one does with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from ...models import Subject, User
from ...places import MEANINGS, Location
from .mistakes import Mistake

Parameters = list[tuple[str, str]]

ADMIT: Final = "admit"
REFUSE: Final = "refuse"
PROVE: Final = "prove"

Expectation = Literal["admit", "refuse", "prove"]
"""Let it in; turn it away; or let it in only if Clio has confirmed it (a receiver may give up or ask again)."""

ONCE: Final = "once"
AGAIN: Final = "again"
AT_ONCE: Final = "twice at once"
BY_HEAD: Final = "by HEAD"

Visits = Literal["once", "again", "twice at once", "by HEAD"]


@dataclass(frozen=True, slots=True)
class Stage:
    """Who and what there is to make launches with."""

    user: User
    other: User
    others_action: int
    second: Subject
    canary: str


Change = Callable[[Parameters, Stage], Parameters]


@dataclass(frozen=True, slots=True)
class Case:
    """One attack, or a genuine launch.

    ``change`` makes the sent parameters out of the genuine ones; ``fault`` is armed at the sandbox, for the record's
    path; ``late`` seconds pass after the click; ``hostile`` says that ``subject_url`` is one that Clio never sends;
    ``blamed`` is the mistake of one who lets it in although Clio confirmed the nonce.
    """

    name: str
    title: str
    expect: Expectation
    change: Change = lambda parameters, _: parameters
    at: Location = Location.MATTERS
    fault: Mapping[str, object] | None = None
    late: float = 0.0
    visits: Visits = ONCE
    hostile: bool = False
    blamed: Mistake = Mistake.LETS_IN_MALFORMED


def put(name: str, value: str | Callable[[Stage], str]) -> Change:
    """Return a change of one parameter's value."""
    return lambda parameters, stage: [
        (key, (value if isinstance(value, str) else value(stage)) if key == name else old) for key, old in parameters
    ]


def subject(text: Callable[[str, Stage], str]) -> Change:
    """Return a change of ``subject_url``, given its genuine text."""
    return lambda parameters, stage: [
        (key, text(value, stage) if key == "subject_url" else value) for key, value in parameters
    ]


def without(name: str) -> Change:
    """Return a change that leaves a parameter out."""
    return lambda parameters, _: [(key, value) for key, value in parameters if key != name]


def twice(name: str) -> Change:
    """Return a change that adds a parameter once more, with another value that is good by itself."""
    return lambda parameters, stage: [*parameters, (name, _ANOTHER[name](stage))]


def renamed(name: str, to: str) -> Change:
    """Return a change of a parameter's name."""
    return lambda parameters, _: [(to if key == name else key, value) for key, value in parameters]


def _hostile(name: str, title: str, text: Callable[[str, Stage], str]) -> Case:
    return Case(name, title, REFUSE, subject(text), hostile=True)


def _spoilt(name: str, title: str, change: Change) -> Case:
    return Case(name, title, REFUSE, change)


def _broken(name: str, title: str, expect: Expectation, **fault: object) -> Case:
    return Case(name, title, expect, fault=fault, blamed=Mistake.TRUSTS_ANY_ANSWER)


_FORGED: Final = "forged-nonce-0123456789"
_NOBODY: Final = "999999999999"


_ANOTHER: Final[Mapping[str, Callable[[Stage], str]]] = {
    "custom_action_id": lambda stage: str(stage.others_action),
    "user_id": lambda stage: str(stage.other.id),
    "subject_url": lambda stage: stage.second.path,
    "custom_action_nonce": lambda _: _FORGED,
}

_ARABIC: Final = {ord("0") + digit: 0x660 + digit for digit in range(10)}

CASES: Final = (
    *(Case(f"genuine-{at.resource}", f"a genuine launch on {at.resource}", ADMIT, at=at) for at in Location),
    Case("double-click", "the same launch twice at once", ADMIT, visits=AT_ONCE),
    # what only Clio can tell
    Case("forged-nonce", "a forged nonce", REFUSE, put("custom_action_nonce", _FORGED)),
    Case("replayed", "a launch that was used, from another browser", REFUSE, visits=AGAIN),
    Case("expired", "a launch that is 61 seconds old", REFUSE, late=61.0),
    Case("other-user", "another user's id with this user's nonce", REFUSE, put("user_id", lambda s: str(s.other.id))),
    Case("unknown-user", "a user who has never signed in", REFUSE, put("user_id", _NOBODY)),
    Case(
        "swapped-subject", "another record with this record's nonce", PROVE, put("subject_url", lambda s: s.second.path)
    ),
    # what the receiver itself must know
    Case(
        "unknown-action",
        "an unknown action",
        REFUSE,
        put("custom_action_id", _NOBODY),
        blamed=Mistake.IGNORES_ACTION,
    ),
    Case(
        "others-action",
        "an action of another user",
        REFUSE,
        put("custom_action_id", lambda s: str(s.others_action)),
        blamed=Mistake.IGNORES_ACTION,
    ),
    Case(
        "misplaced-action",
        "an action on contacts with a matter as subject",
        REFUSE,
        put("subject_url", lambda s: s.second.path),
        at=Location.CONTACTS,
        blamed=Mistake.IGNORES_ACTION,
    ),
    # another host
    _hostile("at-host", "subject_url @host", lambda path, s: f"@{s.canary}{path}"),
    _hostile("userinfo", "subject_url :x@host", lambda path, s: f":x@{s.canary}{path}"),
    _hostile("two-slashes", "subject_url //host", lambda path, s: f"//{s.canary}{path}"),
    _hostile("three-slashes", "subject_url ///host", lambda path, s: f"///{s.canary}{path}"),
    _hostile("backslashes", "subject_url /\\host", lambda path, s: f"/\\{s.canary}{path}"),
    _hostile("absolute", "subject_url http://host", lambda path, s: f"http://{s.canary}{path}"),
    _hostile("path-at-host", "subject_url /api/v4/matters/1@host", lambda path, s: f"{path}@{s.canary}{path}"),
    _hostile("line-break", "subject_url with a line break and a header", lambda path, s: f"{path}\r\nHost: {s.canary}"),
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
    _hostile("leading-zero", "an id with a leading zero", lambda path, _: path.replace("/matters/", "/matters/0")),
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
    *(_spoilt(f"no-{name}", f"{name} is missing", without(name)) for name in MEANINGS),
    *(_spoilt(f"empty-{name}", f"{name} is empty", put(name, "")) for name in MEANINGS),
    *(_spoilt(f"two-{name}", f"{name} twice, with two values", twice(name)) for name in MEANINGS),
    # trouble in the middle
    _broken("401", "Clio answers 401", PROVE, kind="status", status=401, body={"error": "invalid_token"}),
    _broken("429", "Clio answers 429", PROVE, kind="rate_limit", seconds=1),
    _broken("500", "Clio answers 500", PROVE, kind="status", status=500),
    _broken("500-after", "Clio answers 500 after the nonce was spent", PROVE, kind="status", status=500, after=True),
    _broken("reset", "the connection breaks", PROVE, kind="reset"),
    _broken("reset-after", "the connection breaks after the nonce was spent", PROVE, kind="reset", after=True),
    _broken("slow", "Clio takes its time", PROVE, kind="delay", seconds=2),
    _broken("wrong-record", "Clio answers with another record", REFUSE, kind="wrong_record"),
    _broken("html", "a proxy answers with a page and 200", REFUSE, kind="html", status=200),
    _broken("redirect", "a redirect to another host", REFUSE, kind="redirect"),
    Case("head", "a HEAD request", PROVE, visits=BY_HEAD),
)
"""In this order; a genuine launch on matters comes before all that is compared with it."""
