"""Whose rows: those of an app, and of a firm of it."""

from __future__ import annotations

from typing import NamedTuple


class AppKey(NamedTuple):
    """One app, at one Clio (a region, or the address of a sandbox)."""

    site: str
    client_id: str


class FirmKey(NamedTuple):
    """One firm of an app, by the name under which a vault keeps its tokens."""

    site: str
    client_id: str
    firm: str

    @property
    def app(self) -> AppKey:
        """The app."""
        return AppKey(self.site, self.client_id)
