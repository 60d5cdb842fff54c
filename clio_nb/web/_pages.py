"""The pages that visitors see: templates in one folder, each of which an app can replace with its own."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import jinja2

from ..errors import InvalidInput
from ..launches._pages import Page, html_page
from ..menu_pictures import menu_picture

FOLDER: Final = Path(__file__).with_name("templates")


class Pages:
    """Draws pages from templates; one in the caller's folder replaces ours of that name.

    ``known`` is what every template can use.
    """

    def __init__(self, folder: Path | str | None, **known: object) -> None:
        if folder is not None and not Path(folder).is_dir():
            raise InvalidInput(f"templates: there is no folder {folder}.", field="templates")
        folders = [FOLDER] if folder is None else [Path(folder), FOLDER]
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(folders), autoescape=True, undefined=jinja2.StrictUndefined
        )
        self._templates.globals.update(known, menu_picture=menu_picture)

    def show(self, status: int, template: str, *headers: tuple[str, str], **values: object) -> Page:
        """Return a page. Raises :class:`InvalidInput` for a template that cannot be used."""
        try:
            return html_page(status, self._templates.get_template(template).render(**values), *headers)
        except (jinja2.TemplateError, UnicodeDecodeError) as error:
            raise InvalidInput(f"The template {template} cannot be used: {error}", field="templates") from None

    def message(self, status: int, title: str, text: str, *headers: tuple[str, str]) -> Page:
        """Return a page with a heading and a paragraph."""
        return self.show(status, "message.html", *headers, title=title, text=text)
