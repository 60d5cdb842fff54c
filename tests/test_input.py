"""Keys, secrets and tokens as files and copying leave them, and half an emoji wherever a text is taken."""

import dataclasses
import json

import pandas as pd
import pytest

import clio_nb
from clio_nb import cli
from clio_nb.errors import InvalidAction, InvalidInput, VaultError
from clio_nb.firm.manifest import parse_manifest
from clio_nb.http import loop
from clio_nb.models import App, Token, User
from clio_nb.secret import Secret
from clio_nb.vault import Grant
from clio_nb.vault.keys import find_keys, new_key
from clio_nb.vocabulary import Location, Region
from clio_nb.web.signed_cookie import checked_keys

pytestmark = pytest.mark.usefixtures("no_keyring")
HALF = "\ud83d"
AROUND = ["{}\n", "{}\r\n", " {}", "\t{} ", "\ufeff{}", "{}\u200b", "\xa0{}\u3000", "\n\n{}\n\n", "{}\x0b\x0c"]
WRONG = ["{}\n{}", "{} {}", "{}\t{}", '"{}"', "'{}'", "{}\x00", "{}é", "{}\u202e", "{}\ud83d", "{}\x7f", "{}\u200b{}"]


@pytest.fixture(autouse=True)
def _own_environment(tmp_path, monkeypatch):
    for name in ("DATA", "CONFIG"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name))
    for name in ("SITE", "KEY", "VAULT", "CONTROL_KEY"):
        monkeypatch.delenv(f"CLIO_NB_{name}", raising=False)
    monkeypatch.setenv("CLIO_CLIENT_ID", "my-key")
    monkeypatch.setenv("CLIO_CLIENT_SECRET", "my-secret")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")


def fits(form):
    """Whether a variable of the environment can hold it."""
    return "\x00" not in form and HALF not in form


@pytest.mark.parametrize("form", AROUND, ids=ascii)
def test_spaces_and_line_breaks_around_the_apps_key_and_secret_are_dropped(monkeypatch, form):
    for name in ("ID", "SECRET"):
        monkeypatch.setenv(f"CLIO_CLIENT_{name}", form.format(f"my-{name}"))
    monkeypatch.setenv("CLIO_NB_SITE", form.format("eu") if form.format("").isspace() else "eu")
    app = clio_nb.connect()
    assert (app.client_id, app.client_secret) == ("my-ID", Secret("my-SECRET"))
    passed = clio_nb.connect("eu", client_id=form.format("a"), client_secret=form.format("b"))
    assert passed == clio_nb.App(Region.EU, form.format("a"), Secret(form.format("b")), passed.redirect_uri)
    assert (passed.client_id, passed.client_secret) == ("a", Secret("b"))


@pytest.mark.parametrize("form", WRONG, ids=ascii)
@pytest.mark.parametrize("which", ["client_id", "client_secret"])
def test_what_is_no_key_or_secret_is_refused_by_the_name_of_its_variable(monkeypatch, form, which):
    value = form.format("canary", "canary")
    with pytest.raises(InvalidInput, match=f"{which} has a space, a quotation mark") as error:
        clio_nb.connect("eu", **{"client_id": "a", "client_secret": "b", which: value})
    assert (error.value.field, "canary" in str(error.value)) == (which, False)
    with pytest.raises(InvalidInput, match=which):
        dataclasses.replace(App(Region.EU, "a", Secret("b")), **{which: value})
    if fits(form):
        monkeypatch.setenv(f"CLIO_{which.upper()}_EU", value)
        monkeypatch.setenv("CLIO_CLIENT_ID_EU", value)
        with pytest.raises(InvalidInput, match="variable CLIO_CLIENT_ID_EU has a space, a quotation mark"):
            clio_nb.connect("eu")


@pytest.mark.parametrize("form", AROUND, ids=ascii)
def test_spaces_and_line_breaks_around_a_token_are_dropped(clio_sandbox, form):
    grant = clio_sandbox.token(clio_sandbox.users[0].id)
    session = clio_nb.Session(clio_sandbox, form.format(grant["access_token"]))
    assert session.who_am_i().id == clio_sandbox.users[0].id
    token = Token(access=Secret(form.format("a")), refresh=Secret(form.format("b")))
    assert token == Token(access=Secret("a"), refresh=Secret("b"))
    firm = clio_nb.Firm(clio_sandbox, clio_nb.Vault())
    row = {"user_id": 7, "access_token": form.format("a"), "name": f"Ada {HALF}"}
    firm.import_tokens(pd.DataFrame([row], dtype=object))
    assert firm.tokens()[["access_token", "name"]].to_numpy().tolist() == [[Secret("a"), "Ada \ufffd"]]


