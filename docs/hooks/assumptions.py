"""Put the sandbox's assumptions, which are data in the code, into the page that speaks of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clio_nb.sandbox import Assumptions

MARK = "<!-- assumptions -->"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the mark by a table: name, what the sandbox does, why."""
    return markdown.replace(MARK, _table()) if MARK in markdown else markdown


def _table() -> str:
    chosen, reasons = Assumptions(), Assumptions.reasons()
    rows = [f"| `{name}` | {_shown(getattr(chosen, name))} | {reason} |" for name, reason in reasons.items()]
    return "\n".join(["| switch | here it is | because |", "|---|---|---|", *rows])


def _shown(value: object) -> str:
    if not isinstance(value, Mapping):
        return f"`{value!r}`"
    words = {key: ", ".join(each) if isinstance(each, tuple) else each for key, each in value.items()}
    return "<br>".join(f"`{key}`: `{word}`" for key, word in words.items())
