"""What nobody outside Clio knows: each choice of the sandbox in one place, with its reason and its switch.

Pass another value to see how your app behaves if Clio turns out to work that way::

    clio_nb.sandbox(assumptions=Assumptions(refresh_rotates=True, https_only=True))
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, Literal, TypeVar

import msgspec

from ..vocabulary import LABEL_MAX, NONCE_LIFETIME

_T = TypeVar("_T")


def _assume(value: _T, reason: str) -> _T:
    chosen: Callable[[], _T] = lambda: value  # noqa: E731 - a default factory, so that a mapping may be a default
    made: Any = field(default_factory=chosen, metadata={"reason": reason})
    result: _T = made
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """The switches. A field's default is the sandbox's choice; :meth:`reasons` says why it was chosen."""

    default_fields: Mapping[str, tuple[str, ...]] = _assume(
        MappingProxyType({"User": ("id", "etag", "name"), "Matter": ("id", "etag", "display_number")}),
        "Without `fields` Clio usually gives id and etag; samples of 2022 show a name for users and a display number "
        "for matters. Objects that are not named here give id and etag.",
    )
    duplicate_status: int = _assume(
        422, "Two integrations take 422 as 'this label exists already'; the body of that answer is not published."
    )
    label_max: int = _assume(LABEL_MAX, "A live integration met 422 RecordInvalid above 32 characters.")
    blank_status: int = _assume(
        422, "A missing or blank label, target_url or ui_reference could also be 400 ArgumentError."
    )
    missing_data_status: int = _assume(
        400, "A body without the `data` wrapper fails (seen live); the status was not noted."
    )
    unknown_location_status: int = _assume(
        400, "Clio's official sample of 2020 answers a value outside an enum with 400 ArgumentError."
    )
    https_only: bool = _assume(
        False, "Clio Grow demands https targets; Clio Manage is not known to, so http is taken by default."
    )
    keep_target_query: bool = _assume(
        True, "How Clio joins its parameters to a target_url with a query is not known: joined with &, fragment last."
    )
    nonce_lifetime: float = _assume(float(NONCE_LIFETIME), "Clio's guide: an expiry of 60 seconds.")
    nonce_refused_status: int = _assume(403, "Clio's guide says 403 Forbidden; the body is not published.")
    nonce_anywhere: bool = _assume(
        True, "'Your next request to the API' reads as any request. False takes the nonce only on a GET of its subject."
    )
    error_types: Mapping[int, str] = _assume(
        MappingProxyType({404: "RecordNotFound", 410: "Gone", 412: "PreconditionFailed", 429: "RateLimited"}),
        "Only RateLimited has left a trace in public code; the other names follow Rails and HTTP.",
    )
    limit_outside: Literal["refuse", "clamp"] = _assume(
        "refuse", "The reference says 1 to 200, not what happens outside: 400 ArgumentError, or the nearest limit."
    )
    pkce: Literal["check", "ignore", "require"] = _assume(
        "check", "Clio Manage does not document PKCE: it is checked when an app sends it, never demanded."
    )
    refresh_rotates: bool = _assume(
        False, "The docs return a refresh token only when it changes; a live tester saw both behaviours."
    )
    expires_in: int = _assume(2_592_000, "30 days in the current docs; 7 days and one hour have been seen as well.")
    revoke_removes_actions: bool = _assume(
        False, "Whether Clio removes a user's actions when the user revokes the app is not known."
    )

    @classmethod
    def of(cls, settings: Iterable[str]) -> Assumptions:
        """Return the switches that texts such as ``https_only=true`` name; raise ValueError for one that is none."""
        chosen: dict[str, Any] = {}
        for setting in settings:
            name, _, text = setting.partition("=")
            if name not in cls.reasons():
                raise ValueError(f"{name!r} is not an assumption; there are: {', '.join(cls.reasons())}.")
            try:
                chosen[name] = msgspec.json.decode(text)
            except msgspec.DecodeError:
                chosen[name] = text
        read = msgspec.json.decode(msgspec.json.encode(chosen), type=cls)
        defaults = cls()
        for name in chosen:
            usual = getattr(defaults, name)
            if isinstance(usual, Mapping):  # what is not named in a table stays as it is
                merged: Any = {**usual, **getattr(read, name)}
                read = replace(read, **{name: merged})
        return read

    @classmethod
    def reasons(cls) -> dict[str, str]:
        """Return the reason behind each switch, by name."""
        return {each.name: each.metadata["reason"] for each in fields(cls)}