@pytest.mark.parametrize("form", WRONG, ids=ascii)
def test_what_is_no_token_is_refused_by_name_before_anything_is_sent(clio_sandbox, form):
    value = form.format("canary", "canary")
    for refused in (
        lambda: clio_nb.Session(clio_sandbox, value),
        lambda: Token.of(value),
        lambda: Token(access=Secret("a"), refresh=Secret(value)),
    ):
        with pytest.raises(InvalidInput, match=r"The (access|refresh) token has a space, a quotation mark") as error:
            refused()
        assert "canary" not in str(error.value)
    firm = clio_nb.Firm(clio_sandbox, clio_nb.Vault())
    rows = pd.DataFrame([{"user_id": 6, "access_token": "a"}, {"user_id": 7, "access_token": value}], dtype=object)
    with pytest.raises(InvalidInput, match=r"Row 2: The access token has") as error:
        firm.import_tokens(rows)
    assert error.value.field == "access_token"
    assert firm.tokens().empty
    assert clio_sandbox.requests == []


@pytest.mark.parametrize("form", [form for form in AROUND if fits(form)], ids=ascii)
def test_spaces_and_line_breaks_around_the_keys_of_a_vault_are_dropped(monkeypatch, tmp_path, form):
    new, old = new_key().reveal(), new_key().reveal()
    monkeypatch.setenv("CLIO_NB_KEY", f"{new},{old}")
    known = find_keys()
    monkeypatch.setenv("CLIO_NB_KEY", f"{form.format(new)},{form.format(old)}")
    assert find_keys().first == known.first
    monkeypatch.delenv("CLIO_NB_KEY")
    file = tmp_path / "a.key"
    file.write_text(f"{form.format(new)},{form.format(old)}", encoding="utf-8")
    file.chmod(0o600)
    assert find_keys(file).first == known.first


@pytest.mark.parametrize("form", [*WRONG, "{},", ",{}"], ids=ascii)
def test_what_is_no_key_of_a_vault_is_refused_by_the_name_of_its_place(monkeypatch, tmp_path, form):
    key = new_key().reveal()
    broken = form.format(key[:22], key[22:]) if form.count("{}") == 2 else form.format(key)
    file = tmp_path / "a.key"
    if fits(form):
        monkeypatch.setenv("CLIO_NB_KEY", broken)
        with pytest.raises(VaultError, match="Invalid key in the variable CLIO_NB_KEY"):
            find_keys(file)
        monkeypatch.delenv("CLIO_NB_KEY")
    for content in (broken.encode(errors="surrogatepass"), key.encode("utf-16")):  # as PowerShell writes files
        file.write_bytes(content)
        file.chmod(0o600)
        with pytest.raises(VaultError, match="Invalid key in the key file"):
            find_keys(file)


@pytest.mark.parametrize("form", [form for form in AROUND if fits(form)], ids=ascii)
def test_a_control_key_and_the_key_of_cookies_are_the_same_with_a_line_break_behind_them(monkeypatch, form):
    with clio_nb.sandbox(control_key="long-enough") as site:
        monkeypatch.setenv("CLIO_NB_CONTROL_KEY", form.format("long-enough"))
        assert clio_nb.connect(site.origin).control_key == Secret("long-enough")
        monkeypatch.setenv("CLIO_NB_CONTROL_KEY", "long enough")
        with pytest.raises(InvalidInput, match="CLIO_NB_CONTROL_KEY has a space"):
            clio_nb.connect(site.origin)
    if form.format("").isspace():
        assert checked_keys(form.format("k" * 40)) == checked_keys("k" * 40)


def test_a_line_break_behind_the_address_of_a_vault_makes_no_other_vault(monkeypatch, tmp_path, capfd):
    monkeypatch.setenv("CLIO_NB_KEY", new_key().reveal())
    for where in (f"{tmp_path}/a.sqlite", f"{tmp_path}/a.sqlite\n", f" {tmp_path}/a.sqlite\r\n"):
        clio_nb.Vault.open(where).close()
    assert sorted(path.name for path in tmp_path.glob("a*")) == ["a.sqlite"]
    with pytest.raises(VaultError, match="PostgreSQL database localhost/nowhere"):
        clio_nb.Vault.open("postgresql://localhost:1/nowhere\n")
    monkeypatch.setattr("sys.argv", ["clio-nb", "status"])
    monkeypatch.setenv("CLIO_NB_SITE", "eu\n")
    monkeypatch.setenv("CLIO_NB_VAULT", f"{tmp_path}/a.sqlite\n")
    with pytest.raises(SystemExit):
        cli.main()
    assert f"SQLite file {tmp_path}/a.sqlite," in capfd.readouterr().err


