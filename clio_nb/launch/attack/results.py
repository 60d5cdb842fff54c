"""What the attack found, case by case: as a table, as JSON and as JUnit XML."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from ..report import CELL, TEXT
from .mistakes import Mistake

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Result:
    """One case of the suite: what was sent, what the receiver answered, what Clio and the silent listener saw."""

    case: str
    title: str
    mistakes: tuple[Mistake, ...]
    answer: str
    at_clio: tuple[str, ...]
    elsewhere: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether the receiver made no mistake here."""
        return not self.mistakes


@dataclass(frozen=True, slots=True, repr=False)
class ProbeReport:
    """How a receiver stood the attack. It is true only when no case found a mistake."""

    receiver: str
    results: tuple[Result, ...]

    @property
    def ok(self) -> bool:
        """Whether all cases passed."""
        return all(result.ok for result in self.results)

    def __bool__(self) -> bool:
        return self.ok

    @property
    def mistakes(self) -> dict[Mistake, int]:
        """Each mistake that was seen, with the number of cases that showed it; the most frequent first."""
        return dict(Counter(mistake for result in self.results for mistake in result.mistakes).most_common())

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each case, by the index ``case`` (string).

        Columns: ``title`` (string), ``ok`` (boolean), ``mistakes`` (string: their names), ``answer`` (string: the
        receiver's), ``at_clio`` (string: the requests that the sandbox saw), ``elsewhere`` (string: those gone astray).
        """
        import pandas as pd  # noqa: PLC0415 -- for this table only

        rows = [
            {
                "case": result.case,
                "title": result.title,
                "ok": result.ok,
                "mistakes": ", ".join(result.mistakes),
                "answer": result.answer,
                "at_clio": "; ".join(result.at_clio),
                "elsewhere": "; ".join(result.elsewhere),
            }
            for result in self.results
        ]
        dtypes = dict.fromkeys(rows[0], "string") | {"ok": "boolean"}
        return pd.DataFrame(rows).astype(dtypes).set_index("case")

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values: ``ok``, ``receiver``, ``mistakes`` (name to sentence), ``results``."""
        return {
            "ok": self.ok,
            "receiver": self.receiver,
            "mistakes": {mistake.value: mistake.sentence for mistake in self.mistakes},
            "results": [
                {
                    "case": result.case,
                    "title": result.title,
                    "ok": result.ok,
                    "mistakes": [mistake.value for mistake in result.mistakes],
                    "answer": result.answer,
                    "at_clio": list(result.at_clio),
                    "elsewhere": list(result.elsewhere),
                }
                for result in self.results
            ],
        }

    def to_json(self) -> str:
        """Return :meth:`to_dict` as text."""
        return json.dumps(self.to_dict(), indent=2)

    def to_junit(self) -> str:
        """Return the report as JUnit XML, for a CI that shows tests: one test case for each case."""
        failures = sum(not result.ok for result in self.results)
        suite = ET.Element("testsuite", name="clio-nb probe", tests=str(len(self.results)), failures=str(failures))
        for result in self.results:
            case = ET.SubElement(suite, "testcase", classname="clio-nb.probe", name=f"{result.case}: {result.title}")
            if not result.ok:
                failure = ET.SubElement(case, "failure", message=", ".join(result.mistakes))
                seen = [f"answer: {result.answer}", *result.at_clio, *result.elsewhere]
                failure.text = "\n".join([mistake.sentence for mistake in result.mistakes] + seen)
        ET.indent(suite)
        return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"

    def save_junit(self, path: Path | str) -> Path:
        """Write :meth:`to_junit` to a file and return its path."""
        file = Path(path)
        file.write_text(self.to_junit(), encoding="utf-8")
        return file

    def __repr__(self) -> str:
        passed = sum(result.ok for result in self.results)
        named = f": {', '.join(self.mistakes)}" if self.mistakes else ""
        return f"<ProbeReport of {self.receiver}: {passed} of {len(self.results)} cases passed{named}>"

    def _repr_html_(self) -> str:
        items = "".join(
            f"<li><strong>{escape(mistake)}</strong> ({count} cases) {escape(mistake.sentence)}</li>"
            for mistake, count in self.mistakes.items()
        )
        rows = "".join(
            "<tr>" + "".join(f'<td style="{CELL}">{escape(text)}</td>' for text in cells) + "</tr>"
            for result in self.results
            for cells in [("✓" if result.ok else "✗", result.title, ", ".join(result.mistakes), result.answer)]
        )
        heads = "".join(f'<th scope="col" style="{CELL}">{head}</th>' for head in ("", "case", "mistakes", "answer"))
        verdict = "Stood the attack" if self else "Made mistakes"
        return (
            f'<div class="clio-probe" style="{TEXT}"><strong>{verdict}</strong>: '
            f"<code>{escape(self.receiver)}</code><ul>{items}</ul>"
            f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
        )
