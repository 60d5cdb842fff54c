"""The pages and redirects of a receiver. No cache keeps them, and they send no Referer to other sites."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from http import HTTPStatus
from typing import Final

from ..http.loopback import Message, Send

PRIVATE: Final = (("cache-control", "no-store"), ("referrer-policy", "no-referrer"))
"""Headers of every answer under the address of the launches."""

_PAGE: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width"><style>:root{{color-scheme:light dark}}
body{{font:1.1rem/1.6 system-ui,sans-serif;max-width:32rem;margin:18vh auto;padding:0 1.5rem}}</style>
<main><h1>{title}</h1><p>{text}</p></main></html>"""


@dataclass(frozen=True, slots=True)
class Visit:
    """A request as a receiver sees it. ``headers`` have lower-case names; ``query`` is raw."""

    method: str
    scheme: str
    host: str
    path: str
    query: str
    headers: Mapping[str, str]

    @property
    def url(self) -> str:
        """The address that was visited."""
        return f"{self.scheme}://{self.host}{self.path}?{self.query}"

    @property
    def ahead_of_time(self) -> bool:
        """Whether a browser fetches the page in advance, before a person opens it."""
        purposes = (self.headers.get(name, "") for name in ("sec-purpose", "purpose", "x-purpose", "x-moz"))
        return any(purpose.lower().startswith(("prefetch", "preview", "prerender")) for purpose in purposes)


@dataclass(frozen=True, slots=True)
class Page:
    """An answer to a visit."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def phrase(self) -> str:
        """Status and phrase, as WSGI wants them."""
        return f"{self.status} {HTTPStatus(self.status).phrase}"


def page(status: int, title: str, text: str, *headers: tuple[str, str]) -> Page:
    """Return a page with a heading and a paragraph, both escaped."""
    return html_page(status, _PAGE.format(title=escape(title), text=escape(text)), *headers)


def html_page(status: int, html: str, *headers: tuple[str, str]) -> Page:
    """Return a page that may show itself and its styles, and load nothing."""
    fixed = (
        ("content-type", "text/html; charset=utf-8"),
        ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
        ("x-content-type-options", "nosniff"),
        *PRIVATE,
    )
    return Page(status, (*fixed, *headers), html.encode())


def moved(location: str, *headers: tuple[str, str]) -> Page:
    """Return a redirect to an address without the nonce."""
    return Page(303, (("location", location), *PRIVATE, *headers), b"")


def refusal_of_method(visit: Visit) -> Page | None:
    """Return the answer to a visit that must not spend a nonce: HEAD, POST, a prefetch; None for a person's GET."""
    if visit.method != "GET":
        return page(405, "Open it from Clio", "This address answers launches only.", ("allow", "GET"))
    if visit.ahead_of_time:
        return page(503, "Not yet", "A launch is verified when a person opens it, not before.")
    return None


def visit_of(scope: Message) -> Visit:
    """Read a request out of its scope."""
    headers: dict[str, str] = {}
    for field, text in scope["headers"]:
        name, value = field.decode("latin-1").lower(), text.decode("latin-1")
        # HTTP/2 sends each cookie in a header of its own (RFC 9113, 8.2.3)
        headers[name] = f"{headers[name]}; {value}" if name == "cookie" and name in headers else value
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
    query = scope["query_string"].decode("latin-1")
    return Visit(scope["method"], scope["scheme"], headers.get("host", ""), path, query, headers)


async def answer(page: Page, send: Send) -> None:
    """Send a page."""
    headers = [(name.encode(), value.encode()) for name, value in page.headers]
    await send({"type": "http.response.start", "status": page.status, "headers": headers})
    await send({"type": "http.response.body", "body": page.body})
