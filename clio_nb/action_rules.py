"""What a custom action's label, target URL and location must be: the only rules for them.

Sessions, manifests, plans, forms and :func:`lint` all use these, so that what one of them accepts, all accept. Also
here: when two URLs or labels mean the same, since a browser or Clio may write them differently than a person does.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from operator import attrgetter
from typing import Final, Literal, NamedTuple
from urllib.parse import parse_qsl

from .errors import InvalidAction, InvalidInput
from .models import CustomAction
from .urls import URL_MAX, address, as_sent, endpoint, escaped, read_url
from .vocabulary import LABEL_MAX, MEANINGS, Location

TARGET_MAX: Final = URL_MAX - 2304
"""Longest target URL: Clio adds up to 2,048 characters of nonce to it, and the three other parameters."""

Draft = tuple[str, str, Location | str]
"""An action that is not created yet, as :func:`clio_nb.create_action` takes it: label, target URL, location."""


class Finding(NamedTuple):
    """One thing to change. ``field`` is the argument of :func:`clio_nb.create_action` that it is about.

    ``level`` is ``"error"`` when Clio refuses the action, no menu can show it or no launch of it could be proved, else
    ``"warning"``; ``clio`` is the error that Clio gives (``"422 RecordInvalid"``), empty when Clio takes it as it is.
    """

    field: Literal["label", "target_url", "at"]
    level: Literal["error", "warning"]
    sentence: str
    clio: str = ""


def lint(action: CustomAction | Draft, *, beside: Iterable[CustomAction] = ()) -> list[Finding]:
    """Check an action before it is sent. Nothing is sent.

    Which error Clio gives is not documented for every rule; see the assumptions of the sandbox.

    Args:
        action: An action of Clio, or a tuple of label, target URL and location.
        beside: The actions that the same user has already: a label may be used once in each location.

    Returns:
        What is wrong with it, worst first; an empty list when nothing is.

    Examples:
        >>> [finding.field for finding in clio.lint(("Sign", "ftp://partner.example", "matters"))]
        ['target_url']
    """
    if isinstance(action, CustomAction):
        label, target_url, at = action.label or "", action.target_url or "", action.ui_reference or ""
        beside = [other for other in beside if other.id != action.id]
    else:
        label, target_url, at = action
    found = [*findings(label=label, at=at), *_of_twins(label, at, beside), *findings(target_url=target_url)]
    return sorted(found, key=attrgetter("level"))


def findings(
    *, label: str | None = None, target_url: str | None = None, at: Location | str | None = None
) -> list[Finding]:
    """Return what is wrong with the values that are given, each by itself, worst first."""
    given = ((_of_label, label), (_of_location, at), (_of_target, target_url))
    return sorted((one for judge, value in given if value is not None for one in judge(value)), key=attrgetter("level"))


def check(*, label: str | None = None, target_url: str | None = None) -> None:
    """Raise :class:`InvalidAction` for the worst of what is wrong, if that is an error."""
    for worst in findings(label=label, target_url=target_url)[:1]:
        if worst.level == "error":
            raise InvalidAction(worst.sentence, field=worst.field)


def location_of(name: Location | str) -> Location:
    """Return the location that a person means: a :class:`Location`, ``"matters/show"``, ``"matters"`` or ``"Matter"``.

    Raises :class:`InvalidInput` that lists the five locations for anything else.
    """
    location = _LOCATIONS.get(str(name).strip().lower())
    if location is None:
        known = ", ".join(location.resource for location in Location)
        raise InvalidInput(f"Unknown location {str(name)[:60]!r}. Use one of: {known}.", field="at")
    return location


_LOCATIONS: Final = {
    name: location
    for location in Location
    for name in (location.value, location.resource, location.record_type.lower())
}


def same_label(one: str | None, other: str | None) -> bool:
    """Whether a menu shows two labels alike: it shows spaces in a row as one, and none at an end."""
    return one == other or (one is not None and other is not None and as_shown(one) == as_shown(other))


def as_shown(label: str) -> str:
    """Return a label as a menu shows it."""
    return " ".join(unicodedata.normalize("NFC", label).split())


def same_url(one: str | None, other: str | None) -> bool:
    """Whether a browser asks for two URLs with the same request."""
    return one == other or (one is not None and other is not None and canonical(one) == canonical(other))


@lru_cache(maxsize=4096)
def canonical(url: str) -> str:
    """Return a URL in the form that all URLs of the same meaning share (RFC 3986, section 6.2.2 and 6.2.3).

    Case of scheme, host and escapes, a default port, a slash after a bare host, an empty query or fragment, and letters
    that a browser escapes make no difference. Text that is not a URL is returned as it is.
    """
    head = read_url(as_sent(url))
    if isinstance(head, str):
        return url
    scheme, host, port, path = endpoint(head)
    query, fragment = escaped(head["query"] or "").replace("'", "%27"), escaped((head["fragment"] or "")[1:])
    return f"{scheme}://{host}:{port}{path}{query and '?' + query}{fragment and '#' + fragment}"


_TAKEN_BY_CLIO: Final = re.compile(r"(?i:https?)://[^/?#\x00-\x20\x7f\\][^\x00-\x20\x7f\\]*")
_PLACEHOLDER: Final = re.compile(r"\{[^{}]*\}|%7B.*?%7D|<\w+>|\[\[?[A-Za-z_.]+\]?\]|/:[A-Za-z_]+", re.IGNORECASE)


def _of_label(label: str) -> Iterator[Finding]:
    if not any(char.isprintable() and not char.isspace() for char in label):
        answer = "" if label.strip() else "422 RecordInvalid"
        yield Finding("label", "error", "The label is empty. Give the text that the menu shows.", answer)
    elif len(label) > LABEL_MAX:  # code points, as len() and Ruby's length validation count them
        too_many = len(label) - LABEL_MAX
        sentence = f"The label has {len(label)} characters; Clio takes {LABEL_MAX} at most. Shorten it by {too_many}."
        yield Finding("label", "error", sentence, "422 RecordInvalid")
    elif any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in label):
        yield Finding(
            "label",
            "error",
            "The label has a tab, a line break, half an emoji or another character no menu can show. Remove it.",
        )
    elif label != " ".join(label.split()) or not label.isprintable():
        sentence = (
            "The label has leading, trailing or repeated spaces, or invisible characters. "
            "Clio may drop them: remove them."
        )
        yield Finding("label", "warning", sentence)
    if _PLACEHOLDER.search(label):
        yield Finding(
            "label", "warning", "The label has a placeholder. Clio does not fill it in: users see it as it is."
        )


def _of_location(name: str) -> Iterator[Finding]:
    try:
        location_of(name)
    except InvalidInput as error:
        yield Finding("at", "error", str(error), "400 ArgumentError")


def _of_twins(label: str, at: Location | str, beside: Iterable[CustomAction]) -> Iterator[Finding]:
    location = _LOCATIONS.get(str(at).strip().lower())
    if location and (
        twin := next((other for other in beside if (other.label, other.location) == (label, location)), None)
    ):
        sentence = f"This user already has an action with that label on {location.resource} (id {twin.id})."
        yield Finding("label", "error", sentence, "422 RecordInvalid")


def _of_target(target_url: str) -> Iterator[Finding]:
    sent = as_sent(target_url)
    head = read_url(sent)
    if len(sent) > TARGET_MAX:
        head = (
            f"The target has {len(sent)} characters; at most {TARGET_MAX} leave room for Clio's parameters. Shorten it."
        )
    elif "\\" in sent:
        head = "The target has a backslash, which some browsers and servers change. Write %5C."
    if isinstance(head, str):
        answer = "" if _TAKEN_BY_CLIO.fullmatch(sent) else "422 RecordInvalid"
        yield Finding("target_url", "error", head, answer)
        return
    yield from (Finding("target_url", "error", sentence) for wrong, sentence in _BREAKS_LAUNCHES if wrong(head))
    yield from (Finding("target_url", "warning", sentence) for wrong, sentence in _UNWISE if wrong(head))


def _own_names(head: re.Match[str]) -> set[str]:
    return {name for name, _ in parse_qsl(head["query"] or "", keep_blank_values=True)}


def _stays_on_this_machine(head: re.Match[str]) -> bool:
    host = head["host"].lower().strip("[].")
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".local", ".internal"))


_Rules = tuple[tuple[Callable[[re.Match[str]], object], str], ...]
_BREAKS_LAUNCHES: Final[_Rules] = (
    (
        lambda head: _own_names(head) & {*MEANINGS},
        f"The target has a parameter of Clio's ({', '.join(MEANINGS)}): every launch would have it twice. Rename it.",
    ),
    (
        lambda head: re.search(r"/\.{1,2}(/|\Z)", escaped(head["path"] or "")),
        "The path has a . or .. segment, which browsers resolve. Write the resolved path.",
    ),
    (
        lambda head: address(head["host"].lower()) == "",
        "The host looks like an IP address, but browsers rewrite it. Use the form 192.0.2.1 or [2001:db8::1].",
    ),
)
_UNWISE: Final[_Rules] = (
    (
        lambda head: any(
            re.split(r"[\[.]", name.strip().lower())[0] in MEANINGS for name in _own_names(head) - {*MEANINGS}
        ),
        "The target has a parameter that differs from one of Clio's only in case or brackets. Rename it.",
    ),
    (
        lambda head: _PLACEHOLDER.search("".join(filter(None, (head["path"], head["query"], head["fragment"])))),
        "The target has a placeholder. Clio does not fill it in; the record comes as subject_url in every launch.",
    ),
    (
        lambda head: head["scheme"].lower() == "http",
        "The target is http: the nonce of every launch crosses the network in the clear. Use https.",
    ),
    (
        _stays_on_this_machine,
        "The target's host can be reached only from this machine or network. For everybody else the tab will not open.",
    ),
    (
        lambda head: head["query"] is not None,
        "The target has a query of its own. How Clio joins its parameters to it is not documented; a path is safer.",
    ),
    (
        lambda head: head["fragment"] is not None,
        "The target has a fragment (#), which a browser never sends to the server.",
    ),
)
