"""How notebooks show things: text and tables as HTML, in the colours of the theme, and the marks for yes and no.

Everything that is not ours is escaped here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final
from urllib.parse import urlsplit

MARKS: Final = {True: "✓", False: "✗", None: "·"}
"""Yes, no, and not decided. Terminals use them too."""

INK: Final = "var(--jp-ui-font-color1, inherit)"
MUTED: Final = "var(--jp-ui-font-color2, inherit)"
LINK: Final = "var(--jp-content-link-color, LinkText)"
EDGE: Final = "var(--jp-border-color2, GrayText)"
RAISED: Final = "var(--jp-layout-color2, transparent)"
GOOD: Final = "var(--jp-success-color1, currentColor)"
BAD: Final = "var(--jp-error-color1, currentColor)"

_TABLE: Final = (
    f"<style>.clio-table{{border-collapse:collapse;margin:4px 0;color:{INK}}}"
    ".clio-table caption{text-align:left;font-weight:600;padding:0 0 4px}"
    ".clio-table th,.clio-table td{text-align:left;vertical-align:top;padding:3px 16px 3px 0;font-weight:normal}"
    f".clio-table thead th{{color:{MUTED}}}.clio-table tbody tr{{border-top:1px solid {EDGE}}}</style>"
)


def text(value: object) -> str:
    """Escape a text, and keep right-to-left marks in it from turning what stands around it."""
    return f"<bdi>{escape(str(value))}</bdi>"


def code(value: object) -> str:
    """Draw a text as code that breaks anywhere: addresses and ids."""
    return f'<code style="color:{INK};background:none;padding:0;overflow-wrap:anywhere">{escape(str(value))}</code>'


def block(source: str) -> str:
    """Draw Python source as a block that can be selected and copied."""
    style = f"color:{INK};background:{RAISED};border:1px solid {EDGE};padding:8px 12px;margin:0;white-space:pre-wrap"
    return f'<pre tabindex="0" style="{style};overflow-wrap:anywhere;line-height:1.4">{escape(source)}</pre>'


def link(url: str, label: str) -> str:
    """Draw a link that opens in a new tab. Anything but http(s) or a path on this server is shown as text."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") and (parts.scheme or not url.startswith("/") or url.startswith("//")):
        return code(url)
    style = f"color:{LINK};text-decoration:underline"
    return f'<a href="{escape(url)}" target="_blank" rel="noopener noreferrer" style="{style}">{text(label)}</a>'


def muted(html: str) -> str:
    """Draw a line that explains, in the theme's second colour."""
    return f'<div style="color:{MUTED}">{html}</div>'


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Draw cells, which are HTML already, as a table with caption and headers; the first cell names its row."""
    head = "".join(f'<th scope="col">{escape(one)}</th>' for one in columns)
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>' + "".join(f"<td>{one}</td>" for one in row[1:]) + "</tr>" for row in rows
    )
    return (
        f'{_TABLE}<table class="clio-table"><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def report(verdict: str, *html: str) -> str:
    """Draw a verdict, and what belongs to it as HTML."""
    return f'<div style="color:{INK}"><strong>{escape(verdict)}</strong> {"".join(html)}</div>'


def scrolling(html: str, label: str) -> str:
    """Draw something long in a region that scrolls, also by keyboard."""
    return f'<div tabindex="0" role="region" aria-label="{label}" style="max-height:30em;overflow:auto">{html}</div>'
