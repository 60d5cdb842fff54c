"""One thing that was looked at, whether it is right, and what to do if not."""

from __future__ import annotations

from typing import Final

import msgspec

from ..errors import ClioError

NOT_CHECKED: Final = "Not checked"


class Check(msgspec.Struct, frozen=True):
    """What was found. ``ok`` is None where nothing is known to be wrong: it could not be told, or this is advice."""

    part: str
    name: str
    ok: bool | None
    sentence: str
    fix: str = ""


def failed(part: str, name: str, error: ClioError) -> Check:
    """Return what an error of the library says: first what happened, then what to do."""
    happened, _, fix = str(error).partition(". ")
    return Check(part, name, False, f"{happened.rstrip('.')}.", fix)
