"""The pages of a refusal, drawn once from templates: what a visitor reads does not depend on who it is said to be."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import jinja2

from ..errors import InvalidInput
from ..launches._pages import Page, html_page
from ..urls import read_url

FOLDER: Final = Path(__file__).with_name("templates")


class Refusals:
    """The pages, as bytes. A template in the caller's folder replaces ours of that name."""

    def __init__(self, folder: Path | str | None, connect_url: str | None) -> None:
        if connect_url is not None and not _is_link(connect_url):
            raise InvalidInput(
                "connect_url must be an http or https address, or a path of this site such as '/clio/connect'.",
                field="connect_url",
            )
        if folder is not None and not Path(folder).is_dir():
            raise InvalidInput(f"templates: there is no folder {folder}.", field="templates")
        folders = [FOLDER] if folder is None else [Path(folder), FOLDER]
        templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(folders), autoescape=True, undefined=jinja2.StrictUndefined
        )

        def drawn(status: int, name: str, *headers: tuple[str, str]) -> Page:
            try:
                return html_page(status, templates.get_template(name).render(connect_url=connect_url), *headers)
            except (jinja2.TemplateError, UnicodeDecodeError) as error:
                raise InvalidInput(f"The template {name} cannot be used: {error}", field="templates") from None

        self.click_again = drawn(403, "click_again.html")
        self.not_a_launch = drawn(400, "not_a_launch.html")
        self.method = drawn(405, "not_a_launch.html", ("allow", "GET"))
        self.too_early = drawn(503, "too_early.html")


def _is_link(url: object) -> bool:
    """Whether this leads to a page by http or https, or within this site."""
    if not isinstance(url, str):
        return False
    within = url.startswith("/") and not url.startswith(("//", "/\\")) and url.isprintable()
    return within or not isinstance(read_url(url), str)