# Half an emoji, as cutting a text in another language's characters leaves it.


@pytest.mark.parametrize("label", [HALF, f"Sign {HALF}", f"{HALF}Sign", "Sign \ude00", "\ud83d\ude00", "x" * 40 + HALF])
def test_half_an_emoji_in_a_label_is_an_invalid_action(clio_sandbox, label):
    session = clio_nb.login(clio_sandbox)
    action = session.create_action("Sign", "https://partner.example/launch", "matters")
    sent = len(clio_sandbox.requests)
    for refused in (
        lambda: session.create_action(label, "https://partner.example/launch", "matters"),
        lambda: session.update_action(action, label=label),
        lambda: loop.run(session.aio.create_action, label, "https://partner.example/launch", "matters"),
    ):
        with pytest.raises(InvalidAction) as error:
            refused()
        assert error.value.field == "label"
        assert str(error.value).isprintable()
    assert len(clio_sandbox.requests) == sent
    assert clio_nb.lint((label, "https://partner.example/launch", "matters"))[0].level == "error"


@pytest.mark.parametrize(
    "target", ["https://partner.example/{}", "https://{}.example/", "https://p.example/?q={}", "{}"]
)
def test_half_an_emoji_in_a_target_url_is_an_invalid_action(clio_sandbox, target):
    session = clio_nb.login(clio_sandbox)
    with pytest.raises(InvalidAction) as error:
        session.create_action("Sign", target.format(HALF), "matters")
    assert error.value.field == "target_url"
    assert not clio_nb.inspect_launch(target.format(HALF))


def test_half_an_emoji_anywhere_else_is_refused_by_name(clio_sandbox, tmp_path):
    session = clio_nb.login(clio_sandbox)
    firm = clio_nb.Firm(clio_sandbox, clio_nb.Vault())
    firm.sign_in_everyone()
    matter = clio_nb.Subject(Location.MATTERS, 7)
    refused = {
        "at": lambda: session.create_action("Sign", "https://partner.example/launch", HALF),
        "fields": lambda: session.record(matter, fields=f"id,{HALF}"),
        "region": lambda: clio_nb.connect(HALF),
        "users": lambda: firm.plan_offboard([HALF]),
        "name": lambda: clio_nb.Firm(clio_sandbox, clio_nb.Vault(), name=f"Firm {HALF}"),
    }
    for field, call in refused.items():
        with pytest.raises(InvalidInput) as error:
            call()
        assert (error.value.field, str(error.value).isprintable()) == (field, True)
    with pytest.raises(InvalidInput, match="no run"):
        firm.plan_undo(HALF)
    manifest = {"name": '"x"', "label": json.dumps("Sign")}
    for field in manifest:
        told = manifest | {field: f'"{HALF}"'}
        with pytest.raises(InvalidInput):
            parse_manifest(
                f'[app]\nname = {told["name"]}\n[[actions]]\nkey = "sign"\nlabel = {told["label"]}\n'
                'target_url = "https://partner.example/launch"\nlocations = ["matters"]\n'
            )


@pytest.mark.parametrize("name", [HALF, "a\x00b", "a" * 201, "a\nb"])
def test_a_name_that_no_database_takes_is_refused_for_every_vault(clio_sandbox, name):
    vault = clio_nb.Vault()
    for refused in (
        lambda: clio_nb.Firm(clio_sandbox, vault, name=name),
        lambda: vault.keep(clio_sandbox, User(id=1), Token.of("a"), firm=name),
        lambda: vault.grant(clio_sandbox, 1, firm=name),
    ):
        with pytest.raises(InvalidInput, match="name of a firm"):
            refused()


@pytest.mark.parametrize("name", ["{}.sqlite", "{}/a.sqlite"])
@pytest.mark.parametrize("wrong", [HALF, "a\x00b"], ids=ascii)
def test_a_path_that_no_file_system_takes_is_a_vault_error(monkeypatch, tmp_path, name, wrong):
    monkeypatch.setenv("CLIO_NB_KEY", new_key().reveal())
    with pytest.raises(VaultError, match="not a valid path"):
        clio_nb.Vault.open(tmp_path / name.format(wrong))
    monkeypatch.delenv("CLIO_NB_KEY")
    with pytest.raises(VaultError, match="not a valid path"):
        find_keys(tmp_path / name.format(wrong))


def test_a_damaged_token_in_a_vault_is_the_one_that_cannot_be_sent(clio_sandbox):
    vault = clio_nb.Vault()
    vault.keep(clio_sandbox, User(id=1), Token.of("a"))
    assert vault.grant(clio_sandbox, 1) == Grant(User(id=1), Token.of("a"))
