"""Draw text as HTML for widgets. Everything that is not ours is escaped here, and colours come from the theme."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final
from urllib.parse import urlsplit

LABELS: Final = "9em"
"""Width of the column of labels in every form."""

INK: Final = "var(--jp-ui-font-color1, inherit)"
MUTED: Final = "var(--jp-ui-font-color2, inherit)"
LINK: Final = "var(--jp-content-link-color, LinkText)"
EDGE: Final = "var(--jp-border-color2, GrayText)"
RAISED: Final = "var(--jp-layout-color2, transparent)"
GOOD: Final = "var(--jp-success-color1, currentColor)"
BAD: Final = "var(--jp-error-color1, currentColor)"

_STYLE: Final = f"""
.clio-form{{border:1px solid {EDGE};border-radius:6px;padding:14px 18px 12px;margin:4px 2px;max-width:56em}}
.clio-form .widget-label{{text-align:left}}
.clio-form .widget-html-content{{line-height:1.45;color:{INK}}}
.clio-form .clio-title{{font-size:1.15em;font-weight:600;padding-bottom:4px}}
.clio-form table{{border-collapse:collapse;margin:4px 0}}
.clio-form caption{{text-align:left;font-weight:600;padding:0 0 4px;color:{INK}}}
.clio-form th,.clio-form td{{text-align:left;vertical-align:top;padding:3px 16px 3px 0;font-weight:normal}}
.clio-form td code{{display:inline-block;min-width:19em}}
.clio-form thead th{{color:{MUTED}}}
.clio-form tbody tr{{border-top:1px solid {EDGE}}}
"""
_MARKS: Final = {"idle": "", "busy": "… ", "done": "✓ ", "failed": "✗ "}
_EDGES: Final = {"idle": EDGE, "busy": EDGE, "done": GOOD, "failed": BAD}


def heading(title: str) -> str:
    """Draw a form's title; the styles of the form come with it."""
    return f'<style>{_STYLE}</style><div class="clio-title">{escape(title)}</div>'


def status(kind: str, sentence: str) -> str:
    """Draw the status line: a mark, a sentence, and a role, so that it is also heard. Failures interrupt."""
    style = f"border-left:3px solid {_EDGES[kind]};padding-left:8px"
    role = "alert" if kind == "failed" else "status"
    return f'<div role="{role}" style="{style}">{_MARKS[kind]}{text(sentence)}</div>'


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
    return f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def scrolling(html: str, label: str) -> str:
    """Draw something long in a region that scrolls, also by keyboard."""
    return f'<div tabindex="0" role="region" aria-label="{label}" style="max-height:30em;overflow:auto">{html}</div>'
