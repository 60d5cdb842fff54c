"""Parse a launch URL into a launch, or into a refusal with reasons. Pure, strict, and for any input.

A launch is an unauthenticated GET that anyone can forge, so nothing is normalised into validity: the URL fits the
grammar below character by character, each of Clio's four parameters counts after exactly one decoding and stands there
exactly once, and mistakes are reported, not repaired.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from ..action_rules import URL_MAX, as_sent, endpoint, read_url
from ..models import Subject
from ..secret import Secret
from ..vocabulary import MEANINGS, Location
from .report import HIDDEN, Launch, LaunchReport, Part, own_part, shown

ID_MAX: Final = 2**63 - 1
"""Largest id: Clio's reference declares every id an int64."""

_NONCE: Final = re.compile(r"[!-~]{1,2048}")  # Clio documents no alphabet and no length
_ID: Final = re.compile(r"[1-9][0-9]{0,18}")
_RESOURCE: Final = "|".join(location.resource for location in Location)
_SUBJECT: Final = re.compile(rf"/api/v4/({_RESOURCE})/({_ID.pattern})(?:\.json)?")

_FAULTS_OF_SUBJECT: Final = (
    (re.compile(r"[^!-~]"), "has a space, a control character or a non-ASCII letter"),
    (re.compile(r"%"), "is encoded more than once"),
    (
        re.compile(r"\A(?!/)|\A//|://|[\\@]"),
        "names a host or does not start with a slash: a careless receiver would send its token to another host",
    ),
    (re.compile(r"[?#&;]"), "has a query, a parameter or a fragment, which would swallow the nonce"),
    (re.compile(r"/\.|//"), "has dot segments or empty segments, which lead to another path"),
    (re.compile(r"\A(?!/api/v4/)"), "does not lead to version 4 of Clio's API"),
    (
        re.compile(rf"\A/api/v4/(?!(?:{_RESOURCE})(?:/|\Z))"),
        "does not name an activity, contact, document, folder or matter",
    ),
    (re.compile(""), "does not end in the id of one record, in plain digits"),
)


class _Query(NamedTuple):
    """A query, decoded once: the values of Clio's four parameters, and the pieces that are not Clio's as they stood."""

    clio: dict[str, list[str]]
    own: list[str]


class _Demands(NamedTuple):
    """What a registered target URL demands of a launch."""

    endpoint: tuple[str, str, str, str]
    own: dict[str, list[str]]


def inspect_launch(url: object, *, target: object = None) -> LaunchReport:
    """Tell whether a URL is a launch of a custom action, and explain every part of it. Nothing is sent anywhere.

    It never raises: anything that is not a launch comes back as a report that is false and holds the reasons.

    Args:
        url: The address that was opened.
        target: The ``target_url`` that was registered. With it, a launch must go to that scheme, host, port and path,
            and carry the target's own parameters unchanged; without it any http or https URL will do.

    Returns:
        The report: true for a launch, with the ``launch`` and its ``parts``.

    Source: Clio's guide, "Receiving a Custom Action".

    Examples:
        >>> parameters = "custom_action_id=7&user_id=5&subject_url=/api/v4/matters/9&custom_action_nonce=s3cret"
        >>> clio.inspect_launch(f"https://partner.example/launch?{parameters}")
        <LaunchReport ok: user 5, action 7, Matter 9>
    """
    head = read_url(url)
    if isinstance(head, str):
        return LaunchReport(None, (head,))
    query = _read_query(head["query"])
    problems: dict[str, str] = {}
    if target is not None and (mismatch := _mismatch(head, query.own, target)):
        problems["target"] = mismatch
    action_id = _read_id("custom_action_id", query, problems)
    user_id = _read_id("user_id", query, problems)
    subject = _read_subject(query, problems)
    nonce = _read_nonce(query, problems)
    if problems or action_id is None or user_id is None or subject is None or nonce is None:
        return _refusal(head["base"], query, problems)
    return LaunchReport(
        Launch(action_id, user_id, subject, nonce),
        target=head["base"] + ("?" + "&".join(query.own) if query.own else "") + (head["fragment"] or ""),
        extras=_pairs(query.own),
    )


def _first_fault(text: str, faults: tuple[tuple[re.Pattern[str], str], ...]) -> str:
    return next(sentence for pattern, sentence in faults if pattern.search(text))


def _read_query(text: str | None) -> _Query:
    clio: dict[str, list[str]] = {}
    own: list[str] = []
    for piece in text.split("&") if text else ():
        name, _, value = piece.partition("=")
        if (name := _decode(name)) in MEANINGS:
            plain = value.replace("+", "%2B") if name == "custom_action_nonce" else value  # a space never is in one
            clio.setdefault(name, []).append(_decode(plain))
        else:
            own.append(piece)
    return _Query(clio, own)


