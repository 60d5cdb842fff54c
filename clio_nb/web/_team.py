"""Who of a firm has the buttons, and why not: from the vault and the ledger, with one list of users in ten minutes."""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple

from ..firm._state import ADVICE, Access
from ..firm.async_firm import AsyncFirm
from ..firm.manifest import Manifest
from ..models import User

LISTED_EVERY: Final = 600.0
"""Seconds for which the list of a firm's users is used again."""


class Member(NamedTuple):
    """A person of the firm. ``why`` says why the buttons are not there, where they are not."""

    user: User
    equipped: bool
    why: str = ""
    may_be_invited: bool = False
