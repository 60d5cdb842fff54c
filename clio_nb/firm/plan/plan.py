"""A plan: what would have to be done so that every user sees what the manifest says, item by item."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from ...errors import InvalidInput
from ...http.pace import LOWEST, WINDOW
from ...ledger.records import Kind
from .._page import plan_page
from ..item import NOT_IN_LEDGER, WRITES, Item
from ..manifest import Manifest

if TYPE_CHECKING:
    import pandas as pd


UNDO: Final = "undo of "  # the run follows
OFFBOARD: Final = "offboarding"


class Cost(NamedTuple):
    """What a plan needs: requests in all, for the busiest token, and seconds that the rate limit alone takes."""

    calls: int
    calls_per_token: int
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.calls} calls, at most {self.calls_per_token} per token, {self.seconds:.0f} s under the rate limit"
        )


class Plan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What would have to be done, item by item. It is shown as a table; :meth:`save` writes it as JSON.

    ``account_id`` is Clio's id of the firm. ``run`` names the interrupted run that it resumes, if it does. ``writes``
    says how often each user had been written when the user was read: who was written since is planned again. ``gone``
    are actions that the ledger knows and Clio has no more, each with its user. Of the ``unsettled`` users, for whom
    nothing has to change, the ledger does not know yet what was found. ``nobody_read`` says that no user could be read.
    """

    site: str
    client_id: str
    account_id: int
    app: str
    profile: str | None = None
    purpose: str = "plan"
    run: str | None = None
    allow_delete: bool = False
    made_at: dt.datetime | None = None
    manifest: Manifest | None = None
    items: tuple[Item, ...] = ()
    notes: tuple[str, ...] = ()
    writes: dict[int, int] = {}
    gone: tuple[tuple[int, int], ...] = ()
    unsettled: tuple[int, ...] = ()
    nobody_read: bool = False

    @property
    def changes(self) -> tuple[Item, ...]:
        """The items that change something at Clio, in the order in which that is done."""
        return tuple(item for item in self.items if item.kind in WRITES)

    @property
    def blocked(self) -> tuple[Item, ...]:
        """The items that cannot be done, each with its reason."""
        return tuple(item for item in self.items if item.kind is Kind.BLOCKED)

    @property
    def leaves_ours(self) -> bool:
        """Whether something may be left afterwards that is ours: unknown to the ledger, or to be removed by hand."""
        by_hand = self.purpose == OFFBOARD and self.blocked
        return bool(by_hand) or any(item.reason == NOT_IN_LEDGER for item in self.items)

    @property
    def is_blind(self) -> bool:
        """Whether it says nothing of what there is: all is blocked, or nobody could be read and there is a note."""
        if self.items:
            return len(self.blocked) == len(self.items)
        return self.nobody_read and bool(self.notes)

    def counts(self) -> dict[str, int]:
        """Return how many items there are of each kind."""
        found = Counter(item.kind for item in self.items)
        return {kind.value: found[kind] for kind in Kind if found[kind]}

    def cost(self) -> Cost:
        """Return what applying it needs. A delete counts twice: the action is read just before, for it has no If-Match.

        The time assumes the lowest documented budget, 50 requests a minute for each token.
        """
        calls: Counter[int] = Counter()
        for item in self.changes:
            calls[item.user_id] += 2 if item.kind is Kind.DELETE else 1
        busiest = max(calls.values(), default=0)
        return Cost(calls.total(), busiest, max(busiest - 1, 0) // LOWEST * WINDOW)

    def save(self, path: str | Path) -> None:
        """Write the plan to a JSON file. It holds no secret."""
        Path(path).write_bytes(msgspec.json.format(msgspec.json.encode(self)))

    @classmethod
    def load(cls, path: str | Path) -> Plan:
        """Read a plan that :meth:`save` wrote. Raises :class:`InvalidInput` for a file that is not a plan."""
        try:
            return msgspec.json.decode(Path(path).read_bytes(), type=cls)
        except OSError as cause:
            raise InvalidInput(f"{path}: cannot be read ({cause.strerror}).", field="path") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as cause:
            raise InvalidInput(f"{path}: not a saved plan ({cause}).", field="path") from None

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each item; the columns are those of :func:`clio_nb.firm.tables.items_frame`."""
        from ..tables import items_frame  # noqa: PLC0415 -- pandas loads when the first table is made

        return items_frame(self.items)

    def _repr_html_(self) -> str:
        return plan_page(self)

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.counts().items()) or "nothing to do"
        return f"{self.purpose.capitalize()} for {self.app or 'this app'}: {kinds}. {self.cost()}."

    def __repr__(self) -> str:
        return f"<{str(self).rstrip('.')}>"
