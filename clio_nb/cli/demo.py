"""``clio-nb demo``: the whole story in the terminal."""

from __future__ import annotations


def demo() -> None:
    """Watch the whole story happen, over real HTTP, on an embedded Clio: no account needed."""
    from ..demo import run  # noqa: PLC0415 -- pandas and a web server, for this command only

    run()
