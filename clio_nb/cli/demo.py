"""``clio-nb demo``: the whole story in the terminal."""

from __future__ import annotations


def demo() -> None:
    """Show the whole flow on an embedded Clio, over real HTTP; no account needed."""
    from ..demo import run  # noqa: PLC0415 -- pandas and a web server, for this command only

    run()
