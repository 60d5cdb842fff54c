"""Compose a launch URL of its parts, well-formed or not: the inverse of ``inspect.py``."""

from __future__ import annotations

from urllib.parse import quote


def compose(target: str, parameters: list[tuple[str, str]]) -> str:
    """Return the URL that a click opens: the target with parameters added as Clio adds them, each encoded once.

    They are joined to a query of the target's own with ``&``, before its fragment.
    """
    base, hash_mark, fragment = target.partition("#")
    joint = "&" if "?" in base else "?"
    query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in parameters)
    return f"{base}{joint}{query}{hash_mark}{fragment}"
