"""Run the benches and print one table: ``python -m bench [--smoke] [NAME ...]``."""

from __future__ import annotations

import argparse
import datetime as dt
import importlib
import os
import platform
import sys
from collections.abc import Iterator

from .table import HEAD, Row, line, rule

BENCHES = (
    *("rollout", "rate", "launch", "verify", "tables", "resume"),
    *("refresh", "imports", "sandbox", "panel", "memory", "ledger", "equip", "firms", "history"),
)
LONG = ("firms_long",)  # only where it is named


def main() -> None:
    """Run what was asked for, everything by default."""
    asked = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    asked.add_argument("names", nargs="*", metavar="NAME", help=", ".join((*BENCHES, *LONG)))
    asked.add_argument("--smoke", action="store_true", help="little work and one round: to see that all of it runs")
    given = asked.parse_args()
    if unknown := set(given.names) - {*BENCHES, *LONG}:
        asked.error(f"there is no bench called {', '.join(unknown)}")
    for text in (_about(), "", line(HEAD), rule()):
        _say(text)
    wrong = False
    for name in given.names or BENCHES:
        for row in _rows(name, smoke=given.smoke):
            _say(line(row))
            wrong |= row.counted and not row.met
    sys.exit(wrong)  # times depend on the machine, counts do not


def _rows(name: str, *, smoke: bool) -> Iterator[Row]:
    bench = importlib.import_module(f"bench.{name}")
    rows: Iterator[Row] = bench.rows(smoke=smoke)
    return rows


def _about() -> str:
    """Say when and where: ratios count, absolute figures belong to the machine."""
    today, load = dt.datetime.now(dt.UTC).date(), os.getloadavg()[0]
    where = f"{os.cpu_count()} processors, {platform.machine()}, {platform.system()}"
    return f"{today}, {where}, Python {platform.python_version()}, load {load:.1f}"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
