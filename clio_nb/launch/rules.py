"""Look over a custom action before it is sent: what Clio would refuse, and what would make its launches useless."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Literal, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from ..errors import InvalidInput
from ..models import CustomAction, location_of, web_url
from ..places import LABEL_MAX, Location
from .report import MEANINGS
from .url import inspect_launch

_PLACEHOLDER: Final = re.compile(r"\{[^{}]*\}|%7B.*?%7D|<\w+>|\[\[?[A-Za-z_.]+\]?\]|/:[A-Za-z_]+", re.IGNORECASE)
_SAMPLE: Final = "custom_action_id=1&user_id=1&subject_url=%2Fapi%2Fv4%2Fmatters%2F1&custom_action_nonce=sample-nonce"

Draft = tuple[str, str, Location | str]
"""An action that is not created yet, as :func:`clio_nb.create_action` takes it: label, target URL, place."""


class Finding(NamedTuple):
    """One thing to change. ``field`` is the argument of :func:`clio_nb.create_action` that it is about.

    ``level`` is ``"error"`` when Clio refuses the action or no launch of it could be proved, else ``"warning"``;
    ``clio`` is the error that Clio gives (``"422 RecordInvalid"``), empty when Clio takes the action as it is.
    """

    field: Literal["label", "target_url", "at"]
    level: Literal["error", "warning"]
    sentence: str
    clio: str = ""


def lint(action: CustomAction | Draft, *, beside: Iterable[CustomAction] = ()) -> list[Finding]:
    """Return what is wrong with an action, worst first; an empty list when nothing is. Nothing is sent.

    ``beside`` holds the actions that the same user has already: a label may stand once in each place. Which error Clio
    gives for what is not documented throughout; see the assumptions of the sandbox.
    """
    if isinstance(action, CustomAction):
        label, target_url, place = action.label or "", action.target_url or "", action.ui_reference or ""
        beside = [other for other in beside if other.id != action.id]
    else:
        label, target_url, place = action
    findings = [*_of_label(label), *_of_place(place), *_of_target(target_url), *_of_twins(label, place, beside)]
    return sorted(findings, key=lambda finding: finding.level != "error")


def _of_label(label: str) -> Iterator[Finding]:
    if not label.strip():
        yield Finding("label", "error", "The label is empty; it is what the menu shows.", "422 RecordInvalid")
    elif len(label) > LABEL_MAX:
        yield Finding(
            "label",
            "error",
            f"The label has {len(label)} characters; Clio takes {LABEL_MAX} at most.",
            "422 RecordInvalid",
        )
    elif label != label.strip() or not label.isprintable():
        yield Finding("label", "warning", "The label holds spaces at an end or characters that do not show.")
    if _PLACEHOLDER.search(label):
        yield Finding("label", "warning", "The label holds a placeholder. Clio does not fill it in: users read it so.")


def _of_place(place: Location | str) -> Iterator[Finding]:
    try:
        location_of(place)
    except InvalidInput as error:
        yield Finding("at", "error", str(error), "400 ArgumentError")


def _of_twins(label: str, place: Location | str, beside: Iterable[CustomAction]) -> Iterator[Finding]:
    try:
        location = location_of(place)
    except InvalidInput:
        return
    if twin := next((other for other in beside if (other.label, other.location) == (label, location)), None):
        yield Finding(
            "label",
            "error",
            f"This user has an action with that label on {location.resource} already (id {twin.id}).",
            "422 RecordInvalid",
        )


def _of_target(target_url: str) -> Iterator[Finding]:
    if not web_url(target_url):
        yield Finding(
            "target_url",
            "error",
            "The target is no absolute http or https URL, such as https://example.com/launch.",
            "422 RecordInvalid",
        )
        return
    faults = [sentence for wrong, sentence in _BREAKS_LAUNCHES if wrong(target_url)]
    yield from (Finding("target_url", "error", sentence) for sentence in faults)
    yield from (Finding("target_url", "warning", sentence) for wrong, sentence in _UNWISE if wrong(target_url))
    joint = "&" if urlsplit(target_url).query else "?"
    launch = inspect_launch(f"{target_url.partition('#')[0]}{joint}{_SAMPLE}")
    if not launch and not faults:
        reasons = " ".join(launch.reasons)
        yield Finding("target_url", "error", f"No launch of this target would be accepted. {reasons}")


def _takes_a_name_of_clio(target_url: str) -> bool:
    return any(name in MEANINGS for name, _ in parse_qsl(urlsplit(target_url).query, keep_blank_values=True))


def _holds_a_placeholder(target_url: str) -> bool:
    return _PLACEHOLDER.search(urlsplit(target_url)._replace(scheme="", netloc="").geturl()) is not None


def _stays_on_this_machine(target_url: str) -> bool:
    host = (urlsplit(target_url).hostname or "").rstrip(".")
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".local", ".internal"))


_BREAKS_LAUNCHES: Final[tuple[tuple[Callable[[str], bool], str], ...]] = (
    (
        _takes_a_name_of_clio,
        f"The target holds one of Clio's own parameters ({', '.join(MEANINGS)}): every launch would carry it twice.",
    ),
)
_UNWISE: Final[tuple[tuple[Callable[[str], bool], str], ...]] = (
    (
        _holds_a_placeholder,
        "The target holds a placeholder. Clio does not fill it in; the record comes as subject_url in every launch.",
    ),
    (
        lambda target_url: urlsplit(target_url).scheme == "http",
        "The target is http: the nonce of every launch crosses the network in the clear. Use https.",
    ),
    (
        _stays_on_this_machine,
        "The target's host is known on this machine or network only; for everybody else the tab will not open.",
    ),
    (
        lambda target_url: bool(urlsplit(target_url).query),
        "The target has a query of its own. How Clio joins its parameters to it is not documented; a path is safer.",
    ),
    (
        lambda target_url: "#" in target_url,
        "The target has a fragment (#), which a browser never sends to the server.",
    ),
)
