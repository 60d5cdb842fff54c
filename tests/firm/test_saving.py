"""Text stays text: on a page, in a spreadsheet, in a terminal."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd
import pytest

from clio_nb.errors import InvalidInput
from clio_nb.models import NOT_WANTED, CustomAction, User, visible
from clio_nb.tables import LOCATION_COLUMNS, actions_frame, heat_map, save_table, styled

NASTY = User(id=1, name="<script>alert(1)</script>\u202egnp")
LABELS = ["=HYPERLINK(A1)", "+1", "-1", "@SUM(A1)", " =1", "|cmd", "%1", "＝1", "a\tb\x00c\nd", "Sign", "“Sign”"]
NOON = dt.datetime(2026, 1, 15, 17, tzinfo=dt.UTC)


@pytest.fixture
def frame() -> pd.DataFrame:
    return actions_frame(
        (NASTY, CustomAction(id=number, label=label, ui_reference="<i>x</i>", created_at=NOON))
        for number, label in enumerate(LABELS)
    )


def read(path: Path) -> pd.DataFrame:
    if path.suffix == ".csv":
        return pd.read_csv(path)
    return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_excel(path)


@pytest.mark.parametrize("ending", ["csv", "parquet", "xlsx"])
def test_a_saved_table_holds_no_formula_and_no_control_character(
    frame: pd.DataFrame, tmp_path: Path, ending: str
) -> None:
    saved = read(save_table(frame, tmp_path / f"actions.{ending}"))
    assert saved["label"].tolist() == [
        *("'=HYPERLINK(A1)", "'+1", "'-1", "'@SUM(A1)", "' =1", "'|cmd", "'%1", "'＝1"),
        *("a\\tb\\x00c\\nd", "Sign", "“Sign”"),
    ]
    assert saved["action_id"].tolist() == list(range(len(LABELS)))
    assert saved.columns.tolist() == frame.columns.tolist()
    assert pd.to_datetime(saved["created_at"], utc=True).eq(NOON).all()


def test_saving_leaves_the_table_as_it_is(frame: pd.DataFrame, tmp_path: Path) -> None:
    before = frame.copy()
    save_table(frame, tmp_path / "actions.csv")
    pd.testing.assert_frame_equal(frame, before)


def test_an_index_is_saved_as_a_column(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [1]}, index=pd.Index([7], name="user_id"))
    assert read(save_table(frame, tmp_path / "x.csv")).to_dict("list") == {"user_id": [7], "x": [1]}


def test_another_ending_is_refused(frame: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"\.csv, \.parquet or \.xlsx"):
        save_table(frame, tmp_path / "actions.xls")


def test_a_page_shows_html_as_text_and_spells_control_characters_out(frame: pd.DataFrame) -> None:
    page = styled(frame, "<b>All</b>").to_html()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "<i>" not in page
    assert "&lt;b&gt;All&lt;/b&gt;" in page
    assert "\\u202e" in page
    assert "\u202e" not in page


def test_the_names_of_rows_and_columns_are_escaped_too() -> None:
    frame = pd.DataFrame({"<u>c</u>": ["x"]}, index=pd.Index(["<u>r</u>"], name="row"))
    assert "<u>" not in styled(frame).to_html()


def test_the_same_table_gives_the_same_page(frame: pd.DataFrame) -> None:
    assert styled(frame).to_html() == styled(frame.copy()).to_html()


def test_a_heat_map_says_in_words_what_its_colours_say() -> None:
    cells = ["Sign", "Sign (duplicate)", "– revoked", NOT_WANTED, "Sign (not ours); – other target"]
    columns = dict(zip(LOCATION_COLUMNS, cells, strict=True))
    coverage = pd.DataFrame(
        {"user": ["<b>A</b>"], "access": ["revoked"], **columns}, index=pd.Index([1], name="user_id")
    )
    page = heat_map(coverage).to_html()
    assert all(cell in page for cell in cells)
    assert "<b>" not in page
    assert page.count("background-color") == 3, "seen, odd, absent; what is not wanted has no colour"


@pytest.mark.parametrize(("text", "shown"), [("Süß — 日本", "Süß — 日本"), ("a\nb", "a\\nb"), ("\u200fx", "\\u200fx")])
def test_control_and_direction_characters_are_spelled_out_and_letters_are_not(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize("ending", ["csv", "CSV", "Csv", "parquet", "PARQUET", "xlsx", "XLSX", "Xlsx"])
def test_s1_an_ending_in_any_case_is_the_same_format(frame: pd.DataFrame, tmp_path: Path, ending: str) -> None:
    saved = save_table(frame, tmp_path / f"Übersicht.2026.{ending}")
    assert [path.name for path in tmp_path.iterdir()] == [f"Übersicht.2026.{ending}"]
    same = saved.rename(saved.with_suffix(f".{ending.lower()}"))
    assert read(same)["action_id"].tolist() == list(range(len(LABELS)))


def test_a_csv_file_begins_with_the_mark_by_which_excel_knows_its_encoding(tmp_path: Path) -> None:
    frame = pd.DataFrame({"user": ["Ödalys", "署名"]})
    path = save_table(frame, tmp_path / "users.csv")
    assert path.read_bytes().startswith(b"\xef\xbb\xbfuser")
    assert pd.read_csv(path).columns.tolist() == ["user"]


FORMULAS = [*"=+-@|%", *"＝＋－＠｜％", *"﹦﹢﹣﹫﹪", *"⁼⁺⁻₌₊₋", "−", "  ＝", "\u3000="]


@pytest.mark.parametrize("start", FORMULAS, ids=ascii)
@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_s1_no_character_that_a_spreadsheet_reads_as_the_start_of_a_formula_stays_first(
    tmp_path: Path, start: str, ending: str
) -> None:
    saved = read(save_table(pd.DataFrame({"label": [f"{start}1+1"]}), tmp_path / f"x.{ending}"))
    (cell,) = saved["label"].tolist()
    assert cell[0] in ("'", "\\")  # the second spells a wide space out


def test_s1_half_an_emoji_is_spelled_out_in_every_format(tmp_path: Path) -> None:
    frame = pd.DataFrame({"label": pd.Series(["Sign \ud83d"], dtype=object)})
    for ending in ("csv", "xlsx", "parquet"):
        assert read(save_table(frame, tmp_path / f"x.{ending}"))["label"].tolist() == ["Sign \\ud83d"]
