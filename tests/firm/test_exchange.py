"""A partner's own tokens come in from a table, a CSV file or a query, all or none, and go out again."""

from __future__ import annotations

import datetime as dt
import sqlite3
from pathlib import Path

import pandas as pd
import pytest

from clio_nb.errors import InvalidInput, VaultError
from clio_nb.firm import Firm
from clio_nb.firm.manifest import Manifest
from clio_nb.models import App, Token
from clio_nb.sandbox import Sandbox
from clio_nb.secret import Secret
from clio_nb.vocabulary import Region

SITE = App(Region.US, "app", Secret("hush"))
ROW = {"user_id": 7, "access_token": "canary-a", "refresh_token": "canary-r", "name": "Anna", "email": "a@x.example"}


@pytest.fixture
def empty() -> Firm:
    return Firm(SITE)


def token(firm: Firm, user_id: int = 7) -> Token | None:
    grant = firm.vault.grant(SITE, user_id)
    return grant and grant.token


def test_a_table_of_tokens_is_kept(empty: Firm) -> None:
    table = pd.DataFrame([ROW | {"expires_at": 1_800_000_000, "notes": "ignored"}])
    assert empty.import_tokens(table) == 1
    assert token(empty) == Token(access=Secret("canary-a"), refresh=Secret("canary-r"), expires_at=1_800_000_000)
    assert empty.tokens()[["user_id", "name", "email"]].to_numpy().tolist() == [[7, "Anna", "a@x.example"]]


@pytest.mark.parametrize(
    "moment",
    ["2027-01-15T08:00:00+00:00", "2027-01-15 08:00:00", pd.Timestamp("2027-01-15T08:00Z"), 1_800_000_000.0],
)
def test_an_end_may_be_a_time_a_text_or_seconds(empty: Firm, moment: object) -> None:
    empty.import_tokens(pd.DataFrame([ROW | {"expires_at": moment}]))
    kept = token(empty)
    assert kept is not None
    assert kept.expires_at == dt.datetime(2027, 1, 15, 8, tzinfo=dt.UTC).timestamp()


def test_gaps_are_no_texts(empty: Firm) -> None:
    table = pd.DataFrame([ROW, {"user_id": 8, "access_token": "b"}])
    table["user_id"] = table["user_id"].astype(float)
    assert empty.import_tokens(table) == 2
    assert token(empty, 8) == Token(access=Secret("b"))
    assert empty.tokens()["name"].isna().tolist() == [False, True]


def test_what_is_exported_comes_in_again(empty: Firm, tmp_path: Path) -> None:
    empty.import_tokens(pd.DataFrame([ROW | {"expires_at": 1_800_000_000.5}, {"user_id": 8, "access_token": "b"}]))
    path = empty.export_tokens(tmp_path / "tokens.csv")
    assert path.stat().st_mode & 0o777 == 0o600
    other = Firm(SITE)
    assert other.import_tokens(path) == 2
    assert [token(other, user) for user in (7, 8)] == [token(empty, user) for user in (7, 8)]


def test_a_query_brings_tokens_in(empty: Firm, tmp_path: Path) -> None:
    path = tmp_path / "partner.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE users (clio_id INTEGER, token TEXT)")
        database.execute("INSERT INTO users VALUES (7, 'from-sql')")
    database.close()
    query = "SELECT clio_id AS user_id, token AS access_token FROM users"
    assert empty.import_tokens(f"sqlite:///{path}", query=query) == 1
    assert token(empty) == Token(access=Secret("from-sql"))
    with pytest.raises(VaultError, match="no such table"):
        empty.import_tokens(f"sqlite:///{path}", query="SELECT * FROM elsewhere")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"user_id": "canary"}, "Row 2: user_id is not a user id"),
        ({"user_id": -1}, "Row 2: user_id is not a user id"),
        ({"user_id": 2**70}, "Row 2: user_id is not a user id"),
        ({"user_id": 6}, "Row 2: user 6 is in row 1 already"),
        ({"access_token": " "}, "Row 2: access_token is empty"),
        ({"access_token": None}, "Row 2: access_token is empty"),
        ({"expires_at": "canary"}, "Row 2: expires_at is not a time"),
        ({"region": "canary"}, "Row 2: unknown region. Use us, eu, ca or au"),
    ],
)
def test_a_bad_row_is_named_and_nothing_is_kept(empty: Firm, change: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidInput, match=said) as error:
        empty.import_tokens(pd.DataFrame([{"user_id": 6, "access_token": "canary"}, ROW | change], dtype=object))
    assert "canary" not in str(error.value)
    assert empty.tokens().empty


def test_a_missing_column_or_file_is_named(empty: Firm, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no column 'access_token'"):
        empty.import_tokens(pd.DataFrame([{"user_id": 1, "token": "canary"}]))
    with pytest.raises(InvalidInput, match="No such file"):
        empty.import_tokens(tmp_path / "none.csv")
    (tmp_path / "bad.csv").write_text('user_id,access_token\n1,"canary\n2,x,y,z\n')
    with pytest.raises(InvalidInput, match="not a CSV file") as error:
        empty.import_tokens(tmp_path / "bad.csv")
    assert "canary" not in str(error.value)


def test_tokens_do_not_show_in_a_table_of_tokens(empty: Firm) -> None:
    empty.import_tokens(pd.DataFrame([ROW]))
    tokens = empty.tokens()
    assert "canary" not in tokens.to_string() + tokens.to_html() + tokens.to_csv() + repr(tokens.to_dict())
    assert empty.import_tokens(tokens) == 1, "and come in again as they are"
    assert token(empty) == Token(access=Secret("canary-a"), refresh=Secret("canary-r"))


def test_a_token_of_another_region_is_kept_apart(empty: Firm) -> None:
    empty.import_tokens(pd.DataFrame([ROW | {"region": "eu"}, {"user_id": 8, "access_token": "b", "region": "US"}]))
    assert empty.tokens()["user_id"].tolist() == [8]
    assert empty.vault.elsewhere(SITE) == {7: "eu"}


def test_imported_tokens_work(clio_sandbox: Sandbox, manifest: Manifest) -> None:
    granted = [{"user_id": user.id, **clio_sandbox.token(user.id)} for user in clio_sandbox.users]
    table = pd.DataFrame(granted)[["user_id", "access_token", "refresh_token"]]
    firm = Firm(clio_sandbox)
    assert firm.import_tokens(table) == 5
    clio_sandbox.advance(2_592_001)
    assert firm.apply(firm.plan(manifest), progress=False)
    assert firm.session_of(clio_sandbox.users[0].id).who_am_i().id == clio_sandbox.users[0].id
