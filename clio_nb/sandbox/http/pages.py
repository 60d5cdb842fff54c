"""Pages for people, rendered from templates: escaped, never stored, and saying on each that this is not Clio."""

from __future__ import annotations

from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from .answers import Answer

HEADERS: Final = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'",
}
"""What every page is sent with."""

_RAW: Final = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
_TEMPLATES: Final = Environment(
    loader=PackageLoader("clio_nb.sandbox"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(template: str, **values: Any) -> str:
    """Return a template filled with values, all of them escaped."""
    return _TEMPLATES.get_template(template).render(values)


def page(template: str, status: int = 200, **values: Any) -> Answer:
    """Return a page as an answer."""
    return Answer(status, list(_RAW), render(template, **values).encode(errors="replace"))


def problem(sentence: str, status: int = 400) -> Answer:
    """Return the page that says what is wrong, in one sentence."""
    return page("problem.html", status, sentence=sentence)
