"""The pages of a refusal, drawn once from templates: what a visitor reads does not depend on who it is said to be."""

from __future__ import annotations

from pathlib import Path

from ..errors import InvalidInput
from ..urls import read_url
from ._pages import Pages


class Refusals:
    """The pages, as bytes. A template in the caller's folder replaces ours of that name."""

    def __init__(self, folder: Path | str | None, connect_url: str | None) -> None:
        if connect_url is not None and not _is_link(connect_url):
            raise InvalidInput(
                "connect_url must be an http or https address, or a path of this site such as '/clio/connect'.",
                field="connect_url",
            )
        pages = Pages(folder, connect_url=connect_url)
        self.click_again = pages.show(403, "click_again.html")
        self.not_a_launch = pages.show(400, "not_a_launch.html")
        self.method = pages.show(405, "not_a_launch.html", ("allow", "GET"))
        self.too_early = pages.show(503, "too_early.html")


def _is_link(url: object) -> bool:
    """Whether this leads to a page by http or https, or within this site."""
    if not isinstance(url, str):
        return False
    within = url.startswith("/") and not url.startswith(("//", "/\\")) and url.isprintable()
    return within or not isinstance(read_url(url), str)
