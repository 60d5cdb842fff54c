"""Every operation of Clio's API, and which of them this sandbox does not play."""

from __future__ import annotations

import functools
import re
from importlib.resources import files
from typing import Final

from ..http.answers import Refusal

PLAYED: Final = re.compile(r"CustomAction#.*|(User|Activity|Contact|Document|Folder|Matter)#(index|show)|User#who_am_i")
"""The operations that are answered; all others of the list are 501."""


def not_played(method: str, path: str, origin: str) -> Refusal | None:
    """Return the 501 of an operation that Clio has and the sandbox does not play; None for any other."""
    method = "GET" if method == "HEAD" else method
    named = [name for pattern, name in _operations().get(method, ()) if pattern.fullmatch(path)]
    if not named or PLAYED.fullmatch(named[0]):
        return None
    return Refusal(
        501,
        "NotPlayed",
        f"Clio has the operation {named[0]}, but this sandbox does not play it. "
        f"What it plays, and what it does not, is listed at {origin}/openapi.json",
    )


def names_not_played() -> list[str]:
    """Return the names of the operations that are answered with 501."""
    return sorted(name for operations in _operations().values() for _, name in operations if not PLAYED.fullmatch(name))


@functools.cache
def _operations() -> dict[str, list[tuple[re.Pattern[str], str]]]:
    """Return path and name of every operation, by method; the paths without parameters first."""
    text = files(__package__).joinpath("operations.txt").read_text("ascii")
    lines = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    found: dict[str, list[tuple[re.Pattern[str], str]]] = {}
    for path, *operations in sorted(lines, key=lambda line: line[0].count("{")):
        pattern = re.compile(re.sub(r"\{\w+\}", "[^/]+", path))
        for operation in operations:
            method, _, name = operation.partition("=")
            found.setdefault(method, []).append((pattern, name))
    return found
