"""The pages that visitors see: templates in one folder, each of which an app can replace with its own."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

import jinja2

from ..launches._pages import PRIVATE, Page
from ..menus import menu_picture

_HEADERS: Final = (
    ("content-type", "text/html; charset=utf-8"),
    (
        "content-security-policy",
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    ("x-frame-options", "DENY"),
    ("x-content-type-options", "nosniff"),
    *PRIVATE,
)


class Pages:
    """Draws pages from templates. ``known`` is what every template can use."""

    def __init__(self, folder: Path | str | None = None, **known: object) -> None:
        self._templates = _templates(folder and str(folder))
        self._known = known

    def show(self, status: int, template: str, *headers: tuple[str, str], **values: object) -> Page:
        """Return a page."""
        body = self._templates.get_template(template).render(**self._known, **values)
        return Page(status, (*_HEADERS, *headers), body.encode())

    def message(self, status: int, title: str, text: str, *headers: tuple[str, str]) -> Page:
        """Return a page with a heading and a paragraph."""
        return self.show(status, "message.html", *headers, title=title, text=text)


@cache
def _templates(folder: str | None) -> jinja2.Environment:
    own = [jinja2.FileSystemLoader(folder)] if folder else []
    loader = jinja2.ChoiceLoader([*own, jinja2.PackageLoader("clio_nb.web")])
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    environment.globals["menu_picture"] = menu_picture
    return environment
