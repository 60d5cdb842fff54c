"""The pictures of who uses the button: they say the finding, also in words, and are drawn in the ink of the page."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

import clio_nb as clio
from clio_nb.errors import InvalidInput
from clio_nb.firm.adoption import Adoption
from clio_nb.firm.launches import adoption_frame, gaps_frame, launches_frame, refusals_frame
from clio_nb.firm.pictures import _INK, Picture, pictures_of
from clio_nb.ledger.launches import Gap, LaunchRow, Refused
from clio_nb.sandbox import Sandbox

NOW = dt.datetime(2026, 3, 2, 17, tzinfo=dt.UTC)
SVG = "{http://www.w3.org/2000/svg}"


def click(days: float = 0, key: str | None = "sign", user_id: int = 7) -> LaunchRow:
    at = NOW - dt.timedelta(days=days)
    return LaunchRow(at, "default", "verified", "", 9, user_id, 99, key, "matters/show", 5)


def one(user_id: int, clicks: int, user: str | None = None) -> Adoption:
    seen = NOW if clicks else None
    return Adoption(user_id, user, 99, "sign", "matters/show", "Sign", NOW, seen, seen, clicks, clicks, clicks)


def drawn(
    rows: list[LaunchRow], used: list[Adoption], refused: list[Refused], gaps: list[Gap], zone: str = "America/Toronto"
) -> list[Picture]:
    return pictures_of(
        launches_frame(rows), adoption_frame(used), refusals_frame(refused, zone), gaps_frame(gaps), zone
    )


GAP = Gap(NOW - dt.timedelta(days=2), NOW - dt.timedelta(days=1), "one")
ROWS = [click(), click(1, "a<b> $x$ \u202e&\x1b"), click(2), click(3, None, user_id=8)]
SOME = (ROWS, [one(7, 3), one(8, 1), one(9, 0, "Perpetua")], [Refused(NOW, "", "no-token", 40)], [GAP])


@pytest.mark.parametrize("given", [SOME, ([], [], [], []), ([click()], [], [], [])], ids=["some", "none", "one"])
def test_each_picture_is_an_svg_with_a_title_a_text_and_no_colour_of_a_page(given: tuple[list[Any], ...]) -> None:
    for picture in drawn(*given):
        svg = ET.fromstring(picture.svg)  # noqa: S314 -- ours
        assert svg.get("role") == "img"
        title = svg.find(f"{SVG}title")
        text = svg.find(f"{SVG}desc")
        assert title is not None
        assert text is not None
        assert title.text == picture.title
        assert text.text == picture.text
        assert svg.get("aria-label") == f"{picture.title}. {picture.text}"
        assert _INK not in picture.svg
        assert "currentColor" in picture.svg
        assert "http-equiv" not in picture.svg
        assert "<script" not in picture.svg
        assert 'xlink:href="http' not in picture.svg


def test_the_titles_say_the_finding() -> None:
    titles = [picture.title for picture in drawn(*SOME)]
    assert titles == [
        "4 confirmed clicks in 4 days, most of them on sign",
        "2 of 3 users have clicked; 1 never has",
        "Most clicks come between 12:00 and 13:00",
        "40 launches were refused, on 2 March",
    ]
    assert "never: Perpetua." in drawn(*SOME)[1].text
    some = [Refused(NOW - dt.timedelta(days=day), "", "no-token", 1 + day) for day in range(3)]
    assert drawn([], [], some, [])[3].title == "6 launches were refused, 3 of them on 28 February"
    assert drawn([], [], some[:1], [])[3].title == "1 launch was refused, on 2 March"
    assert [picture.title for picture in drawn([], [], [], [])] == [
        "No click was confirmed",
        "No user has an action",
        "No click was confirmed",
        "No launch was refused",
    ]


def texts(picture: Picture) -> list[str]:
    """What stands in the picture, besides its title."""
    drawn = [element.text or "" for element in ET.fromstring(picture.svg).iter(f"{SVG}text")]  # noqa: S314 -- ours
    return [text for text in drawn if text != picture.title]


@pytest.mark.parametrize("zone", ["America/Toronto", "Pacific/Auckland", "UTC"])
def test_days_and_counts_are_labelled_as_whole_days_of_the_zone_and_whole_numbers(zone: str) -> None:
    labels = texts(drawn([click()], [one(7, 1)], [Refused(NOW, "", "no-token", 1)], [], zone)[3])
    day = NOW.astimezone(ZoneInfo(zone)).date()
    near = {(day + dt.timedelta(days=away)).isoformat() for away in range(-5, 6)}
    assert {text for text in labels if text.startswith("2026-")} <= near
    assert {text for text in labels if text[0].isdigit() and "-" not in text} == {"0", "1"}
    assert f"Day ({zone})" in labels


def test_a_day_is_drawn_from_its_beginning_whatever_time_zone_matplotlib_is_set_to() -> None:
    import matplotlib as mpl

    as_it_is = drawn(*SOME)
    with mpl.rc_context({"timezone": "Asia/Tokyo"}):
        assert [picture.svg for picture in drawn(*SOME)] == [picture.svg for picture in as_it_is]


def test_pictures_of_nothing_have_no_numbers_that_say_nothing() -> None:
    shown = [texts(picture) for picture in drawn([], [], [], [])]
    hours = [str(hour) for hour in range(0, 25, 3)]
    assert shown == [
        ["Day (America/Toronto)", "Clicks"],
        ["Day (America/Toronto)", "Users"],
        [*hours, "Hour (America/Toronto)", "Clicks"],
        ["Day (America/Toronto)", "Launches"],
    ]
    assert "5 equipped" in texts(drawn([], [one(user, 0) for user in range(5)], [], [])[1])


def test_a_long_key_does_not_squeeze_the_picture_and_stands_in_full_in_its_text() -> None:
    key = "for-signature-" * 9
    picture = drawn([click(1, key), click(2, key), click(3, "b")], [], [], [])[0]
    assert max(map(len, [picture.title, *texts(picture)])) < 90
    assert key in picture.text


def test_the_most_frequent_comes_first_and_a_gap_last_in_the_legend() -> None:
    rows = [click(1, "a"), click(1, "z"), click(2, "z")]
    labels = texts(drawn(rows, [], [], [GAP])[0])
    assert [text for text in labels if text in ("a", "z", "may be incomplete")] == ["z", "a", "may be incomplete"]


def test_s1_hostile_keys_are_text_in_a_picture() -> None:
    picture = drawn(*SOME)[0]
    assert "a&lt;b&gt; $x$ \\u202e&amp;\\x1b" in picture.svg
    assert "a<b>" not in picture.svg


def test_series_are_told_apart_by_hatches_and_a_gap_is_named() -> None:
    svg = drawn(*SOME)[0].svg
    assert svg.count("<pattern ") >= 3
    assert "may be incomplete" in svg
    assert "may be incomplete" not in drawn([click()], [], [], [])[0].svg


def test_the_same_tables_give_the_same_picture() -> None:
    assert [one.svg for one in drawn(*SOME)] == [one.svg for one in drawn(*SOME)]


def test_many_actions_become_a_few_and_others() -> None:
    rows = [click(day, f"key {number}") for number in range(9) for day in range(number + 1)]
    svg = drawn(rows, [], [], [])[0].svg
    assert ">key 8<" in svg
    assert ">others<" in svg
    assert ">key 1<" not in svg


def test_a_saved_picture_is_light_or_dark_as_its_reader(tmp_path: Path) -> None:
    path = drawn(*SOME)[0].save(tmp_path / "a.svg")
    text = path.read_text()
    ET.fromstring(text)  # noqa: S314 -- ours
    assert "prefers-color-scheme:dark" in text
    assert "prefers-color-scheme" not in drawn(*SOME)[0]._repr_html_()


def test_a_firm_draws_what_it_recorded(clio_sandbox: Sandbox) -> None:
    firm = clio.Firm(clio_sandbox, record=True)
    session = clio.login(clio_sandbox)
    firm.add(session)
    url = clio_sandbox.click_on(session.user.id, "https://partner.example/launch")
    assert clio.verify_launch(url, firm)
    assert firm.pictures(time_zone="America/Toronto")[0].title == "1 confirmed click in 1 day"
    with pytest.raises(InvalidInput, match="Unknown time zone"):
        firm.pictures(time_zone="Nowhere")


def test_without_matplotlib_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InvalidInput, match=r"clio-nb\[lab\]"):
        drawn(*SOME)
    assert isinstance(launches_frame([]), pd.DataFrame)
