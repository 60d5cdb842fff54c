"""What ``import clio_nb`` costs over bare Python, and what a first session adds to it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from statistics import median

from .rounds import timed
from .table import Row


def rows(*, smoke: bool) -> Iterator[Row]:
    """Start Python with nothing to do, with the import, and with the client besides."""
    took = timed(
        1 if smoke else 20,
        bare=lambda: _start("pass"),
        ours=lambda: _start("import clio_nb"),
        client=lambda: _start("import clio_nb; clio_nb.Session"),
    )
    bare = median(took["bare"]) * 1000
    for name, work, goal in (("ours", "import clio_nb", 40), ("client", "and the client, at first use", None)):
        added = median(mine - plain for mine, plain in zip(took[name], took["bare"], strict=True)) * 1000
        limit = ("–", None) if goal is None else (f"≤ +{goal} ms", added <= goal)
        yield Row("import", work, f"+{added:.0f} ms", f"bare Python {bare:.0f} ms", "–", *limit)


def _start(program: str) -> None:
    subprocess.run([sys.executable, "-c", program], check=True)  # noqa: S603
