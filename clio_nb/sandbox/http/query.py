"""The query of one API request: decoded once and strictly, with a typed reader for each kind of value."""

from __future__ import annotations

import datetime as dt
import re
from typing import Final
from urllib.parse import parse_qsl

from .answers import Refusal, argument_error

_INTEGER: Final = re.compile(r"-?[0-9]{1,19}")
_MOMENT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})?"
)
_DATES: Final = re.compile(r"(>=|<=|>|<|=)?([0-9]{4}-[0-9]{2}-[0-9]{2})")
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}
_INT64: Final = 2**63


class Query:
    """Names and values in their order; of a name given twice the last value counts, as in Rails."""

    __slots__ = ("_last", "pairs")

    def __init__(self, raw: bytes) -> None:
        try:
            text = raw.decode("ascii")
            self.pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=500) if text else []
        except ValueError:
            raise argument_error(
                "The query string is not readable: invalid %-encoding or too many parameters"
            ) from None
        self._last = dict(self.pairs)

    def __contains__(self, name: str) -> bool:
        return name in self._last

    def __getitem__(self, name: str) -> str:
        return self._last[name]

    def get(self, name: str) -> str | None:
        """Return the value of a name, or None."""
        return self._last.get(name)

    def every(self, name: str) -> list[str]:
        """Return all values of an array parameter such as ``ids[]``."""
        return [value for key, value in self.pairs if key == name]

    def names(self) -> list[str]:
        """Return the distinct names, in order. Values stay here: some are secrets."""
        return list(self._last)


def integer(name: str, text: str) -> int:
    """Read an int64."""
    if _INTEGER.fullmatch(text) and -_INT64 <= (number := int(text)) < _INT64:
        return number
    raise argument_error(f"{name} must be an integer")


def boolean(name: str, text: str) -> bool:
    """Read true or false."""
    if text not in _BOOLEANS:
        raise argument_error(f"{name} must be true or false")
    return _BOOLEANS[text]


def choice(name: str, text: str, allowed: tuple[str, ...]) -> str:
    """Read one value of an enum, refused in the words of Clio's own sample."""
    if text not in allowed:
        raise unknown_choice(name, allowed)
    return text


def unknown_choice(name: str, allowed: tuple[str, ...], status: int = 400) -> Refusal:
    """Return the refusal of a value outside an enum: "type must be one of the follow: 'Company', or 'Person'"."""
    *most, last = (f"'{value}'" for value in allowed)
    return Refusal(status, "ArgumentError", f"{name} must be one of the follow: {', '.join(most)}, or {last}")


def moment(name: str, text: str) -> float:
    """Read an XML Schema dateTime as seconds since the epoch; without a zone it is UTC. A date alone is refused."""
    try:
        read = dt.datetime.fromisoformat(text if _MOMENT.fullmatch(text) else "")
        return (read if read.tzinfo else read.replace(tzinfo=dt.UTC)).timestamp()
    except (ValueError, OverflowError):
        # Observed at Clio, for a bad date and for a date without a time.
        raise argument_error("An invalid argument was supplied: invalid xmlschema format") from None


def dates(name: str, text: str) -> tuple[str, str]:
    """Read a comparison with a day, such as ``>=2026-01-31``, as an operator and a day."""
    sign, day = read.groups() if (read := _DATES.fullmatch(text)) else ("", "")
    try:
        dt.date.fromisoformat(day)
    except ValueError:
        raise argument_error(f"{name} must be a date such as >=2026-01-31") from None
    return sign or "=", day
