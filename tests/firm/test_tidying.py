"""N5: a Clio that keeps labels and URLs tidier than they were sent. What is meant counts, and plans come to rest."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

import clio_nb as clio
from clio_nb import errors
from clio_nb.firm import Firm
from clio_nb.firm.manifest import Action, AppOf, Manifest
from clio_nb.sandbox import Sandbox
from clio_nb.sandbox.world.custom_actions import Actions
from clio_nb.vault import Vault

ACTIONS = "/api/v4/custom_actions"
Tidy = Callable[[str], str]

CERTAIN: dict[str, tuple[str, str, str, Tidy]] = {  # field, as sent, as kept
    "slash": ("target_url", "https://p.example", "https://p.example/", lambda url: re.sub(r"(?<=e)\Z", "/", url)),
    "host": ("target_url", "https://P.Example/L", "https://p.example/L", lambda url: url.replace("P.E", "p.e")),
    "port": ("target_url", "https://p.example:443/l", "https://p.example/l", lambda url: url.replace(":443", "")),
    "empty query": ("target_url", "https://p.example/l?", "https://p.example/l", lambda url: url.removesuffix("?")),
    "escapes": (
        "target_url",
        "https://p.example/%c3%bc",
        "https://p.example/%C3%BC",
        lambda url: url.replace("%c3%bc", "%C3%BC"),
    ),
    "unescaped": ("target_url", "https://p.example/%7El", "https://p.example/~l", lambda url: url.replace("%7E", "~")),
    "unicode": (
        "target_url",
        "https://m\u00fcnchen.example/\u00fc",
        "https://m\u00fcnchen.example/\u00fc",
        lambda url: url.replace("xn--mnchen-3ya", "m\u00fcnchen").replace("%C3%BC", "\u00fc"),
    ),
    "squeezed": ("label", "Sign  now", "Sign now", lambda label: re.sub(" +", " ", label)),
    "stripped": ("label", " Sign ", "Sign", str.strip),
    "composed": ("label", "U\u0308ben", "\u00dcben", lambda label: unicodedata.normalize("NFC", label)),
}
SEEN: dict[str, tuple[str, str, str, Tidy]] = {  # only what Clio answered says that this is the same
    "final slash": ("target_url", "https://p.example/l", "https://p.example/l/", lambda url: f"{url.rstrip('/')}/"),
    "https": (
        "target_url",
        "http://p.example/l",
        "https://p.example/l",
        lambda url: url.replace("http://", "https://"),
    ),
    "no query": ("target_url", "https://p.example/l?t=7", "https://p.example/l", lambda url: url.partition("?")[0]),
    "cut": ("label", "Send for signature", "Send for sig", lambda label: label[:12]),
    "title": ("label", "Sign now", "Sign Now", str.title),
    "no emoji": ("label", "Sign \U0001f58b", "Sign", lambda label: label.rstrip(" \U0001f58b")),
    "escaped": ("label", "Sign & send", "Sign &amp; send", lambda label: re.sub("&(?!amp;)", "&amp;", label)),
}
WAYS = CERTAIN | SEEN


def tidying(monkeypatch: pytest.MonkeyPatch, field: str, tidy: Tidy) -> None:
    """Make the sandbox keep a field in its own way."""
    checked = Actions._checked

    def tidied(self: Actions, fields: dict[str, Any]) -> dict[str, Any]:
        kept = checked(self, fields)
        return {name: tidy(value) if name == field else value for name, value in kept.items()}

    monkeypatch.setattr(Actions, "_checked", tidied)


def wanted(**values: str) -> Manifest:
    defaults = {"key": "sign", "label": "Sign", "target_url": "https://p.example/launch"}
    action = Action(**{**defaults, **values}, locations=("matters", "documents"))  # type: ignore[arg-type] -- all are text
    return Manifest(app=AppOf("partner"), actions=(action,))


@pytest.fixture(params=WAYS, ids=str)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str, str]:
    field, sent, kept, tidy = WAYS[request.param]
    tidying(monkeypatch, field, tidy)
    return field, sent, kept


@pytest.fixture(params=CERTAIN, ids=str)
def certain(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str, str]:
    field, sent, kept, tidy = CERTAIN[request.param]
    tidying(monkeypatch, field, tidy)
    return field, sent, kept


def test_n5_what_clio_keeps_tidier_is_done_said_once_and_planned_to_rest(firm: Firm, way: tuple[str, str, str]) -> None:
    field, sent, kept = way
    manifest = wanted(**{field: sent})
    result = firm.apply(firm.plan(manifest), progress=False)
    assert result.counts() == {"done": 10}
    assert set(firm.actions()[field]) == {kept}
    asked = manifest.target_url(manifest.actions[0], None) if field == "target_url" else sent
    assert result.notes == (f"Clio stored {asked!r} as {kept!r}.",)
    assert result._repr_html_().count("Clio stored") == 1
    assert firm.plan(manifest).counts() == {"ok": 10}
    assert firm.drift().empty
    assert firm.drift(manifest).empty


def test_n5_a_change_is_kept_tidier_and_rests_too(firm: Firm, way: tuple[str, str, str]) -> None:
    field, sent, _ = way
    assert firm.apply(firm.plan(wanted(label="Before", target_url="https://before.example/")), progress=False)
    manifest = wanted(**{field: sent})
    assert firm.apply(firm.plan(manifest), progress=False).counts() == {"done": 10}
    assert firm.plan(manifest).counts() == {"ok": 10}
    other = "target_url" if field == "label" else "label"
    manifest = wanted(**{field: sent, other: {"label": "Renamed", "target_url": "https://moved.example/"}[other]})
    assert firm.apply(firm.plan(manifest), progress=False).counts() == {"done": 10}
    assert firm.plan(manifest).counts() == {"ok": 10}


def test_n5_a_change_by_hand_is_still_seen_and_set_right(
    firm: Firm, clio_sandbox: Sandbox, way: tuple[str, str, str]
) -> None:
    field, sent, kept = way
    manifest = wanted(**{field: sent})
    assert firm.apply(firm.plan(manifest), progress=False)
    session = clio.login(clio_sandbox)
    action = session.list_actions()[0]
    by_hand = {"label": "By hand", "target_url": "https://byhand.example/"}[field]
    session.update_action(action, **{field: by_hand})  # type: ignore[arg-type] -- both are text
    plan = firm.plan(manifest)
    assert plan.counts() == {"update": 1, "ok": 9}
    assert plan.changes[0].diff().keys() == {field}
    assert len(firm.drift()) == 1
    assert firm.apply(plan, progress=False)
    assert set(firm.actions()[field]) == {kept}
    assert firm.plan(manifest).counts() == {"ok": 10}


def test_n5_a_run_is_undone_and_done_again(firm: Firm, way: tuple[str, str, str]) -> None:
    field, sent, _ = way
    before = wanted(label="Before", target_url="https://before.example/")
    assert firm.apply(firm.plan(before), progress=False)
    manifest = wanted(**{field: sent})
    changed = firm.apply(firm.plan(manifest), progress=False)
    undo = firm.plan_undo(changed.run)
    assert undo.counts() == {"update": 10}
    assert firm.apply(undo, progress=False)
    assert firm.plan_undo(changed.run).counts() == {"ok": 10}
    assert firm.apply(firm.plan(manifest), progress=False)
    assert firm.plan(manifest).counts() == {"ok": 10}


def test_n5_a_first_run_is_undone(firm: Firm, way: tuple[str, str, str]) -> None:
    field, sent, _ = way
    made = firm.apply(firm.plan(wanted(**{field: sent})), progress=False)
    undo = firm.plan_undo(made.run)
    assert undo.counts() == {"delete": 10}
    assert firm.apply(undo, progress=False)
    assert firm.actions().empty


def test_n5_a_ledger_in_a_file_remembers_it_for_the_next_process(
    clio_sandbox: Sandbox, tmp_path: Path, way: tuple[str, str, str]
) -> None:
    field, sent, _ = way
    path, key = tmp_path / "vault.sqlite", tmp_path / "key"
    firm = Firm(clio_sandbox, Vault.open(path, key_file=key))
    firm.sign_in_everyone()
    assert firm.apply(firm.plan(wanted(**{field: sent})), progress=False)
    assert Firm(clio_sandbox, Vault.open(path, key_file=key)).plan(wanted(**{field: sent})).counts() == {"ok": 10}


def test_n5_a_machine_with_another_ledger_sees_that_nothing_is_to_be_done(
    firm: Firm, clio_sandbox: Sandbox, certain: tuple[str, str, str]
) -> None:
    field, sent, _ = certain
    assert firm.apply(firm.plan(wanted(**{field: sent})), progress=False)
    elsewhere = Firm(clio_sandbox)
    elsewhere.sign_in_everyone()
    assert elsewhere.plan(wanted(**{field: sent})).counts() == {"ok": 10}
    exported = elsewhere.export()
    assert elsewhere.plan(exported).counts() == {"ok": 10}


@pytest.mark.parametrize("arrived", [True, False])
def test_n5_a_create_whose_answer_is_lost_is_found_as_clio_keeps_it(
    firm: Firm, clio_sandbox: Sandbox, moved: list[float], certain: tuple[str, str, str], arrived: bool
) -> None:
    field, sent, _ = certain
    clio_sandbox.fault("reset", method="POST", path=ACTIONS, after=arrived, times=3)
    assert firm.apply(firm.plan(wanted(**{field: sent})), progress=False)
    assert len(firm.actions()) == 10
    assert firm.plan(wanted(**{field: sent})).counts() == {"ok": 10}


@pytest.mark.parametrize("arrived", [True, False])
def test_n5_an_update_whose_answer_is_lost_is_found_as_clio_keeps_it(
    firm: Firm, clio_sandbox: Sandbox, moved: list[float], way: tuple[str, str, str], arrived: bool
) -> None:
    field, sent, _ = way
    assert firm.apply(firm.plan(wanted(label="Before", target_url="https://before.example/")), progress=False)
    clio_sandbox.fault("reset", method="PATCH", after=arrived)
    assert firm.apply(firm.plan(wanted(**{field: sent})), progress=False)
    assert firm.plan(wanted(**{field: sent})).counts() == {"ok": 10}


@pytest.mark.parametrize("after", [True, False])
def test_h3_n5_one_session_makes_one_action_though_its_answer_is_lost(
    clio_sandbox: Sandbox, moved: list[float], certain: tuple[str, str, str], after: bool
) -> None:
    field, sent, kept = certain
    values = {"label": "Sign", "target_url": "https://p.example/launch", field: sent}
    session = clio.login(clio_sandbox)
    clio_sandbox.fault("reset", method="POST", path=ACTIONS, after=after)
    made = session.create_action(**values, at="matters")
    assert getattr(made, field) == kept
    assert session.list_actions() == [made]
    with pytest.raises(errors.ActionExists) as twin:
        session.create_action(**values, at="matters")
    assert twin.value.action_id == made.id


def test_n5_an_action_made_meanwhile_and_kept_tidier_is_taken_as_the_one_that_is_wanted(
    firm: Firm, clio_sandbox: Sandbox, certain: tuple[str, str, str]
) -> None:
    field, sent, _ = certain
    plan = firm.plan(wanted(**{field: sent}))
    values = {"label": "Sign", "target_url": "https://p.example/launch", field: sent}
    clio.login(clio_sandbox).create_action(**values, at="matters")
    assert firm.apply(plan, progress=False).counts() == {"done": 10}
    assert len(firm.actions()) == 10


def test_n5_a_write_that_clio_answers_and_ignores_is_no_way_of_keeping_it(
    firm: Firm, clio_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert firm.apply(firm.plan(wanted()), progress=False)
    tidying(monkeypatch, "label", lambda _: "Sign")
    result = firm.apply(firm.plan(wanted(label="Sign now")), progress=False)
    assert result.counts() == {"conflict": 10}
    assert firm.plan(wanted(label="Sign now")).counts() == {"update": 10}


def test_n5_what_has_nothing_to_do_with_the_write_is_no_way_of_keeping_it(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    tidying(monkeypatch, "target_url", lambda _: "https://elsewhere.example/")
    assert firm.apply(firm.plan(wanted()), progress=False).counts() == {"conflict": 10}
    assert firm.plan(wanted()).counts() == {"update": 10}


def test_n5_of_two_actions_each_finds_its_own(firm: Firm, way: tuple[str, str, str]) -> None:
    field, sent, _ = way
    (one,) = wanted(**{field: sent}).actions
    other = msgspec.structs.replace(one, key="other", label="Other", target_url="https://p.example/other")
    for actions in ((one, other), (other, one)):
        manifest = Manifest(app=AppOf("partner"), actions=actions)
        assert firm.apply(firm.plan(manifest), progress=False)
        assert firm.plan(manifest).counts() == {"ok": 20}
    assert len(firm.actions()) == 20