def _decode(text: str) -> str:
    """Decode a name or value of a query, once. Bytes that are no UTF-8 become U+FFFD, which no rule here accepts."""
    if "+" in text:
        text = text.replace("+", " ")
    return unquote_to_bytes(text).decode(errors="replace") if "%" in text else text


def _pairs(own: list[str]) -> tuple[tuple[str, str], ...]:
    """Return the decoded names and values of the pieces that are not Clio's; an empty piece has none."""
    parted = (piece.partition("=") for piece in own if piece)
    return tuple((_decode(name), _decode(value)) for name, _, value in parted)


def _only_value(name: str, query: _Query, problems: dict[str, str]) -> str | None:
    """Return the one value of a parameter of Clio's; note a problem when it is missing, empty or doubled."""
    values = query.clio.get(name)
    if values is None:
        problems[name] = f"{name} is missing. Clio adds it to every launch: copy the whole address, or click again."
    elif len(values) > 1:
        problems[name] = (
            f"{name} appears {len(values)} times. Clio sends it once, so this launch did not come from a click."
        )
    elif not values[0]:
        problems[name] = f"{name} is empty. Clio always fills it in."
    else:
        return values[0]
    return None


def _read_id(name: str, query: _Query, problems: dict[str, str]) -> int | None:
    text = _only_value(name, query, problems)
    if text is None:
        return None
    if _ID.fullmatch(text) and (number := int(text)) <= ID_MAX:
        return number
    problems[name] = f"{name} is not an id. Clio's ids are whole numbers from 1 to {ID_MAX}, in plain digits."
    return None


def _read_subject(query: _Query, problems: dict[str, str]) -> Subject | None:
    text = _only_value("subject_url", query, problems)
    if text is None:
        return None
    match = _SUBJECT.fullmatch(text)
    if match and (record_id := int(match[2])) <= ID_MAX and (location := Location.of_resource(match[1])):
        return Subject(location, record_id)
    fault = _first_fault(text, _FAULTS_OF_SUBJECT)
    problems["subject_url"] = f"subject_url {fault}. Clio sends only a path such as /api/v4/matters/123."
    return None


def _read_nonce(query: _Query, problems: dict[str, str]) -> Secret | None:
    text = _only_value("custom_action_nonce", query, problems)
    if text is None:
        return None
    if _NONCE.fullmatch(text):
        return Secret(text)
    problems["custom_action_nonce"] = (
        "custom_action_nonce is not visible ASCII text of 1 to 2,048 characters. Click the action in Clio again."
    )
    return None


def _refusal(base: str, query: _Query, problems: dict[str, str]) -> LaunchReport:
    secrets = query.clio.get("custom_action_nonce", [])
    fits = "target" not in problems
    parts = [Part("target", shown(base, secrets), problems.get("target", "the page that was opened"), fits)]
    parts += [own_part(pair, secrets, "not one of Clio's parameters") for pair in _pairs(query.own)]
    for name, meaning in MEANINGS.items():
        values = query.clio.get(name, ())
        if name == "custom_action_nonce":
            texts = [f"{len(value)} characters {HIDDEN}" for value in values]
        else:
            texts = [shown(value, secrets) for value in values]
        parts.append(Part(name, ", ".join(texts[:3]), problems.get(name, meaning), name not in problems))
    return LaunchReport(None, tuple(problems.values()), findings=tuple(parts))


def fits_target(url: str, target: str | None) -> bool:
    """Whether an address, without Clio's parameters, is that of the registered target. True when there is no target."""
    head = read_url(url)
    return target is None or not (isinstance(head, str) or _mismatch(head, _read_query(head["query"]).own, target))


def _mismatch(head: re.Match[str], own: list[str], target: object) -> str:
    """Say in which way a launch does not fit the registered target, or return an empty text."""
    if not isinstance(target, str) or len(target) > URL_MAX:
        return "The target to compare with is not a URL."
    demands = _demands_of(as_sent(target))
    if isinstance(demands, str):
        return f"The target to compare with is not a URL. {demands}"
    for what, mine, theirs in zip(("scheme", "host", "port", "path"), endpoint(head), demands.endpoint, strict=True):
        if mine != theirs:
            return f"The launch's {what} differs from the registered target's."
    sent = _by_name(own) if demands.own else {}
    for name, values in demands.own.items():
        if sent.get(name) != values:
            return f"The registered target's own parameter {shown(name)} is missing, doubled or changed."
    return ""


@lru_cache(maxsize=64)
def _demands_of(target: str) -> _Demands | str:
    head = read_url(target)
    if isinstance(head, str):
        return head
    return _Demands(endpoint(head), _by_name(_read_query(head["query"]).own))


def _by_name(own: list[str]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in _pairs(own):
        values.setdefault(name, []).append(value)
    return values
