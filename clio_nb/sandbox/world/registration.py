"""An app as it is registered in one region: its key, what is ticked for it, and what users have granted it."""

from __future__ import annotations

import random
import string
import threading
from collections.abc import Iterable
from typing import Final

import msgspec

from ...vocabulary import DEFAULT_REDIRECT_URI, Region
from ..assumptions import Assumptions
from ..clock import Clock
from .grants import Grants
from .store import Shelf

PERMISSIONS: Final = frozenset({"activities", "contacts", "custom_actions", "documents", "matters", "users"})
"""The access permissions of a developer app that this sandbox knows; folders belong to documents."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How a sandbox was asked to be."""

    users: int = 5
    firms: int = 1
    seed: int = 0
    rate_limit: int | None = 50
    redirect_uris: tuple[str, ...] = (DEFAULT_REDIRECT_URI,)
    permissions: frozenset[str] = PERMISSIONS
    deauthorization_url: str | None = None
    add_to_clio_url: str | None = None


class Registration:
    """The app of one region. Its firms share it, the host and the clock, as at Clio."""

    def __init__(
        self,
        region: Region,
        origin: str,
        settings: Settings,
        *,
        clock: Clock,
        lock: threading.RLock,
        shelf: Shelf,
        assumptions: Assumptions,
    ) -> None:
        self.region: Final = region
        self.origin: Final = origin
        self.settings: Final = settings
        self.clock: Final = clock
        self.assumptions: Final = assumptions
        self.lock: Final = lock
        names = random.Random(f"app:{settings.seed}:{region}")  # noqa: S311 - the key of a demo app
        self.client_id: Final = "".join(names.choices(string.ascii_letters + string.digits, k=40))
        self.client_secret: Final = "".join(names.choices(string.ascii_letters + string.digits, k=40))
        self.first_action: Final = names.randrange(1_000_000, 9_000_000)
        self._shelf: Final = shelf
        self.begin()

    def begin(self) -> None:
        """Hold what the store remembers."""
        ticked = self._shelf.all("permissions", frozenset[str]).get("", self.settings.permissions)
        self.grants = Grants(self.clock, self._shelf, self.assumptions, ticked)

    @property
    def approval_uri(self) -> str:
        """The redirect URI for apps without a server, always registered."""
        return f"{self.origin}/oauth/approval"

    @property
    def redirect_uris(self) -> tuple[str, ...]:
        """Every redirect URI that the app has registered."""
        return (*self.settings.redirect_uris, self.approval_uri)

    def permit(self, permissions: Iterable[str]) -> None:
        """Tick other permissions on the developer app. What users have granted stays as it was, as at Clio."""
        self.grants.permissions = permissions_named(permissions)
        self._shelf.put("permissions", "", self.grants.permissions)


def permissions_named(names: Iterable[str]) -> frozenset[str]:
    """Return permissions (``"matters"``, or ``"matters:read"``); raise ValueError for one that there is not."""
    chosen = frozenset(names)
    unknown = {name for name in chosen if name.removesuffix(":read") not in PERMISSIONS}
    if unknown:
        raise ValueError(
            f"{', '.join(sorted(unknown))}: no such permission; there are: {', '.join(sorted(PERMISSIONS))}."
        )
    return chosen
