"""One row that cannot be read makes one user unreadable, who is named; everyone else goes on."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from typer.testing import CliRunner

from clio_nb.cli.commands import app as command_line
from clio_nb.errors import NeedsLogin, VaultError
from clio_nb.firm import Firm
from clio_nb.firm.manifest import parse_manifest
from clio_nb.http import loop
from clio_nb.launches import verify_launch
from clio_nb.models import Token, User
from clio_nb.sandbox import Sandbox
from clio_nb.secret import Secret
from clio_nb.vault import Vault, new_key
from clio_nb.vault.vault import firm_key_of

KEY = new_key().reveal()
TOML = """
[app]
name = "partner"

[[actions]]
key = "sign"
label = "Send for signature"
target_url = "https://partner.example/launch"
locations = ["matters"]
"""


def seal(text: bytes) -> bytes:
    return Fernet(KEY).encrypt(text)


def content(**changes: object) -> Callable[[str, int], bytes]:
    """A text sealed with the right key, like a grant but for these changes."""

    def made(owner: str, user_id: int) -> bytes:
        whole = {"owner": owner, "user": {"id": user_id}, "access": "token", **changes}
        return seal(json.dumps({key: value for key, value in whole.items() if value is not ...}).encode())

    return made


def flipped(_: str, __: int) -> bytes:
    whole = bytearray(seal(b"{}"))
    whole[40] ^= 1
    return bytes(whole)


DAMAGE: dict[str, Any] = {
    "bytes that are no text": seal(b"\xff\x00"),
    "empty text": seal(b""),
    "not JSON": seal(b"access=token"),
    "cut short": seal(b'{"owner": "'),
    "a list": seal(b"[1, 2]"),
    "null": seal(b"null"),
    "nested deeply": seal(b"[" * 100_000),
    "nested deeply in an unknown field": seal(b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "no access token": content(access=...),
    "an empty access token": content(access=""),
    "an access token of two lines": content(access="a\r\nx: y"),
    "an access token of no header": content(access="é"),
    "an access token that is a number": content(access=5),
    "a user without an id": content(user={}),
    "a negative user": content(user={"id": -1}),
    "another user": content(user={"id": 424242}),
    "another owner": content(owner="elsewhere"),
    "a moment that is text": content(expires_at="soon"),
    "a flipped bit": flipped,
    "an unknown key": Fernet(new_key().reveal()).encrypt(b"{}"),
    "not sealed": b"token",
    "nothing": b"",
    "text": "text where bytes should be",
    "a number": 7,
    "a huge number": 2**62,
}
COLUMNS: dict[str, Any] = {
    "version of text": ("version", "first"),
    "version of bytes": ("version", b"\x00"),
    "version with a fraction": ("version", 1.5),
    "problem of bytes": ("problem", b"\x00"),
}


@pytest.fixture(autouse=True)
def one_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIO_NB_KEY", KEY)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")


@pytest.fixture
def firm(clio_sandbox: Sandbox, tmp_path: Path) -> Firm:
    firm = Firm(clio_sandbox, Vault.open(tmp_path / "vault.sqlite"))
    firm.sign_in_everyone()
    return firm


def change(path: Path, user_id: int, column: str, value: object) -> None:
    database = sqlite3.connect(path)
    with database:
        found = database.execute(f"UPDATE clio_nb_grants SET {column} = ? WHERE user_id = ?", (value, user_id))  # noqa: S608
        assert found.rowcount == 1
    database.close()


def damage(path: Path, site: Sandbox, user_id: int, what: str) -> None:
    if what in COLUMNS:
        change(path, user_id, *COLUMNS[what])
        return
    owner = "\n".join((*firm_key_of(site, "default"), str(user_id)))
    value = DAMAGE[what]
    change(path, user_id, "sealed", value(owner, user_id) if callable(value) else value)


@pytest.mark.parametrize("what", [*DAMAGE, *COLUMNS])
@pytest.mark.parametrize("which", [0, 2], ids=["the first", "another"])
def test_p7_a_damaged_row_blinds_nobody_else(
    firm: Firm, clio_sandbox: Sandbox, tmp_path: Path, what: str, which: int
) -> None:
    hurt = clio_sandbox.users[which].id
    damage(tmp_path / "vault.sqlite", clio_sandbox, hurt, what)
    firm = Firm(clio_sandbox, Vault.open(tmp_path / "vault.sqlite"))
    everyone = set(firm.tokens()["user_id"])
    users = firm.users()
    assert set(users[users["access"] == "damaged"]["user_id"]) == {hurt}
    plan = firm.plan(parse_manifest(TOML))
    assert {item.user_id for item in plan.changes} == everyone - {hurt}
    (line,) = plan.blocked
    assert (line.user_id, line.reason) == (hurt, "damaged")
    assert "sign in again, or remove the token" in line.advice
    result = firm.apply(plan, progress=False)
    assert result
    coverage = firm.coverage().reset_index()
    assert set(coverage[coverage["access"] == "damaged"]["user_id"]) == {hurt}
    assert set(firm.actions()["user_id"]) == everyone - {hurt}
    assert set(firm.drift(parse_manifest(TOML))["user_id"]) == {hurt}
    tokens = firm.tokens().set_index("user_id")
    assert set(tokens.index[tokens["problem"].fillna("") == "damaged"]) == {hurt}
    assert tokens["access_token"][hurt] is None
    assert firm.import_tokens(firm.export_tokens(tmp_path / "out.csv")) == len(everyone) - 1
    with pytest.raises(NeedsLogin, match="damaged"):
        firm.session_of(hurt).who_am_i()
    assert firm.plan_undo(result.run).changes
    offboard = firm.plan_offboard()
    assert {item.user_id for item in offboard.changes} == everyone - {hurt}
    firm.export()


@pytest.mark.parametrize("what", [*DAMAGE, *COLUMNS])
def test_p7_signing_in_again_or_removing_mends_a_damaged_row(
    firm: Firm, clio_sandbox: Sandbox, tmp_path: Path, what: str
) -> None:
    hurt, gone = (clio_sandbox.users[number].id for number in (0, 1))
    for user_id in (hurt, gone):
        damage(tmp_path / "vault.sqlite", clio_sandbox, user_id, what)
    firm.vault.remove(clio_sandbox, gone)
    firm.vault.keep(clio_sandbox, User(id=hurt), Token(access=Secret(clio_sandbox.token(hurt)["access_token"])))
    assert firm.session_of(hurt).list_actions() == []
    assert set(firm.users().query("access != 'signed in'")["user_id"]) == {gone}


@pytest.mark.parametrize("what", [*DAMAGE, *COLUMNS])
def test_p7_rotating_the_key_keeps_a_damaged_row_and_says_so(
    firm: Firm, clio_sandbox: Sandbox, tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurt, path = clio_sandbox.users[1].id, tmp_path / "vault.sqlite"
    damage(path, clio_sandbox, hurt, what)
    before = {grant.user.id: grant.token for grant in firm.vault.grants(clio_sandbox)}
    newer = new_key().reveal()
    monkeypatch.setenv("CLIO_NB_KEY", f"{newer},{KEY}")
    vault = Vault.open(path)
    opens = Fernet(KEY)
    database = sqlite3.connect(path)
    (raw,) = database.execute("SELECT sealed FROM clio_nb_grants WHERE user_id = ?", (hurt,)).fetchone()
    try:
        content = opens.decrypt(raw) if isinstance(raw, bytes) else None
    except Exception:  # noqa: BLE001 -- no text of this key
        content = None
    if content is None:
        with pytest.warns(UserWarning, match="1 of the tokens .* left as they are"):
            vault.rotate()
    else:
        vault.rotate()
    (now,) = database.execute("SELECT sealed FROM clio_nb_grants WHERE user_id = ?", (hurt,)).fetchone()
    database.close()
    assert now == raw if content is None else Fernet(newer).decrypt(now) == content
    monkeypatch.setenv("CLIO_NB_KEY", newer)
    after = {grant.user.id: grant.token for grant in Vault.open(path).grants(clio_sandbox)}
    assert after == before


@pytest.mark.parametrize("value", [-1e300, -5.0, 0.0, 1e300, 2.0**40, 10**30])
def test_p7_a_moment_beyond_all_clocks_is_taken_for_what_a_clock_can_show(
    firm: Firm, clio_sandbox: Sandbox, tmp_path: Path, value: float
) -> None:
    user_id = clio_sandbox.users[0].id
    made = content(expires_at=value, access=clio_sandbox.token(user_id)["access_token"])
    owner = "\n".join((*firm_key_of(clio_sandbox, "default"), str(user_id)))
    change(tmp_path / "vault.sqlite", user_id, "sealed", made(owner, user_id))
    assert firm.tokens()["problem"].isna().all()
    assert (firm.users()["access"] == "signed in").sum() >= 1


@pytest.mark.parametrize("version", [-5, 0, 2**62, 2**63 - 1])
def test_p7_a_version_of_any_size_can_be_replaced(
    firm: Firm, clio_sandbox: Sandbox, tmp_path: Path, version: int
) -> None:
    user_id = clio_sandbox.users[0].id
    change(tmp_path / "vault.sqlite", user_id, "version", version)
    assert firm.session_of(user_id).list_actions() == []
    token = Token(access=Secret(clio_sandbox.token(user_id)["access_token"]))
    for _ in range(2):
        firm.vault.keep(clio_sandbox, User(id=user_id), token)
    grant = firm.vault.grant(clio_sandbox, user_id)
    assert grant is not None
    assert (grant.token, grant.version) == (token, 2)


@pytest.mark.parametrize("until", [1e300, "never", b"\x00", -1.0])
def test_p7_a_damaged_lease_holds_no_renewal_up(
    firm: Firm, clio_sandbox: Sandbox, tmp_path: Path, until: object
) -> None:
    user_id = clio_sandbox.users[0].id
    change(tmp_path / "vault.sqlite", user_id, "lease_owner", "somebody")
    change(tmp_path / "vault.sqlite", user_id, "lease_until", until)
    grant = firm.vault.grant(clio_sandbox, user_id)
    assert grant is not None
    assert loop.run(firm.vault.source(clio_sandbox, user_id).renew, grant.token) != grant.token


@pytest.mark.parametrize("odd", ["anna", b"\x00", 1.5])
def test_p7_a_row_that_belongs_to_no_user_is_left_out(
    firm: Firm, clio_sandbox: Sandbox, tmp_path: Path, odd: object, caplog: pytest.LogCaptureFixture
) -> None:
    gone, before = clio_sandbox.users[1].id, set(firm.tokens()["user_id"])
    change(tmp_path / "vault.sqlite", gone, "user_id", odd)
    assert set(firm.tokens()["user_id"]) == before - {gone}
    assert "have no valid user id" in caplog.text


def test_p7_a_negative_user_id_is_named(firm: Firm, clio_sandbox: Sandbox, tmp_path: Path) -> None:
    change(tmp_path / "vault.sqlite", clio_sandbox.users[1].id, "user_id", -7)
    tokens = firm.tokens().set_index("user_id")
    assert tokens["problem"][-7] == "damaged"
    assert set(firm.users().query("access == 'damaged'")["user_id"]) == {-7}


def test_p7_the_wrong_key_is_one_clear_error_and_not_every_user_damaged(
    firm: Firm, clio_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del firm
    monkeypatch.setenv("CLIO_NB_KEY", new_key().reveal())
    with pytest.raises(VaultError, match="the key does not open it"):
        Vault.open(tmp_path / "vault.sqlite")


def test_p7_a_launch_of_a_damaged_user_is_refused_like_one_without_a_token(
    firm: Firm, clio_sandbox: Sandbox, tmp_path: Path
) -> None:
    hurt = clio_sandbox.users[0].id
    url = clio_sandbox.click_on(hurt, "https://partner.example/launch")
    damage(tmp_path / "vault.sqlite", clio_sandbox, hurt, "not JSON")
    firm = Firm(clio_sandbox, Vault.open(tmp_path / "vault.sqlite"))
    verdict = verify_launch(url, firm)
    assert not verdict
    assert not verdict.nonce_sent


def test_p7_a_firm_whose_first_row_is_damaged_still_takes_no_other_firms_user(
    firm: Firm, clio_sandbox: Sandbox, tmp_path: Path
) -> None:
    damage(tmp_path / "vault.sqlite", clio_sandbox, min(user.id for user in clio_sandbox.users), "not JSON")
    first = next(grant for grant in firm.vault.grants(clio_sandbox) if not grant.problem)
    assert first.user.account is not None
    firm.sign_in_everyone()
    assert firm.tokens()["problem"].isna().all()


def test_p7_status_names_the_damaged_user_and_shows_the_others(
    firm: Firm, clio_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del firm
    from clio_nb.cli import status as commands

    hurt = clio_sandbox.users[0]
    damage(tmp_path / "vault.sqlite", clio_sandbox, hurt.id, "not JSON")
    here = Firm(clio_sandbox, Vault.open(tmp_path / "vault.sqlite"))
    monkeypatch.setattr(commands, "firm_at", lambda *_: here)
    assert "damaged" in CliRunner().invoke(command_line, ["status"]).output
    rows = json.loads(CliRunner().invoke(command_line, ["status", "--json"]).output)
    assert sorted(row["access"] for row in rows) == ["damaged", *["signed in"] * (len(rows) - 1)]
