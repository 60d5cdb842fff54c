"""Draw text as HTML for widgets. Everything that is not ours is escaped here, and colours come from the theme."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final
from urllib.parse import urlsplit

INK: Final = "var(--jp-ui-font-color1, inherit)"
MUTED: Final = "var(--jp-ui-font-color2, inherit)"
LINK: Final = "var(--jp-content-link-color, LinkText)"
EDGE: Final = "var(--jp-border-color2, GrayText)"
RAISED: Final = "var(--jp-layout-color2, transparent)"
ACCENT: Final = "var(--jp-brand-color1, Highlight)"
GOOD: Final = "var(--jp-success-color1, currentColor)"
BAD: Final = "var(--jp-error-color1, currentColor)"


def text(value: object) -> str:
    """Escape a text, and keep right-to-left marks in it from turning what stands around it."""
    return f"<bdi>{escape(str(value))}</bdi>"


def code(value: object) -> str:
    """Draw a text as code that breaks anywhere: addresses and ids."""
    style = f"color:{INK};background:none;overflow-wrap:anywhere"
    return f'<code style="{style}">{escape(str(value))}</code>'


def block(source: str) -> str:
    """Draw Python source as a block that can be selected and copied."""
    style = f"color:{INK};background:{RAISED};border:1px solid {EDGE};padding:8px 12px;margin:0;white-space:pre-wrap"
    return f'<pre style="{style};overflow-wrap:anywhere;line-height:1.4">{escape(source)}</pre>'


def link(url: str, label: str) -> str:
    """Draw a link that opens in a new tab. Anything but http(s) or a path on this server is shown as text."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") and (parts.scheme or not url.startswith("/") or url.startswith("//")):
        return code(url)
    style = f"color:{LINK};text-decoration:underline"
    return f'<a href="{escape(url)}" target="_blank" rel="noopener noreferrer" style="{style}">{text(label)}</a>'


def muted(html: str) -> str:
    """Draw a line that explains, in the theme's second colour."""
    return f'<div style="color:{MUTED};line-height:1.4">{html}</div>'


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Draw cells, which are HTML already, as a table with caption and headers; the first cell names its row."""
    cell = "text-align:left;vertical-align:top;padding:3px 16px 3px 0"
    head = "".join(
        f'<th scope="col" style="{cell};color:{MUTED};font-weight:normal">{escape(one)}</th>' for one in columns
    )
    body = "".join(
        f'<tr style="border-top:1px solid {EDGE}">'
        f'<th scope="row" style="{cell};font-weight:normal">{row[0]}</th>'
        + "".join(f'<td style="{cell}">{one}</td>' for one in row[1:])
        + "</tr>"
        for row in rows
    )
    return (
        f'<table style="border-collapse:collapse;color:{INK};line-height:1.4">'
        f'<caption style="text-align:left;color:{INK};font-weight:600;padding:0 0 4px">{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )
