"""What a plan says of itself, and how it is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from clio_nb.errors import InvalidInput
from clio_nb.firm.item import Item, Kind
from clio_nb.firm.plan.plan import Cost, Plan


def plan(*items: Item, **more: str) -> Plan:
    return Plan(**{"site": "us", "client_id": "client", "account_id": 1, "app": "partner", "items": items, **more})  # type: ignore[arg-type]


def item(kind: Kind, user_id: int = 1) -> Item:
    return Item(kind=kind, user_id=user_id)


def test_what_changes_nothing_costs_nothing() -> None:
    assert plan().cost() == Cost(0, 0, 0)
    assert plan(*(item(kind) for kind in Kind if kind not in ("create", "update", "delete"))).cost() == Cost(0, 0, 0)


def test_a_delete_costs_two_calls_because_it_is_read_just_before() -> None:
    assert plan(item(Kind.DELETE)).cost() == Cost(2, 2, 0)
    assert plan(item(Kind.DELETE), item(Kind.CREATE), item(Kind.UPDATE, user_id=2)).cost() == Cost(4, 3, 0)


@pytest.mark.parametrize(("calls", "seconds"), [(0, 0), (1, 0), (50, 0), (51, 60), (100, 60), (101, 120)])
def test_the_time_of_a_plan_counts_the_windows_of_the_busiest_token(calls: int, seconds: int) -> None:
    assert plan(*[item(Kind.CREATE)] * calls, item(Kind.CREATE, user_id=2)).cost().seconds == seconds


def test_a_plan_saved_and_loaded_is_the_same(tmp_path: Path) -> None:
    kept = plan(item(Kind.CREATE), item(Kind.BLOCKED, user_id=2))
    kept.save(tmp_path / "plan.json")
    assert Plan.load(tmp_path / "plan.json") == kept


def test_a_plan_says_in_a_sentence_what_it_would_do() -> None:
    several = plan(item(Kind.CREATE), item(Kind.CREATE), item(Kind.OK))
    assert str(several) == ("Plan for partner: 2 create, 1 ok. 2 calls, at most 2 per token, 0 s under the rate limit.")
    assert repr(several) == f"<{str(several)[:-1]}>"
    assert str(plan(app="", purpose="offboard")) == (
        "Offboard for this app: nothing to do. 0 calls, at most 0 per token, 0 s under the rate limit."
    )


@pytest.mark.parametrize(
    ("text", "message"), [(None, "cannot be read"), (b"{}", "not a saved plan"), (b"\xff", "not a saved plan")]
)
def test_a_file_that_is_no_plan_is_named(text: bytes | None, message: str, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    if text is not None:
        file.write_bytes(text)
    with pytest.raises(InvalidInput, match=message) as caught:
        Plan.load(file)
    assert str(file) in str(caught.value)
    assert caught.value.field == "path"
