"""What the probe found, case by case: as a table, as JSON and as JUnit XML."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from xml.etree import ElementTree as ET

import msgspec

from .. import markup
from .mistakes import Mistake

if TYPE_CHECKING:
    import pandas as pd


CaseOutcome = Literal["passed", "failed", "undecided"]

OUTCOME_MARKS: Final[dict[CaseOutcome, str]] = {"passed": "✓", "failed": "✗", "undecided": "?"}

UNDECIDED: Final = (
    "Clio did not confirm these launches, and the receiver's answers do not show whether it let them in: it answers "
    "genuine and malformed launches alike, or answers these differently from both. Answer each refusal with a 4xx "
    "status, or at least with one page that is the same for all."
)
"""What an undecided case means, and the way out."""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case of the suite: what was sent, what the receiver answered, what Clio and the decoy listener saw.

    ``undecided`` says that no mistake was seen, and that the answers do not show whether the launch was let in.
    """

    case: str
    title: str
    mistakes: tuple[Mistake, ...]
    answer: str
    at_clio: tuple[str, ...]
    elsewhere: tuple[str, ...]
    undecided: bool = False

    @property
    def outcome(self) -> CaseOutcome:
        """Whether the receiver passed here, made a mistake, or neither can be told."""
        return "failed" if self.mistakes else "undecided" if self.undecided else "passed"

    @property
    def ok(self) -> bool:
        """Whether the receiver passed here."""
        return self.outcome == "passed"


@dataclass(frozen=True, slots=True, repr=False)
class ProbeReport:
    """How a receiver answered the attack. It is true only when every case passed."""

    receiver: str
    results: tuple[CaseResult, ...]

    @property
    def outcome(self) -> CaseOutcome:
        """``failed`` when a case failed, else ``undecided`` when one could not be told, else ``passed``."""
        outcomes = {result.outcome for result in self.results}
        return next((outcome for outcome in ("failed", "undecided") if outcome in outcomes), "passed")

    @property
    def ok(self) -> bool:
        """Whether all cases passed."""
        return self.outcome == "passed"

    def __bool__(self) -> bool:
        return self.ok

    @property
    def mistakes(self) -> dict[Mistake, int]:
        """Each mistake that was seen, with the number of cases that showed it; the most frequent first."""
        return dict(Counter(mistake for result in self.results for mistake in result.mistakes).most_common())

    @property
    def undecided(self) -> int:
        """The number of cases that could not be told."""
        return sum(result.undecided for result in self.results)

    def __str__(self) -> str:
        passed = sum(result.ok for result in self.results)
        undecided = f", {self.undecided} undecided" if self.undecided else ""
        named = f": {', '.join(self.mistakes)}" if self.mistakes else ""
        return f"{self.outcome.capitalize()}. {passed} of {len(self.results)} cases passed{undecided}{named}"

    def advice(self) -> Iterator[tuple[str, int, str]]:
        """Return each mistake, and what could not be told, with its number of cases and what to do."""
        yield from ((mistake, cases, mistake.sentence) for mistake, cases in self.mistakes.items())
        if self.undecided:
            yield "undecided", self.undecided, UNDECIDED

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each case, by the index ``case`` (string).

        Columns: ``title`` (string), ``ok`` (boolean, missing where undecided), ``mistakes`` (string: their names),
        ``answer`` (string: the receiver's), ``at_clio`` (string: the requests that the sandbox saw), ``elsewhere``
        (string: those gone astray).
        """
        import pandas as pd  # noqa: PLC0415 -- for this table only

        joined = {"mistakes": ", ", "at_clio": "; ", "elsewhere": "; "}
        rows = [
            told
            | {name: between.join(told[name]) for name, between in joined.items()}
            | {"ok": None if told["undecided"] else told["ok"]}
            for told in self.to_dict()["results"]
        ]
        dtypes = dict.fromkeys(("title", "ok", "mistakes", "answer", "at_clio", "elsewhere"), "string")
        table = pd.DataFrame(rows).set_index(pd.Index([told["case"] for told in rows], name="case", dtype="string"))
        return table[[*dtypes]].astype(dtypes | {"ok": "boolean"})

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values.

        ``ok``, ``outcome``, ``receiver``, ``mistakes`` (name to sentence), ``undecided`` (the number of cases), and
        ``results``, each with an ``outcome`` of its own: passed, failed or undecided.
        """
        return {
            "ok": self.ok,
            "outcome": self.outcome,
            "receiver": self.receiver,
            "mistakes": {mistake.value: mistake.sentence for mistake in self.mistakes},
            "undecided": self.undecided,
            "results": [
                {**msgspec.to_builtins(result), "ok": result.ok, "outcome": result.outcome} for result in self.results
            ],
        }

    def to_json(self) -> str:
        """Return :meth:`to_dict` as text."""
        return json.dumps(self.to_dict(), indent=2)

    def to_junit(self) -> str:
        """Return the report as JUnit XML, for a CI that shows tests: undecided is an error, a mistake a failure."""
        counts = Counter(result.outcome for result in self.results)
        totals = {"tests": len(self.results), "failures": counts["failed"], "errors": counts["undecided"]}
        suite = ET.Element("testsuite", {"name": "clio-nb probe"} | {name: str(n) for name, n in totals.items()})
        for result in self.results:
            case = ET.SubElement(suite, "testcase", classname="clio-nb.probe", name=f"{result.case}: {result.title}")
            if result.ok:
                continue
            tag, message = ("error", "undecided") if result.undecided else ("failure", ", ".join(result.mistakes))
            said = [mistake.sentence for mistake in result.mistakes] or [UNDECIDED]
            seen = [f"answer: {result.answer}", *result.at_clio, *result.elsewhere]
            ET.SubElement(case, tag, type=result.outcome, message=message).text = "\n".join(said + seen)
        ET.indent(suite)
        return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"

    def save_junit(self, path: Path | str) -> Path:
        """Write :meth:`to_junit` to a file and return its path."""
        file = Path(path)
        file.write_text(self.to_junit(), encoding="utf-8")
        return file

    def __repr__(self) -> str:
        return f"<ProbeReport of {self.receiver}: {self}>"

    def _repr_html_(self) -> str:
        items = "".join(
            f"<li><strong>{markup.text(name)}</strong> ({cases} cases) {markup.text(what)}</li>"
            for name, cases, what in self.advice()
        )
        rows = (
            (OUTCOME_MARKS[one.outcome], *map(markup.text, (one.title, ", ".join(one.mistakes), one.answer)))
            for one in self.results
        )
        table = markup.table("Cases", ("", "case", "mistakes", "answer"), rows)
        return markup.report(self.outcome.capitalize(), markup.code(self.receiver), f"<ul>{items}</ul>", table)
