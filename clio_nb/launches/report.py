"""The report on a launch URL: a launch or a refusal, explained part by part, without the nonce."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypedDict
from urllib.parse import unquote

from .. import markup
from ..models import Subject
from ..secret import Secret
from ..vocabulary import MEANINGS, Menu

HIDDEN: Final = "(hidden)"
_SHOWN_MAX: Final = 80


class LaunchDict(TypedDict):
    """A launch as JSON: without its nonce."""

    custom_action_id: int
    user_id: int
    subject_url: str
    resource: str
    record_id: int


class ReportDict(TypedDict):
    """A report as JSON, as ``clio-nb launch inspect --json`` prints it."""

    ok: bool
    reasons: list[str]
    launch: LaunchDict | None


@dataclass(frozen=True, slots=True)
class Launch:
    """The four things that a launch URL says. It is only a claim until Clio has confirmed the nonce."""

    custom_action_id: int
    user_id: int
    subject: Subject
    nonce: Secret

    def to_dict(self) -> LaunchDict:
        """Return the launch as JSON values, without the nonce."""
        return {
            "custom_action_id": self.custom_action_id,
            "user_id": self.user_id,
            "subject_url": self.subject.path,
            "resource": self.subject.location.resource,
            "record_id": self.subject.record_id,
        }


class Part(NamedTuple):
    """One part of a launch URL, fit to be shown: its name, value and meaning, and whether it is as it must be."""

    name: str
    value: str
    meaning: str
    ok: bool = True


@dataclass(frozen=True, slots=True, repr=False)
class LaunchReport:
    """What :func:`clio_nb.inspect_launch` found. It is true when the URL is a launch, false when it was refused.

    ``launch`` is None when refused, and then ``reasons`` holds a sentence for each problem. ``target`` is
    the target's own URL without Clio's four parameters, ``extras`` the (name, value) pairs of the target's own query;
    both are empty when refused, since a broken URL may carry a nonce anywhere: ``parts`` shows what is safe to show.
    """

    launch: Launch | None
    reasons: tuple[str, ...] = ()
    target: str = ""
    extras: tuple[tuple[str, str], ...] = ()
    findings: tuple[Part, ...] = field(default=(), compare=False)

    @property
    def ok(self) -> bool:
        """Whether the URL is a launch."""
        return self.launch is not None

    def __bool__(self) -> bool:
        return self.launch is not None

    @property
    def menus(self) -> tuple[Menu, ...]:
        """The menus of Clio, out of nine, from which such a launch can come."""
        return self.launch.subject.location.menus if self.launch else ()

    @property
    def parts(self) -> tuple[Part, ...]:
        """Every part of the URL with its meaning, for a person. The nonce is described, not shown."""
        return self.findings if self.launch is None else _explain(self.launch, self.target, self.extras)

    def to_dict(self) -> ReportDict:
        """Return the report as JSON values: ``ok``, ``reasons`` and ``launch``. The nonce is never in it."""
        return {
            "ok": self.ok,
            "reasons": list(self.reasons),
            "launch": self.launch.to_dict() if self.launch else None,
        }

    def __repr__(self) -> str:
        if self.launch is None:
            return f"<LaunchReport refused: {' '.join(self.reasons)}>"
        launch = self.launch
        return f"<LaunchReport ok: user {launch.user_id}, action {launch.custom_action_id}, {launch.subject}>"

    def _repr_html_(self) -> str:
        reasons = "".join(f"<li>{markup.text(reason)}</li>" for reason in self.reasons)
        return markup.report("A launch" if self else "Refused", reasons and f"<ul>{reasons}</ul>", parts_table(self))


def shown(text: str, secrets: Sequence[str] = ()) -> str:
    """Return text of a URL in a form that is safe to show: printable ASCII, short, and without a nonce.

    Text that mentions a nonce is hidden as a whole: a malformed URL may contain one.
    """
    decoded = _decoded(text)
    if "nonce" in decoded.lower() or any(
        _holds(text, secret) or _holds(decoded, _decoded(secret)) for secret in secrets
    ):
        return HIDDEN
    plain = ascii(text)[1:-1]
    return plain if len(plain) <= _SHOWN_MAX else f"{plain[:_SHOWN_MAX]}… ({len(text)} characters)"


def _decoded(text: str) -> str:
    """Undo every encoding that a copy of a nonce may have: %-escapes, several times over, and a plus for a space."""
    for _ in range(8):
        text = unquote(text.replace("+", " "))
    return text


def _holds(text: str, secret: str) -> bool:
    return text == secret or (len(secret) > 3 and secret in text)  # a shorter one would hide other text too


def own_part(pair: tuple[str, str], secrets: Sequence[str], meaning: str) -> Part:
    """Return a parameter that is not Clio's as a part; a name that mentions a nonce hides its value too."""
    name, value = shown(pair[0], secrets), shown(pair[1], secrets)
    return Part(name, HIDDEN if name == HIDDEN else value, meaning)


def _explain(launch: Launch, target: str, extras: tuple[tuple[str, str], ...]) -> tuple[Part, ...]:
    nonce = launch.nonce.reveal()
    views = "; ".join(str(menu) for menu in launch.subject.location.menus)
    return (
        Part("target", shown(target.partition("?")[0].partition("#")[0], (nonce,)), "the page that Clio opened"),
        *(own_part(pair, (nonce,), "the target's own parameter") for pair in extras),
        Part("custom_action_id", str(launch.custom_action_id), MEANINGS["custom_action_id"]),
        Part("user_id", str(launch.user_id), MEANINGS["user_id"]),
        Part("subject_url", launch.subject.path, f"{launch.subject}, clicked in one of: {views}"),
        Part("custom_action_nonce", f"{len(nonce)} characters {HIDDEN}", MEANINGS["custom_action_nonce"]),
    )


def parts_table(report: LaunchReport) -> str:
    """Draw the parts of a launch URL as a table for a notebook."""
    rows = (
        (
            markup.text(part.name),
            markup.code(part.value),
            ("" if part.ok else f"{markup.MARKS[False]} ") + markup.text(part.meaning),
        )
        for part in report.parts
    )
    return markup.table("What the address says", ("part", "value", "meaning"), rows) if report.parts else ""
