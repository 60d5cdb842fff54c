"""Small pictures of the nine menus of Clio's screens that show custom actions, with the action in them."""

from __future__ import annotations

from html import escape
from typing import Final

from . import markup
from .vocabulary import MENUS, Menu

_WIDTH: Final = 280
_HEIGHT: Final = 134
_MENU: Final = 160

_PAPER: Final = "var(--jp-layout-color0, Canvas)"
_WASH: Final = "var(--jp-layout-color2, ButtonFace)"
_INK: Final = "var(--jp-ui-font-color1, CanvasText)"
_SOFT: Final = "var(--jp-border-color2, GrayText)"
_LINE: Final = "var(--jp-border-color1, GrayText)"
_MARK: Final = "var(--jp-brand-color1, Highlight)"
_ON_MARK: Final = "var(--jp-ui-inverse-font-color1, HighlightText)"


def menu_picture(menu: Menu, label: str) -> str:
    """Draw one of the nine menus, opened, with the label in it: an inline SVG with a caption."""
    screen = _table(menu) if menu.view == "table" else _record(menu)
    top = 62 if menu.view == "table" else 36
    caption = escape(str(menu)[0].upper() + str(menu)[1:])
    return (
        f'<figure style="margin:0;flex:1 1 200px;max-width:{_WIDTH}px">'
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="100%" role="img" aria-label="{caption}" font-size="9" '
        'style="display:block;font-family:var(--jp-ui-font-family, sans-serif)">'
        f"{_box(0.5, 0.5, _WIDTH - 1, _HEIGHT - 1, _PAPER, _LINE, 5)}{screen}{_menu(top, label)}</svg>"
        f'<figcaption style="color:{markup.MUTED};line-height:1.5;padding-top:2px">{caption}</figcaption></figure>'
    )


def _table(menu: Menu) -> str:
    """Draw the table view: a heading, and rows that end in a button with a dropdown beside it."""
    heading = _text(12, 20, menu.location.resource.capitalize(), bold=True)
    rows = "".join(_row(menu, 30 + 28 * number, opened=number == 0) for number in range(3))
    return heading + rows


def _row(menu: Menu, y: int, *, opened: bool) -> str:
    bars = _bar(12, y + 11, 70) + _bar(100, y + 11, 46)
    edge = f'<path d="M1 {y}H{_WIDTH - 1}" style="stroke:{_SOFT}"/>'
    return edge + bars + _button(menu.name.rpartition(" ")[2], 204, y + 5, opened=opened)


def _record(menu: Menu) -> str:
    """Draw the singular view: the record's name, its buttons in the header, and its details."""
    name = f"One {menu.location.record_type.lower()}"
    button = menu.name if menu.name == "More Actions" else menu.name.rpartition(" ")[2]
    header = f'<path d="M1 44H{_WIDTH - 1}" style="stroke:{_SOFT}"/>' + _text(12, 25, name, bold=True)
    details = "".join(_bar(12, y, 40) + _bar(66, y, 54) for y in range(58, 118, 17))
    return header + details + _button(button, 268 - 16 - _width(button), 15, opened=True)


def _button(name: str, x: int, y: int, *, opened: bool) -> str:
    """Draw a button with its dropdown arrow; the arrow of the opened one is marked."""
    arrow = x + _width(name)
    ink = _ON_MARK if opened else _INK
    return (
        _box(x, y, _width(name), 18, _WASH, _LINE, 3)
        + _text(x + 8, y + 12, name)
        + _box(arrow, y, 16, 18, _MARK if opened else _WASH, _LINE, 3)
        + f'<path d="M{arrow + 5} {y + 7}l3 4 3-4z" style="fill:{ink}"/>'
    )


def _width(name: str) -> int:
    return 16 + 5 * len(name)


def _menu(y: int, label: str) -> str:
    """Draw the opened menu: two items of Clio's own, and the action. A long label goes on in a second line."""
    bars = "".join(
        f'<div style="width:{width}px;height:5px;margin:6px 7px 9px;border-radius:3px;background:{_SOFT}"></div>'
        for width in (52, 70)
    )
    item = f"padding:3px 7px;border-radius:3px;background:{_MARK};color:{_ON_MARK};font-weight:600"
    frame = f"box-sizing:border-box;padding:3px;border:1px solid {_LINE};border-radius:4px;background:{_PAPER}"
    return (
        f'<foreignObject x="{_WIDTH - 12 - _MENU}" y="{y}" width="{_MENU}" height="{_HEIGHT - y}">'
        f'<div style="{frame};font-size:9px;line-height:11px">{bars}'
        f'<div style="{item};overflow-wrap:anywhere">{markup.text(label.strip() or "Your action")}</div>'
        "</div></foreignObject>"
    )


def _box(x: float, y: float, width: float, height: float, fill: str, stroke: str, radius: int) -> str:
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="{radius}" style="fill:{fill};stroke:{stroke}"/>'
    )


def _bar(x: int, y: int, width: int) -> str:
    """Draw text that does not matter."""
    return f'<rect x="{x}" y="{y}" width="{width}" height="5" rx="2.5" style="fill:{_SOFT}"/>'


def _text(x: int, y: int, text: str, *, fill: str = _INK, bold: bool = False) -> str:
    weight = ";font-weight:600" if bold else ""
    return f'<text x="{x}" y="{y}" style="fill:{fill}{weight};unicode-bidi:isolate">{escape(text)}</text>'


class Menus:
    """All nine menus in which a custom action can appear, pictured with a label in them."""

    def __init__(self, label: str = "") -> None:
        self.label: Final = label

    def __repr__(self) -> str:
        return f"<Menus: {len(MENUS)} menus>"

    def _repr_html_(self) -> str:
        pictures = "".join(menu_picture(menu, self.label) for menu in MENUS)
        return f'<div style="display:flex;flex-wrap:wrap;gap:16px;max-width:60em">{pictures}</div>'
