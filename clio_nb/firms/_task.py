"""What is to be done in one firm, as names alone: it goes to a worker, and holds no secret."""

from __future__ import annotations

import secrets
from typing import Any

import msgspec

from ..firm.manifest import Manifest
from ..firm.plan.plan import Plan
from .report import FirmRow


class FirmName(msgspec.Struct, frozen=True, kw_only=True):
    """A firm of a vault. ``site`` is where its app is: a region, or the address of a sandbox.

    ``tokens`` says how many it has in the vault, ``usable`` how many of them have no problem.
    """

    site: str
    region: str
    client_id: str
    name: str
    firm_id: int | None = None
    firm: str = ""
    tokens: int = 0
    usable: int = 0

    def __str__(self) -> str:
        number = "" if self.firm_id is None else f" ({self.firm_id})"
        return f"{self.firm}{number} in {self.region}"

    def is_called(self, name: str) -> bool:
        """Whether an id or a name means this firm."""
        return name.strip().casefold() in (str(self.firm_id), self.name.casefold(), self.firm.casefold())


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One verb in one firm. ``vault`` is the vault's address without its password; ``seconds`` is its timeout.

    ``number`` is another one for each task: a scheduler may hand out the result of an equal one that it remembers.
    """

    verb: str
    of: FirmName
    vault: str = ""
    manifest: Manifest | None = None
    plan: Plan | None = None
    options: dict[str, str | bool | None] = {}
    seconds: float | None = None
    number: str = msgspec.field(default_factory=lambda: secrets.token_hex(8))

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the verb."""
        given: dict[str, Any] = {"manifest": self.manifest, "plan": self.plan}
        return {**{name: value for name, value in given.items() if value is not None}, **self.options}

    def row(self, **told: Any) -> FirmRow:
        """Return the firm's row of the report."""
        of = self.of
        told = {**told, "firm_id": told.get("firm_id") or of.firm_id}
        return FirmRow(region=of.region, firm=of.firm, name=of.name, **told)
