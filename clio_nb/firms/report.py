"""What a verb over many firms says: a row for each firm, as plain records and as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from .. import markup
from ..firm._page import ROWS_SHOWN
from ..firm.plan.plan import Cost, Plan
from ..ledger.records import Kind, Outcome
from ..models import visible

if TYPE_CHECKING:
    import pandas as pd

_KINDS: Final = tuple(kind.value for kind in Kind)
_OUTCOMES: Final = (*(outcome.value for outcome in Outcome), Kind.BLOCKED.value)
COUNTS: Final = {
    "plan": _KINDS,
    "plan_offboard": _KINDS,
    "drift": _KINDS,
    "apply": _OUTCOMES,
    "offboard": _OUTCOMES,
    "coverage": ("users", "equipped"),
    "audit": ("runs", "unfinished", "changes", "done"),
}


class FirmRow(msgspec.Struct, frozen=True, kw_only=True):
    """One firm of a report.

    ``firm_id`` is Clio's id of it, ``firm`` its name there, ``name`` the one in the vault. ``counts`` say how many, and
    ``why`` for how many users or changes a reason counts. ``run`` is the run in that firm's ledger, ``requests`` how
    many were sent for it, ``seconds`` how long it took. ``error`` says in a sentence what went wrong; empty if nothing
    did. ``plan`` is the plan that was made, if one was.
    """

    region: str
    firm_id: int | None
    firm: str
    name: str
    counts: dict[str, int] = {}
    why: dict[str, int] = {}
    run: str = ""
    requests: int = 0
    seconds: float = 0.0
    error: str = ""
    plan: Plan | None = None

    @property
    def changes(self) -> int:
        """How many changes its plan has."""
        return 0 if self.plan is None else len(self.plan.changes)


@dataclass(frozen=True, slots=True)
class FirmsReport:
    """What a verb did in each firm. True only if nothing went wrong in any of them. Shown as a table."""

    verb: str
    rows: tuple[FirmRow, ...]

    def __bool__(self) -> bool:
        return not self.failed

    @property
    def failed(self) -> tuple[FirmRow, ...]:
        """The firms in which something went wrong, each with what."""
        return tuple(row for row in self.rows if row.error)

    @property
    def changes(self) -> int:
        """How many changes its plans have."""
        return sum(row.changes for row in self.rows)

    def counts(self) -> dict[str, int]:
        """Return the counts of all firms together, without those that are 0."""
        found = Counter[str]()
        for row in self.rows:
            found.update(row.counts)
        return {name: found[name] for name in COUNTS[self.verb] if found[name]}

    def cost(self) -> Cost:
        """Return what applying its plans needs; the firms go at the same time, so the longest of them counts."""
        costs = [row.plan.cost() for row in self.rows if row.plan is not None]
        return Cost(
            sum(cost.calls for cost in costs),
            max((cost.calls_per_token for cost in costs), default=0),
            max((cost.seconds for cost in costs), default=0.0),
        )

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each firm.

        =========  ========  =========================================================================================
        column     dtype     holds
        =========  ========  =========================================================================================
        region     category  us, eu, ca or au
        firm_id    Int64     Clio's id of the firm; missing as long as nobody has signed in
        firm       string    its name at Clio, else the one in the vault
        counts     Int64     a column for each: of a plan and of drift ``create``, ``update``, ``delete``, ``ok``,
                             ``duplicate``, ``orphan``, ``foreign``, ``blocked``; of a run ``done``, ``conflict``,
                             ``failed``, ``unknown``, ``not sent``, ``blocked``; of coverage ``users``, ``equipped``; of
                             an audit ``runs``, ``unfinished``, ``changes``, ``done``
        why        string    why not, in numbers: ``revoked: 3; never signed in: 2``
        run        string    the run that was made in this firm
        requests   Int64     how many were sent
        seconds    float64   how long it took
        error      string    what went wrong, and what to do
        =========  ========  =========================================================================================
        """
        import pandas as pd  # noqa: PLC0415 -- loads when the first table is made

        from ..tables import integers, texts  # noqa: PLC0415 -- as above

        rows = self.rows
        return pd.DataFrame(
            {
                "region": pd.Categorical([row.region for row in rows]),
                "firm_id": integers([row.firm_id for row in rows]),
                "firm": texts([row.firm for row in rows]),
                **{name: integers([row.counts.get(name, 0) for row in rows]) for name in COUNTS[self.verb]},
                "why": texts([in_numbers(row.why) or None for row in rows]),
                "run": texts([row.run or None for row in rows]),
                "requests": integers([row.requests for row in rows]),
                "seconds": pd.array([row.seconds for row in rows], dtype="float64").to_numpy(),
                "error": texts([row.error or None for row in rows]),
            }
        )

    def shown(self) -> tuple[list[str], list[list[str]]]:
        """Return column names and texts as a person reads them: without the columns that say nothing."""
        counts = [name for name in COUNTS[self.verb] if any(row.counts.get(name) for row in self.rows)]
        columns = ["firm", "region", *counts, "why", "run", "requests", "seconds", "error"]
        cells = [
            [
                f"{row.firm} ({row.firm_id})" if row.firm_id is not None else row.firm,
                row.region,
                *(str(row.counts.get(name, 0)) for name in counts),
                in_numbers(row.why),
                row.run,
                str(row.requests),
                f"{row.seconds:.1f}",
                row.error,
            ]
            for row in self.rows
        ]
        kept = [at for at, _ in enumerate(columns) if any(row[at] for row in cells)]
        return [columns[at] for at in kept], [[row[at] for at in kept] for row in cells]

    def _repr_html_(self) -> str:
        columns, cells = self.shown()
        if not cells:
            return f"<div><strong>{markup.text(visible(str(self)))}</strong></div>"
        drawn = ([markup.text(visible(cell)) for cell in row] for row in cells[:ROWS_SHOWN])
        more = len(cells) - ROWS_SHOWN
        return markup.table(str(self), columns, drawn) + (markup.muted(f"{more} more rows.") if more > 0 else "")

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {name}" for name, count in self.counts().items())
        failed = f"; {len(self.failed)} failed" if self.failed else ""
        cost = f". {self.cost()}" if self.changes else ""
        firms = markup.counted(len(self.rows), "firm")
        nothing = "nothing to do" if COUNTS[self.verb] in (_KINDS, _OUTCOMES) else "nothing"
        return f"{self.verb.replace('_', ' ').capitalize()} for {firms}: {counts or nothing}{failed}{cost}"

    def __repr__(self) -> str:
        return f"<{self}>"


def in_numbers(why: dict[str, int]) -> str:
    """Say for how many each reason counts, the most frequent first."""
    return "; ".join(f"{reason}: {count}" for reason, count in Counter(why).most_common())


def reasons(of: Iterable[str]) -> dict[str, int]:
    """Count reasons."""
    return dict(Counter(filter(None, of)))
