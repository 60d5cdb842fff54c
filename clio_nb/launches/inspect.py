"""Parse a launch URL into a launch, or into a refusal with reasons. Pure, strict, and for any input.

A launch is an unauthenticated GET that anyone can forge, so nothing is normalised into validity: the URL fits the
grammar below character by character, each of Clio's four parameters counts after exactly one decoding and stands there
exactly once, and mistakes are reported, not repaired.
"""

from __future__ import annotations

import re
from typing import Final

from ..models import Subject
from ..secret import Secret
from ..urls import Address, read_address
from ..vocabulary import MEANINGS, Location
from .report import HIDDEN, Launch, LaunchReport, Part, own_part, shown

ID_MAX: Final = 2**63 - 1  # largest id: Clio's reference declares every id an int64

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
    read = read_address(url, target)
    if isinstance(read, str):
        return LaunchReport(None, (read,))
    problems = {"target": read.mismatch} if read.mismatch else {}
    action_id = _read_id("custom_action_id", read, problems)
    user_id = _read_id("user_id", read, problems)
    subject = _read_subject(read, problems)
    nonce = _read_nonce(read, problems)
    if problems or action_id is None or user_id is None or subject is None or nonce is None:
        return _refusal(read, problems)
    return LaunchReport(Launch(action_id, user_id, subject, nonce), target=read.target, extras=read.own)


def _first_fault(text: str, faults: tuple[tuple[re.Pattern[str], str], ...]) -> str:
    return next(sentence for pattern, sentence in faults if pattern.search(text))


def _only_value(name: str, read: Address, problems: dict[str, str]) -> str | None:
    """Return the one value of a parameter of Clio's; note a problem when it is missing, empty or doubled."""
    values = read.clio.get(name)
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


def _read_id(name: str, read: Address, problems: dict[str, str]) -> int | None:
    text = _only_value(name, read, problems)
    if text is None:
        return None
    if _ID.fullmatch(text) and (number := int(text)) <= ID_MAX:
        return number
    problems[name] = f"{name} is not an id. Clio's ids are whole numbers from 1 to {ID_MAX}, in plain digits."
    return None


def _read_subject(read: Address, problems: dict[str, str]) -> Subject | None:
    text = _only_value("subject_url", read, problems)
    if text is None:
        return None
    match = _SUBJECT.fullmatch(text)
    if match and (record_id := int(match[2])) <= ID_MAX and (location := Location.of_resource(match[1])):
        return Subject(location, record_id)
    fault = _first_fault(text, _FAULTS_OF_SUBJECT)
    problems["subject_url"] = f"subject_url {fault}. Clio sends only a path such as /api/v4/matters/123."
    return None


def _read_nonce(read: Address, problems: dict[str, str]) -> Secret | None:
    text = _only_value("custom_action_nonce", read, problems)
    if text is None:
        return None
    if _NONCE.fullmatch(text):
        return Secret(text)
    problems["custom_action_nonce"] = (
        "custom_action_nonce is not visible ASCII text of 1 to 2,048 characters. Click the action in Clio again."
    )
    return None


def _refusal(read: Address, problems: dict[str, str]) -> LaunchReport:
    secrets = read.clio.get("custom_action_nonce", [])
    fits = "target" not in problems
    parts = [Part("target", shown(read.base, secrets), problems.get("target", "the page that was opened"), fits)]
    parts += [own_part(pair, secrets, "not one of Clio's parameters") for pair in read.own]
    for name, meaning in MEANINGS.items():
        values = read.clio.get(name, ())
        if name == "custom_action_nonce":
            texts = [f"{len(value)} characters {HIDDEN}" for value in values]
        else:
            texts = [shown(value, secrets) for value in values]
        parts.append(Part(name, ", ".join(texts[:3]), problems.get(name, meaning), name not in problems))
    return LaunchReport(None, tuple(problems.values()), findings=tuple(parts))


def fits_target(url: str, target: str | None) -> bool:
    """Whether an address, without Clio's parameters, is that of the registered target. True when there is no target."""
    return target is None or (isinstance(read := read_address(url, target), Address) and not read.mismatch)
