"""How notebooks show things: text and tables as HTML, in the colours of the theme, and the marks for yes and no.

Everything that is not ours is escaped here.
"""

from __future__ import annotations

import re
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

_OURS: Final = ".clio-room>table.clio-table.clio-table"  # outdoes what JupyterLab says of tables
_TABLE: Final = f"""
.clio-room{{container-type:inline-size}}
{_OURS}{{border-collapse:collapse;margin:4px 0;table-layout:auto;font-size:inherit;color:{INK}}}
{_OURS} caption{{text-align:left;font-weight:600;padding:0 0 4px}}
{_OURS} :is(th,td){{text-align:left;vertical-align:top;padding:3px 16px 3px 0;font-weight:normal;\
white-space:normal;overflow-wrap:break-word}}
{_OURS} thead :is(th,tr){{color:{MUTED};background:none;border:0}}
{_OURS} tbody tr{{border-top:1px solid {EDGE};background:none}}
"""
_IN_LITTLE_ROOM: Final = f"""
{_OURS}.clio-N :is(tbody,tr,td){{display:block}}
{_OURS}.clio-N thead{{display:none}}
{_OURS}.clio-N tbody tr{{padding:5px 0}}
{_OURS}.clio-N tbody th{{display:block;padding:0;font-weight:600}}
{_OURS}.clio-N td{{padding:1px 0 1px min(8em,33cqw)}}
{_OURS}.clio-N td::before{{content:attr(data-column);float:left;margin-left:calc(-1*min(8em,33cqw));color:{MUTED}}}
{_OURS}.clio-N td:empty{{display:none}}
"""
_ADDRESS: Final = re.compile(r"(?=[&%])|(?<==)|(?<=[^/]/)(?=[^/])")
_HYPHENATED: Final = re.compile(r"(?<![\w-])(?=[\w-]{3,24}(?![\w-]))\w+(?:-\w+)+")  # a name, a date
_LONG: Final = re.compile(r"([^\s/?&%=-]{20})(?=[^\s/?&%=-])")


def _breakable(value: str, *places: re.Pattern[str]) -> str:
    """Escape a text that breaks between its words, and inside one only where that is longer than a column."""
    parts = [value]
    for place in (*places, _LONG):
        parts = [part for whole in parts for part in place.split(whole) if part]
    return "<wbr>".join(map(escape, parts))


def text(value: object) -> str:
    """Escape a text, and keep right-to-left marks in it from turning what stands around it."""
    drawn = _HYPHENATED.sub(r'<span style="white-space:nowrap">\g<0></span>', _breakable(str(value)))
    return f"<bdi>{drawn}</bdi>" if drawn else ""


def code(value: object) -> str:
    """Draw a text as code that breaks where an address has a seam: addresses and ids."""
    drawn = _breakable(str(value), _ADDRESS)
    return f'<code style="color:{INK};background:none;padding:0">{drawn}</code>' if drawn else ""


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


def counted(number: int, one: str, several: str = "") -> str:
    """Say how many there are: ``1 firm``, ``2 firms``. No HTML."""
    return f"{number} {one if number == 1 else several or one + 's'}"


def muted(html: str) -> str:
    """Draw a line that explains, in the theme's second colour."""
    return f'<div style="color:{MUTED}">{html}</div>'


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Draw cells, which are HTML already, as a table with caption and headers; the first cell names its row.

    Where there is not enough room for the columns, each row becomes a block with a line for each cell.
    """
    names = [escape(one) for one in columns]
    head = "".join(f'<th role="columnheader" scope="col">{name}</th>' for name in names)
    body = "".join(
        f'<tr role="row"><th role="rowheader" scope="row">{row[0]}</th>'
        + "".join(
            f'<td role="cell" data-column="{name}">{one}</td>' for name, one in zip(names[1:], row[1:], strict=True)
        )
        + "</tr>"
        for row in rows
    )
    least = 24 if len(names) < 3 else 36 + 2.7 * len(names)
    stacked = _IN_LITTLE_ROOM.replace("clio-N", f"clio-{len(names)}")
    return (
        f"<style>{_TABLE}@container (max-width:{least:g}em){{{stacked}}}</style>"
        f'<div class="clio-room"><table role="table" class="clio-table clio-{len(names)}">'
        f'<caption>{escape(caption)}</caption><thead role="rowgroup"><tr role="row">{head}</tr></thead>'
        f'<tbody role="rowgroup">{body}</tbody></table></div>'
    )


def report(verdict: str, *html: str) -> str:
    """Draw a verdict, and what belongs to it as HTML."""
    return f'<div style="color:{INK}"><strong>{escape(verdict)}</strong> {"".join(html)}</div>'


def scrolling(html: str, label: str) -> str:
    """Draw something long in a region that scrolls, also by keyboard."""
    style = f"max-height:30em;overflow:auto;border:solid {EDGE};border-width:1px 0"
    return f'<div tabindex="0" role="group" aria-label="{label}" style="{style}">{html}</div>'
