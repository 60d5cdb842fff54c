"""Who uses the button: the tables of what was recorded, with columns and dtypes that stay the same."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

import clio_nb as clio
from clio_nb.errors import InvalidInput
from clio_nb.firm import Firm
from clio_nb.firm.adoption import adoption_of
from clio_nb.firm.launches import adoption_frame, gaps_frame, launches_frame, refusals_frame
from clio_nb.firm.manifest import Manifest
from clio_nb.launches.proof.known_actions import actions_cache
from clio_nb.launches.proof.used_nonces import used_nonces
from clio_nb.ledger.launches import Group, LaunchRow, Process, Refused
from clio_nb.ledger.records import ActionFields, Owned
from clio_nb.sandbox import Sandbox

NOW = dt.datetime(2026, 1, 15, 17, tzinfo=dt.UTC)
LAUNCHES = {
    "at": "datetime64[ns, UTC]",
    "firm": "string",
    "user_id": "Int64",
    "user": "string",
    "action_id": "Int64",
    "key": "string",
    "location": "category",
    "record_id": "Int64",
    "state": "category",
    "reason": "category",
    "milliseconds": "Int64",
}
ADOPTION = {
    "user_id": "Int64",
    "user": "string",
    "action_id": "Int64",
    "key": "string",
    "location": "category",
    "label": "string",
    "equipped_since": "datetime64[ns, UTC]",
    "first_click": "datetime64[ns, UTC]",
    "last_click": "datetime64[ns, UTC]",
    "clicks": "Int64",
    "clicks_7_days": "Int64",
    "clicks_30_days": "Int64",
    "never": "boolean",
}
REFUSALS = {"day": "datetime64[ns, America/Toronto]", "firm": "string", "reason": "category", "launches": "Int64"}
GAPS = {"since": "datetime64[ns, UTC]", "until": "datetime64[ns, UTC]", "process": "string"}


@pytest.fixture(autouse=True)
def _as_a_new_process() -> None:
    used_nonces.clear()
    actions_cache.clear()


@pytest.fixture
def firm(clio_sandbox: Sandbox, manifest: Manifest) -> Firm:
    firm = Firm(clio_sandbox, record=True)
    firm.sign_in_everyone()
    assert firm.apply(firm.plan(manifest), progress=False)
    return firm


def click(firm: Firm, number: int, location: str = "matters/show") -> str:
    """Click as the n-th user in Clio; return the launch URL."""
    site = firm.site
    assert isinstance(site, Sandbox)
    user = site.users[number].id
    (action,) = [one for one in firm.session_of(user).list_actions() if one.ui_reference == location]
    resource = location.partition("/")[0]
    return site.click(user, action.id, site.records(resource)[0]["subject_url"])


def dtypes(frame: pd.DataFrame) -> dict[str, str]:
    return {str(name): str(dtype) for name, dtype in frame.dtypes.items()}


def row(days_ago: float = 0, user_id: int = 7, action_id: int = 99, state: str = "verified") -> LaunchRow:
    at = NOW - dt.timedelta(days=days_ago)
    return LaunchRow(at, "default", state, "" if state == "verified" else "replayed", 9, user_id, action_id, "sign")


def test_every_table_has_the_same_columns_and_dtypes_with_rows_and_without(firm: Firm) -> None:
    before = (firm.launches(), firm.refusals(time_zone="America/Toronto"), firm.gaps(), adoption_frame([]))
    url = click(firm, 0)
    assert clio.verify_launch(url, firm)
    assert not clio.verify_launch(url, firm)
    after = (firm.launches(), firm.refusals(time_zone="America/Toronto"), firm.gaps(), firm.adoption())
    for frames in (before, after):
        assert [dtypes(frame) for frame in frames] == [LAUNCHES, REFUSALS, GAPS, ADOPTION]
    assert [len(frame) for frame in before] == [0, 0, 0, 0]
    assert [len(frame) for frame in after] == [2, 1, 0, 10]
    for one, other in zip(before[:2], after[:2], strict=True):
        assert one["reason"].cat.categories.equals(other["reason"].cat.categories)


def test_the_table_of_launches_says_who_clicked_what_and_how_it_ended(firm: Firm, clio_sandbox: Sandbox) -> None:
    for number, location in ((1, "matters/show"), (0, "documents/show"), (1, "matters/show")):
        assert clio.verify_launch(click(firm, number, location), firm)
        clio_sandbox.advance(60)
    frame = firm.launches()
    names = [user.name for user in clio_sandbox.users]
    assert frame["user"].tolist() == [names[1], names[0], names[1]]
    assert frame["key"].tolist() == ["sign"] * 3
    assert frame["location"].tolist() == ["matters/show", "documents/show", "matters/show"]
    assert frame["state"].tolist() == ["verified"] * 3
    assert frame["reason"].isna().all()
    assert frame["at"].diff().dropna().tolist() == [pd.Timedelta(60, "s")] * 2
    assert firm.launches(since=dt.timedelta(seconds=130))["user"].tolist() == [names[0], names[1]]
    assert len(firm.launches(since=frame["at"][2].to_pydatetime())) == 1


def test_adoption_shows_who_never_clicked_and_counts_confirmed_clicks_only(firm: Firm, clio_sandbox: Sandbox) -> None:
    url = click(firm, 0)
    clio.verify_launch(url, firm)
    clio.verify_launch(url, firm)  # refused
    clio_sandbox.advance(8 * 86_400)
    clio.verify_launch(click(firm, 0), firm)
    frame = firm.adoption()
    on_matters = frame[frame["location"] == "matters/show"]
    mine = on_matters[on_matters["user_id"] == clio_sandbox.users[0].id].iloc[0]
    assert (mine["clicks"], mine["clicks_7_days"], mine["clicks_30_days"], mine["never"]) == (2, 1, 2, False)
    assert mine["last_click"] - mine["first_click"] == pd.Timedelta(8, "D")
    assert frame["never"].sum() == 9
    assert frame["equipped_since"].notna().all()
    assert set(frame["label"]) == {"Send for signature"}


def test_adoption_keeps_what_was_clicked_and_is_ours_no_more_and_says_so() -> None:
    fields = ActionFields("Sign", "https://partner.example/launch", "matters/show")
    owned = [Owned(7, 1, "partner", "sign", fields, NOW), Owned(8, 2, "partner", "", fields)]
    rows = [row(40), row(29.9), row(6.9), row(0, action_id=1, state="refused"), row(1, user_id=9, action_id=5)]
    found = adoption_of(owned, rows, {7: "Anna"}, NOW)
    assert [(one.user_id, one.action_id, one.user, one.key, one.clicks) for one in found] == [
        (7, 1, "Anna", "sign", 0),
        (7, 99, "Anna", "sign", 3),
        (8, 2, None, None, 0),
        (9, 5, None, "sign", 1),
    ]
    assert [one.equipped_since for one in found] == [NOW, None, None, None]
    assert (found[1].clicks_7_days, found[1].clicks_30_days) == (1, 2)


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        ("UTC", "2026-01-15T23:59Z", "2026-01-15T00:00+00:00"),
        ("America/Toronto", "2026-01-16T04:59Z", "2026-01-15T00:00-05:00"),
        ("Asia/Kathmandu", "2026-01-15T18:14Z", "2026-01-15T00:00+05:45"),
        ("Africa/Cairo", "2026-04-24T10:00Z", "2026-04-24T01:00+03:00"),  # has no midnight
        ("America/Havana", "2026-11-01T05:30Z", "2026-11-01T00:00-04:00"),  # has two
        ("Pacific/Kiritimati", "2026-01-15T10:01Z", "2026-01-16T00:00+14:00"),
    ],
)
def test_refusals_are_counted_by_the_days_of_the_zone_that_is_named(zone: str, moment: str, day: str) -> None:
    at = dt.datetime.fromisoformat(moment)
    rows = [
        Refused(at, "default", "replayed", 2),
        Refused(at - dt.timedelta(minutes=1), "default", "replayed", 3),
        Refused(at, "", "malformed", 1),
    ]
    frame = refusals_frame(rows, zone)
    assert str(frame["day"].dtype) == f"datetime64[ns, {zone}]"
    assert frame["day"].unique().tolist() == [pd.Timestamp(day).tz_convert(ZoneInfo(zone))]
    assert dict(zip(frame["reason"], frame["launches"], strict=True)) == {"replayed": 5, "malformed": 1}
    assert frame["firm"].isna().sum() == 1


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../../etc/passwd", None, 5, "a\0b"])
def test_an_unknown_time_zone_is_refused_before_anything_is_read(firm: Firm, zone: str) -> None:
    with pytest.raises(InvalidInput, match="Unknown time zone") as error:
        firm.refusals(time_zone=zone)
    assert error.value.field == "time_zone"


NO_ZONE = dt.datetime(2026, 1, 1)  # noqa: DTZ001 -- that is the fault


@pytest.mark.parametrize(
    "since",
    [NO_ZONE, "2026-01-01", 5, dt.date(2026, 1, 1), dt.timedelta(days=-1), dt.timedelta(-(10**8))],
)
@pytest.mark.parametrize("table", [Firm.launches, Firm.refusals, Firm.gaps])
def test_a_time_without_a_zone_is_refused_with_what_to_pass(firm: Firm, table: object, since: object) -> None:
    with pytest.raises(InvalidInput, match="since must be a datetime with a time zone"):
        table(firm, since)  # type: ignore[operator]


def test_s1_a_name_that_is_a_formula_or_markup_is_text_in_the_tables(firm: Firm, clio_sandbox: Sandbox) -> None:
    hostile = "=HYPERLINK(1)<b>"
    user = clio_sandbox.rename(clio_sandbox.users[0].id, hostile)
    firm.add(clio.login(clio_sandbox, user.id))
    assert clio.verify_launch(click(firm, 0), Firm(clio_sandbox, firm.vault, record=True))
    assert Firm(clio_sandbox, firm.vault).launches()["user"].tolist() == [hostile]


def test_an_erased_user_has_no_launches_and_her_actions_can_still_be_removed(firm: Firm, clio_sandbox: Sandbox) -> None:
    her = clio_sandbox.users[1].id
    for number in (0, 1, 1):
        assert clio.verify_launch(click(firm, number), firm)
    assert firm.erase(her) == 2
    assert firm.launches()["user_id"].tolist() == [clio_sandbox.users[0].id]
    assert firm.adoption().set_index("user_id").loc[her, "clicks"].tolist() == [0, 0]
    assert firm.plan_offboard(her).counts() == {"delete": 2}
    assert her not in firm.audit().dropna(subset="user")["user_id"].tolist()


def test_launches_that_name_nobody_known_at_a_door_of_several_firms_are_shown_without_a_firm(
    firm: Firm, clio_sandbox: Sandbox
) -> None:
    history = firm.vault.ledger.history

    group = Group([row()._replace(firm=name) for name in ("default", "other", "")])
    history.write(Process("one", firm.aio._firm_key.app, 0), group, NOW.timestamp(), 1e9)
    assert firm.launches()["firm"].fillna("?").tolist() == ["default", "?"]


def test_the_frames_of_nothing_are_empty_and_of_one_row_too() -> None:
    assert launches_frame([]).empty
    assert gaps_frame([]).empty
    assert refusals_frame([], "UTC").empty
    assert launches_frame([row()._replace(user_id=None)])["user"].isna().all()


def test_a_user_whose_access_has_ended_is_still_called_by_the_name_that_the_vault_has(clio_sandbox: Sandbox) -> None:
    firm = Firm(clio_sandbox, record=True)
    firm.sign_in_everyone()
    user = clio_sandbox.users[0]
    clio_sandbox.revoke(user.id)
    firm.coverage()
    grant = firm.vault.grant(clio_sandbox, user.id)
    assert grant is not None
    assert grant.problem == "revoked"
    record = clio_sandbox.records("matters")[0]["subject_url"]
    query = f"custom_action_id=1&user_id={user.id}&subject_url={record}&custom_action_nonce=x"
    assert clio.verify_launch(f"https://partner.example/launch?{query}", firm).code == "revoked"
    assert firm.launches()["user"].tolist() == [user.name]


def test_longer_ago_than_there_are_dates_is_everything(firm: Firm) -> None:
    assert firm.launches(since=dt.timedelta(days=10**6)).equals(firm.launches())
