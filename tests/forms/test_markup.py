"""What forms draw: everything that is not ours is text, links lead only to pages, and colours come from the theme."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clio_nb import forms, markup
from clio_nb.menu_pictures import menu_picture
from clio_nb.vocabulary import MENUS

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>\u202e{{x}}`$'
COLOUR = re.compile(r"(?:color|fill|stroke|background|border(?:-\w+)?):([^;\"}]+)")


class Tags(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.seen = set()
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.seen |= {tag, *(name for name, _ in attributes)}


def test_a_hostile_label_is_text_everywhere(session, drawn):
    form = forms.create_action(session)
    form.label = form.target_url = HOSTILE
    html = drawn(form).replace("<style>", "") + form._repr_mimebundle_()["text/html"]
    assert not Tags(html).seen & {"script", "img", "onerror"}


@given(st.text())
def test_no_text_opens_a_tag(text):
    for drawn in (
        markup.text(text),
        markup.code(text),
        markup.block(text),
        markup.table("t", ["c"], [[markup.text(text)]]),
    ):
        assert Tags(drawn).seen <= {
            *("bdi", "code", "pre", "wbr", "div", "span", "style", "tabindex"),
            *("table", "caption", "thead", "tbody", "tr", "th", "td", "scope", "class", "role"),
        }


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("Odalys Hartwell-Oyelaran", ["Hartwell-Oyelaran"]),
        ("Åsa-Lill & Mary-Jane-Ann <x>", ["Åsa-Lill", "Mary-Jane-Ann"]),
        ("read 2026-11-27", ["2026-11-27"]),
        ("2fd4e1c6-7a2d-28fc-ed84-9ee1bb76e739", []),
        ("- a dash - and -", []),
    ],
)
def test_a_name_with_a_hyphen_is_not_broken_at_it(text, whole):
    assert re.findall(r'<span style="white-space:nowrap">([^<]*)</span>', markup.text(text)) == whole


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "//evil.example/x", "JaVaScRiPt:x", "vbscript:x"]
)
def test_only_pages_become_links(url):
    assert "<a " not in markup.link(url, "click")


@pytest.mark.parametrize("menu", MENUS, ids=str)
def test_each_menu_has_a_picture_of_its_own_with_the_label_in_it(menu):
    picture = menu_picture(menu, "Send <now>")
    others = {menu_picture(other, "Send <now>") for other in MENUS} - {picture}
    assert len(others) == len(MENUS) - 1
    assert "Send &lt;now&gt;" in picture
    assert f'aria-label="{str(menu)[0].upper()}{str(menu)[1:]}"' in picture


def test_colours_come_from_the_theme_and_have_a_fallback(session, drawn):
    form = forms.create_action(session)
    form.label, form.target_url = "Send", "https://partner.example/launch"
    used = [value.strip() for value in COLOUR.findall(drawn(form))]
    assert used
    allowed = re.compile(r"(?:[\d.]+px solid )?(?:var\(--jp-[\w-]+, \w+\)|transparent|none|collapse|[\d.]+px)")
    assert [value for value in used if not allowed.fullmatch(value)] == []
