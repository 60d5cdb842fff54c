"""``clio-nb doctor`` names each trouble, says what to do, and exits with 0 only when everything is ready."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import keyring
import keyring.backends.fail
import pytest

from clio_nb import cli
from clio_nb.models import App, Token, User
from clio_nb.sandbox import Sandbox
from clio_nb.secret import Secret
from clio_nb.vault import Vault, new_key
from clio_nb.vocabulary import Region

from ..http.test_aiohttp_engine import own_authority
from ..http.test_nothing_sent import self_signed, serving
from ..ports import free_port
from ..vault.conftest import Keyring

__all__ = ["own_authority", "self_signed"]

COMMAND = [sys.executable, "-c", "from clio_nb.cli import main; main()", "doctor"]
CANARY = "canary-password"
GOOD = """[app]
name = "partner"
[[actions]]
key = "sign"
label = "Sign"
target_url = "https://partner.example/launch"
locations = ["matters"]
"""
NETWORK = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "CLIO_NB_TRUST_ENV")
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@pytest.fixture(autouse=True)
def _this_machine(tmp_path, monkeypatch):
    """Have a machine on which nothing is set, with folders of its own and a working keyring without a key."""
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    apps = [f"{name}{region}" for name in ("CLIO_CLIENT_ID", "CLIO_CLIENT_SECRET") for region in ("", "_US", "_EU")]
    others = ("CLIO_NB_SITE", "CLIO_NB_VAULT", "CLIO_NB_KEY", "JUPYTERHUB_SERVICE_PREFIX", *CERTIFICATES)
    for name in (*apps, *others, *NETWORK, *map(str.lower, NETWORK)):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    before = keyring.get_keyring()
    keyring.set_keyring(Keyring())
    yield
    keyring.set_keyring(before)


@pytest.fixture
def doctor(monkeypatch, capfd):
    """Run the command in this process; give its exit code and what it found, by name. ``site`` stands in for Clio."""

    def run(*words, site=None):
        with monkeypatch.context() as here:
            if site is not None:
                here.setattr("clio_nb.cli.doctor.site_at", lambda _: site)
            here.setattr("sys.argv", ["clio-nb", "doctor", "--json", *map(str, words)])
            with pytest.raises(SystemExit) as ended:
                cli.main()
        out, err = capfd.readouterr()
        assert err == ""
        assert out.isascii()
        assert CANARY not in out
        said = json.loads(out)
        wrong = [check for check in said["checks"] if check["ok"] is False]
        assert said["ready"] is not bool(wrong)
        assert ended.value.code == (1 if wrong else 0)
        assert all(check["sentence"].endswith((".", ")")) for check in said["checks"]), said
        return ended.value.code, {check["name"]: check for check in said["checks"]}

    return run


@pytest.fixture
def port():
    """Give a port that was free just now."""
    return free_port()


@pytest.fixture
def sandbox(port):
    with Sandbox(clock="real", redirect_uris=[f"http://127.0.0.1:{port}/callback"]) as site:
        yield site


@pytest.fixture
def at_clio(sandbox):
    """Give the sandbox's app as if it were an app at Clio itself: no control endpoints, and users must sign in."""
    return App(Region.US, sandbox.client_id, Secret(sandbox.client_secret), sandbox.redirect_uri, origin=sandbox.origin)


def signed_in(sandbox, app, *, where=None, count=1):
    """Keep the tokens of some users in the vault, as their sign-ins would."""
    vault = Vault.open(where)
    for user in sandbox.users[:count]:
        granted = sandbox.token(user.id)
        token = Token(access=Secret(granted["access_token"]), refresh=Secret(granted["refresh_token"]))
        vault.keep(app, User(id=user.id, name=user.name), token)
    vault.close()
    return vault


def rows_of(vault):
    with contextlib.closing(sqlite3.connect(vault.database.path)) as database:
        return database.execute("SELECT * FROM clio_nb_grants").fetchall()


def problems(found):
    return [name for name, check in found.items() if check["ok"] is False]


def test_a_machine_where_everything_is_ready_says_so(doctor, sandbox, at_clio):
    signed_in(sandbox, at_clio, count=3)
    code, found = doctor(site=at_clio)
    assert (code, problems(found)) == (0, [])
    assert found["users"]["sentence"] == "3 signed in."
    assert {check["part"] for check in found.values()} == {
        "This machine",
        "The network",
        "Keys and tokens",
        "The app",
    }
    assert [name for name, check in found.items() if check["ok"] is None] == []


def test_a_sandbox_is_ready_at_once(doctor, sandbox):
    assert doctor("--site", sandbox.origin)[0] == 0


def test_nothing_is_made_or_changed_here_or_at_clio(doctor, sandbox, at_clio, tmp_path):
    """Only asked: neither a key, nor a folder, nor a request that could write."""
    doctor(site=at_clio)
    assert list(tmp_path.iterdir()) == []
    vault = signed_in(sandbox, at_clio)
    before = rows_of(vault)
    seen = len(sandbox.requests)
    doctor(site=at_clio)
    assert {request["method"] for request in sandbox.requests[seen:]} == {"GET"}
    assert rows_of(vault) == before


# --- which Clio ---


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "No region given"),
        ({"CLIO_NB_SITE": "mars"}, "Unknown region 'mars'"),
        ({"CLIO_NB_SITE": "eu"}, "client_id for region eu is missing"),
        ({"CLIO_NB_SITE": "eu", "CLIO_CLIENT_ID": "x"}, "client_secret for region eu is missing"),
        ({"CLIO_NB_SITE": "eu", "CLIO_CLIENT_ID_US": "x", "CLIO_CLIENT_SECRET_US": "y"}, "for region eu is missing"),
        ({"CLIO_NB_SITE": "http://127.0.0.1:1"}, "No answer from 127.0.0.1"),
        ({"CLIO_NB_SITE": "http://elsewhere.example"}, "needs its control key"),
    ],
)
def test_an_app_that_is_not_named_is_the_first_thing_to_do(doctor, monkeypatch, environment, words):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    code, found = doctor()
    assert code == 1
    assert problems(found) == ["app"]
    assert words in found["app"]["sentence"]
    assert found["app"]["fix"] or "pass control_key" in found["app"]["sentence"]
    assert found["Clio"]["ok"] is None


@pytest.mark.parametrize("what", ["client_id", "client_secret"])
def test_an_app_that_clio_does_not_know_is_named(doctor, at_clio, monkeypatch, what):
    wrong = dataclasses.replace(at_clio, **{what: Secret(CANARY) if what == "client_secret" else "another-app"})
    monkeypatch.setenv(f"CLIO_{what.upper()}", '"quoted"')
    code, found = doctor(site=wrong)
    assert code == 1
    assert found["id and secret"]["ok"] is False
    assert f"CLIO_{what.upper()} begins or ends with" in found["id and secret"]["fix"]
    assert "developer portal of region us" in found["id and secret"]["fix"]
    assert found["redirect URI"]["ok"] is None


def test_an_app_of_another_region_is_named_and_so_is_the_region_of_the_tokens(doctor, port):
    with Sandbox(clock="real", regions=("us", "eu"), redirect_uris=[f"http://127.0.0.1:{port}/callback"]) as site:
        us, eu = site, site.at("eu")
        wrong = App(Region.EU, us.client_id, Secret(us.client_secret), us.redirect_uri, origin=eu.origin)
        Vault.open().keep(App(Region.US, us.client_id, Secret("x")), User(id=1, name="Anna"), Token.of("access"))
        code, found = doctor(site=wrong)
    assert code == 1
    assert "in region eu" in found["id and secret"]["sentence"]
    assert "There are tokens of region us." in found["users"]["sentence"]
    assert found["users"]["fix"] == "Set CLIO_NB_SITE to that region."


@pytest.mark.parametrize("change", ["/callback/", "/other", "", "?x=1#y"])
def test_a_redirect_uri_that_is_not_registered_is_named(doctor, at_clio, change):
    uri = at_clio.redirect_uri.removesuffix("/callback") + change
    code, found = doctor(site=dataclasses.replace(at_clio, redirect_uri=uri))
    assert code == 1
    assert "redirect URI" in problems(found)
    assert uri in found["redirect URI"]["sentence"]
    assert "to the letter" in found["redirect URI"]["fix"]


def test_at_clio_a_redirect_uri_is_only_known_to_who_signs_in(doctor, at_clio):
    """Clio leads whoever is not signed in to its sign-in page, whatever the redirect URI is."""

    def clio_itself(server, sock):
        while head := sock.recv(65536):
            path = head.split()[1]
            if path.startswith(b"/oauth/authorize"):
                sock.sendall(b"HTTP/1.1 302 Found\r\nLocation: /session/new\r\nContent-Length: 0\r\n\r\n")
            elif path.startswith(b"/oauth/token"):
                said = b'{"error":"invalid_grant"}'
                sock.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n%s" % (len(said), said))
            else:
                sock.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")

    with serving(clio_itself) as server:
        _, found = doctor(site=dataclasses.replace(at_clio, origin=f"http://127.0.0.1:{server.port}"))
    assert found["id and secret"]["ok"] is True
    assert found["redirect URI"]["ok"] is None
    assert "compare it in the developer portal" in found["redirect URI"]["fix"]


def test_a_port_that_another_program_has_is_named(doctor, sandbox, port):
    with socket.create_server(("127.0.0.1", port)):
        code, found = doctor("--site", sandbox.origin)
    assert (code, problems(found)) == (1, ["port"])
    assert f"Port {port}" in found["port"]["sentence"]
    assert "paste" in found["port"]["fix"]


def test_a_redirect_uri_that_leads_elsewhere_needs_no_port(doctor, at_clio):
    _, found = doctor(site=dataclasses.replace(at_clio, redirect_uri=f"{at_clio.origin}/oauth/approval"))
    assert found["port"]["ok"] is True
    assert "paste" in found["port"]["sentence"]


# --- the network ---


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-3600.0, "60 minutes ahead of"), (100.0, "seconds behind"), (86_400.0 * 9, "9 days behind")],
)
def test_a_clock_that_is_wrong_is_named(doctor, sandbox, seconds, words):
    sandbox._state.clock.shifted = seconds  # advance() goes forward only
    code, found = doctor("--site", sandbox.origin)
    assert (code, problems(found)) == (1, ["clock"])
    assert words in found["clock"]["sentence"]
    assert "NTP" in found["clock"]["fix"]


@pytest.mark.parametrize("clock", ["frozen", "advancing"])
def test_a_sandbox_with_a_clock_of_its_own_says_nothing_about_this_machines(doctor, port, clock):
    with Sandbox(clock=clock, redirect_uris=[f"http://127.0.0.1:{port}/callback"]) as site:
        code, found = doctor("--site", site.origin)
    assert code == 0
    assert "clock of its own" in found["clock"]["sentence"]


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_a_proxy_that_is_set_and_not_used_is_named_without_its_password(doctor, at_clio, monkeypatch, name):
    monkeypatch.setenv(name, f"http://anna:{CANARY}@proxy.example:3128")
    code, found = doctor(site=dataclasses.replace(at_clio, origin="https://clio.invalid"))
    assert code == 1
    assert problems(found)[:2] == ["proxy", "Clio"]
    assert found["proxy"]["sentence"] == "http://proxy.example:3128 is set and not used."
    assert "CLIO_NB_TRUST_ENV=1" in found["proxy"]["fix"]


@pytest.mark.parametrize(
    "said",
    [
        {"CLIO_NB_TRUST_ENV": "maybe"},
        {"CLIO_NB_TRUST_ENV": "1", "HTTPS_PROXY": "http://127.0.0.1:99999"},
        {"CLIO_NB_TRUST_ENV": "1", "ALL_PROXY": "ftp://127.0.0.1:1"},
        {"CLIO_NB_TRUST_ENV": "1", "REQUESTS_CA_BUNDLE": "/nowhere"},
        {"CLIO_NB_TRUST_ENV": "1", "CURL_CA_BUNDLE": "/nowhere"},
    ],
    ids="-".join,
)
def test_what_the_environment_says_of_the_network_and_cannot_be_right_is_one_problem_of_its_table(
    doctor, at_clio, monkeypatch, said
):
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    code, found = doctor(site=dataclasses.replace(at_clio, origin="https://clio.invalid"))
    assert code == 1
    *_, wrong = said
    assert any(wrong in found[name]["sentence"] for name in problems(found) if name in found)
    assert "vault" in found  # and the rest is looked at all the same


def test_a_host_for_which_no_proxy_counts_is_asked_directly(doctor, at_clio, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "clio.invalid")
    _, found = doctor(site=dataclasses.replace(at_clio, origin="https://clio.invalid"))
    assert found["proxy"]["ok"] is True
    assert found["Clio"]["ok"] is False


def test_a_certificate_that_nobody_vouches_for_is_named_with_the_setting_that_helps(doctor, at_clio, self_signed):
    with serving(self_signed) as server:
        code, found = doctor(site=dataclasses.replace(at_clio, origin=f"https://127.0.0.1:{server.port}"))
    assert code == 1
    assert found["certificates"]["ok"] is False
    assert "certificate" in found["certificates"]["sentence"]
    assert "SSL_CERT_FILE" in found["certificates"]["fix"]
    assert found["Clio"]["ok"] is None


@pytest.mark.parametrize("name", CERTIFICATES)
@pytest.mark.parametrize("what", ["nothing there", "no certificate", "an empty file", "an empty folder"])
def test_a_variable_that_names_no_certificates_is_named(doctor, sandbox, monkeypatch, tmp_path, name, what):
    path = tmp_path / "certificates"
    if what == "an empty folder":
        path.mkdir()
    elif what != "nothing there":
        path.write_text("a shopping list" if what == "no certificate" else "")
    monkeypatch.setenv(name, str(path))
    code, found = doctor("--site", sandbox.origin)
    assert (code, problems(found)) == (1, ["certificates"])
    assert found["certificates"]["sentence"].startswith(f"{name} names {path}")
    assert name in found["certificates"]["fix"]


def test_certificates_that_can_be_read_are_right(doctor, sandbox, monkeypatch, own_authority):
    monkeypatch.setenv("SSL_CERT_FILE", str(own_authority))
    assert doctor("--site", sandbox.origin)[0] == 0


@pytest.mark.parametrize(
    ("status", "words"),
    [("200 OK", "as Clio does not"), ("302 Found", "as Clio does not"), ("404 Not Found", "as Clio does not")],
)
def test_a_server_that_is_not_clio_is_named(doctor, at_clio, status, words):
    asked = 0

    def meet(_, sock):
        nonlocal asked
        while sock.recv(65536):
            asked += 1
            sock.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 5\r\n\r\nHello".encode())

    with serving(meet) as server:
        code, found = doctor(site=dataclasses.replace(at_clio, origin=f"http://127.0.0.1:{server.port}"))
    assert code == 1
    assert problems(found)[0] == "Clio"
    assert words in found["Clio"]["sentence"]
    assert found["Clio"]["fix"]
    assert found["id and secret"]["ok"] is None  # a secret is not sent to somebody else
    assert asked == 1


def test_a_clio_that_has_a_problem_is_named(doctor, sandbox):
    sandbox.fault("status", status=503, path="/api/v4/users/who_am_i")
    code, found = doctor("--site", sandbox.origin)
    assert code == 1
    assert "has a problem (503)" in found["Clio"]["sentence"]


@pytest.mark.parametrize("kind", ["html", "truncated", "wrong_record", "reset"])
def test_an_answer_that_cannot_be_read_is_named(doctor, sandbox, kind):
    sandbox.fault(kind, path="/api/v4/custom_actions", times=None, **({"status": 200} if kind == "html" else {}))
    code, found = doctor("--site", sandbox.origin)
    if kind == "wrong_record":  # a row that is another one is a row
        assert code == 0
    else:
        assert (code, problems(found)) == (1, ["permissions"])
        assert "custom_actions" in found["permissions"]["sentence"] + found["permissions"]["fix"]


# --- keys and tokens ---


class Win32Error(Exception):
    """As pywintypes.error."""


@pytest.mark.parametrize("error", [OSError(5, CANARY), KeyError(CANARY), Win32Error(1312, CANARY), ImportError(CANARY)])
def test_a_keyring_that_raises_is_named(doctor, sandbox, monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr(keyring.get_keyring(), "get_password", fail)
    code, found = doctor("--site", sandbox.origin)
    assert (code, problems(found)) == (1, ["keyring"])
    assert f"({type(error).__name__})" in found["keyring"]["sentence"]
    assert "PYTHON_KEYRING_BACKEND" in found["keyring"]["fix"]


def test_a_system_without_a_keyring_is_ready(doctor, sandbox):
    keyring.set_keyring(keyring.backends.fail.Keyring())
    code, found = doctor("--site", sandbox.origin)
    assert code == 0
    assert "has none" in found["keyring"]["sentence"]


def test_a_key_that_is_none_is_named_and_not_shown(doctor, sandbox, monkeypatch):
    monkeypatch.setenv("CLIO_NB_KEY", CANARY)
    code, found = doctor("--site", sandbox.origin)
    assert (code, problems(found)) == (1, ["key"])
    assert "variable CLIO_NB_KEY" in found["key"]["sentence"]
    assert "new_key()" in found["key"]["fix"]


@pytest.mark.parametrize("way", ["others can read it", "a link", "a folder"])
def test_a_key_file_that_cannot_be_used_is_named(doctor, sandbox, tmp_path, way):
    keyring.set_keyring(keyring.backends.fail.Keyring())
    file = tmp_path / "xdg_config_home" / "clio-nb" / "vault.key"
    file.parent.mkdir(parents=True)
    if way == "a link":
        file.symlink_to(tmp_path / "elsewhere")
    elif way == "a folder":
        file.mkdir()
    else:
        file.write_text(new_key().reveal())
        file.chmod(0o644)
    code, found = doctor("--site", sandbox.origin)
    assert (code, problems(found)) == (1, ["key"])
    assert str(file) in found["key"]["sentence"]
    assert found["key"]["fix"]


def test_a_place_in_which_no_key_can_be_kept_is_named(doctor, sandbox, tmp_path):
    keyring.set_keyring(keyring.backends.fail.Keyring())
    (tmp_path / "xdg_config_home").write_text("not a folder")
    code, found = doctor("--site", sandbox.origin)
    assert (code, problems(found)) == (1, ["key"])
    assert "is not a folder" in found["key"]["sentence"]
    assert "CLIO_NB_KEY" in found["key"]["fix"]


@pytest.mark.parametrize("here", [True, False], ids=["another key", "no key"])
def test_a_vault_that_no_key_here_opens_is_named(doctor, sandbox, at_clio, monkeypatch, here):
    keyring.set_keyring(keyring.backends.fail.Keyring())
    with monkeypatch.context() as then:
        then.setenv("CLIO_NB_KEY", new_key().reveal())
        signed_in(sandbox, at_clio)
    if here:
        monkeypatch.setenv("CLIO_NB_KEY", new_key().reveal())
    code, found = doctor(site=at_clio)
    assert code == 1
    assert problems(found)[0] == "vault"
    assert ("the key does not open it" if here else "there is no key for it here") in found["vault"]["sentence"]
    assert "Give the key that sealed it" in found["vault"]["fix"]
    assert found["ledger"]["ok"] is None


def broken_vaults(tmp_path):
    text = tmp_path / "text.sqlite"
    text.write_text("a shopping list, long enough to be taken for a header " * 40)
    link = tmp_path / "link.sqlite"
    link.symlink_to(text)
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "open" / "thesis.txt").touch()
    (tmp_path / "open" / "vault.sqlite").touch()
    newer = Vault.open(tmp_path / "newer" / "vault.sqlite")
    newer.close()
    with sqlite3.connect(newer.database.path) as database:
        database.execute("UPDATE clio_nb_vault SET value = '999' WHERE name = 'schema'")
    database.close()
    return {
        "text": (text, "not a database"),
        "a link": (link, "symbolic link"),
        "a folder": (tmp_path, "not a regular file"),
        "below a file": (text / "vault.sqlite", "is not a folder"),
        "in a folder that others can change": (tmp_path / "open" / "vault.sqlite", "can change the folder"),
        "newer": (newer.database.path, "newer clio-nb"),
        "another kind": ("mysql://anna:canary-password@host/x", "Unknown kind of vault address"),
        "an address that is none": ("postgresql://anna:canary-password@[::1", "Invalid vault address"),
        "a server that does not answer": ("postgresql://anna:canary-password@127.0.0.1:1/x", "does not answer"),
    }


@pytest.mark.parametrize("what", [
    "text", "a link", "a folder", "below a file", "in a folder that others can change", "newer", "another kind",
    "an address that is none", "a server that does not answer",
])  # fmt: skip
def test_a_vault_that_cannot_be_opened_is_named(doctor, sandbox, tmp_path, what):
    where, words = broken_vaults(tmp_path)[what]
    code, found = doctor("--site", sandbox.origin, "--vault", where)
    assert (code, problems(found)) == (1, ["vault"])
    assert words in found["vault"]["sentence"] + found["vault"]["fix"]
    assert found["vault"]["fix"]


def test_a_database_without_tables_is_left_as_it_is(doctor, sandbox, at_clio, cluster):
    where = cluster.new()
    code, found = doctor("--vault", where, site=at_clio)
    assert (code, found["vault"]["ok"], problems(found)) == (1, None, ["users"])
    tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    assert cluster.execute(tables, where.rpartition("/")[2]) == []


def test_a_disk_that_is_full_is_named(doctor, sandbox, at_clio, monkeypatch):
    signed_in(sandbox, at_clio)
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=4096))
    code, found = doctor(site=at_clio)
    assert (code, problems(found)) == (1, ["vault"])
    assert "is full" in found["vault"]["sentence"]


@pytest.mark.parametrize("way", ["a role", "a replica"])
def test_a_ledger_on_a_server_that_only_reads_is_named(doctor, sandbox, at_clio, cluster, way):
    where = cluster.new()
    vault = signed_in(sandbox, at_clio, where=where)
    database = where.rpartition("/")[2]
    if way == "a replica":
        cluster.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    else:
        cluster.execute("DROP OWNED BY reader; DROP ROLE reader" if _there(cluster) else "SELECT 1", database)
        cluster.execute("CREATE ROLE reader LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader", database)
        where = where.replace("clio:not-shown", "reader:canary-password")
    vault.close()
    code, found = doctor("--vault", where, site=at_clio)
    assert (code, problems(found)) == (1, ["ledger"])
    assert "launches can be verified" in found["ledger"]["fix"]
    assert found["permissions"]["ok"] is True


def _there(cluster):
    return cluster.execute("SELECT 1 FROM pg_roles WHERE rolname = 'reader'")


@pytest.fixture
def for_anyone():
    """Give a folder that every user of this machine may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@pytest.mark.skipif(sys.platform == "win32", reason="folders have other rights there")
def test_a_vault_in_a_folder_that_only_reads_is_named_by_whoever_is_not_root(for_anyone, monkeypatch):
    """In a child without root's rights, which may write everywhere."""
    program = (
        "import os, sys\nimport sqlalchemy.dialects.sqlite, keyring.backends.fail\nfrom pathlib import Path\n"
        "from clio_nb.doctor import stores\nfrom clio_nb.database import schema\nfrom clio_nb.vault import store\n"
        "if os.getuid() == 0:\n    os.setgroups([]); os.setgid(12345); os.setuid(12345)\n"
        "for path in map(Path, sys.argv[1:]):\n    check, vault = stores.vault(path, stores.key()[1])\n"
        "    print(check.ok, check.sentence)\ncheck = stores.ledger(vault)\nprint(check.ok, check.sentence, check.fix)"
    )
    keyring.set_keyring(keyring.backends.fail.Keyring())
    monkeypatch.setenv("CLIO_NB_KEY", new_key().reveal())
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    folder = for_anyone / "only-read"
    missing, path = folder / "other.sqlite", folder / "vault.sqlite"
    Vault.open(path).close()
    for each in (path, folder):
        if os.getuid() == 0:
            os.chown(each, 12345, 12345)
        each.chmod(0o400 if each == path else 0o500)
    words = [sys.executable, "-c", program, missing, path]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    folder.chmod(0o700)
    assert done.returncode == 0, done.stderr
    not_there, there, ledger = done.stdout.splitlines()
    assert not_there == f"False {missing} cannot be made: {folder} cannot be written to."
    assert there.startswith("True")
    assert ledger.startswith("False")
    assert "cannot be written to" in ledger


def test_nobody_signed_in_is_named(doctor, at_clio):
    code, found = doctor(site=at_clio)
    assert (code, problems(found)) == (1, ["users"])
    assert found["users"]["fix"] == "Run: clio-nb login"
    assert found["permissions"]["ok"] is None


@pytest.mark.parametrize("ended", [1, 5])
def test_users_who_have_to_sign_in_again_are_named(doctor, sandbox, at_clio, ended):
    vault = signed_in(sandbox, at_clio, count=5)
    firm_key = vault.sealed.store.firm_keys()[0]
    for row in list(vault.sealed.store.scan(firm_key))[:ended]:
        vault.sealed.store.note(firm_key, row.user_id, row.version, "revoked")
    code, found = doctor(site=at_clio)
    assert found["users"]["sentence"].startswith(f"{ended} of 5 have to sign in again: ")
    assert "(revoked)" in found["users"]["sentence"]
    assert (code, found["users"]["ok"]) == ((1, False) if ended == 5 else (0, None))


# --- the app's permissions ---


@pytest.mark.parametrize(
    ("given", "lacks"),
    [
        ("users,matters", "custom actions"),
        ("custom_actions", "users"),
        ("matters", "users, custom actions"),
    ],
)
def test_a_permission_that_is_missing_is_named(doctor, port, given, lacks):
    uris = [f"http://127.0.0.1:{port}/callback"]
    with Sandbox(clock="real", permissions=given.split(","), redirect_uris=uris) as site:
        code, found = doctor("--site", site.origin)
    assert (code, problems(found)) == (1, ["permissions"])
    assert found["permissions"]["sentence"] == f"The app may not read {lacks}."
    assert "sign in again" in found["permissions"]["fix"]


@pytest.mark.parametrize("with_manifest", [True, False])
def test_a_record_that_it_may_not_read_is_a_problem_where_the_manifest_has_an_action_on_it(
    doctor, port, tmp_path, with_manifest
):
    (tmp_path / "actions.toml").write_text(GOOD)
    uris = [f"http://127.0.0.1:{port}/callback"]
    with Sandbox(clock="real", permissions=["users", "custom_actions", "contacts"], redirect_uris=uris) as site:
        words = ["--manifest", "actions.toml"] if with_manifest else []
        code, found = doctor("--site", site.origin, *words)
    assert (code, problems(found)) == ((1, ["permissions"]) if with_manifest else (0, []))
    assert "matters" in found["permissions"]["sentence"]
    assert "contacts" not in found["permissions"]["sentence"]


# --- a manifest ---


@pytest.mark.parametrize(
    ("text", "ok", "words"),
    [
        (GOOD, True, "nothing to correct"),
        ("x = [", False, "not valid TOML"),
        (GOOD.replace("matters", "mars"), False, "mars"),
        (GOOD.replace("Sign", "S" * 40), False, "label"),
        (GOOD.replace('"partner"', '"partner"\nregion = "eu"'), False, "for region eu"),
        (GOOD.replace("https", "http"), None, "http"),
    ],
)
def test_what_a_manifest_says_is_looked_at(doctor, sandbox, tmp_path, text, ok, words):
    (tmp_path / "actions.toml").write_text(text)
    code, found = doctor("--site", sandbox.origin, "--manifest", "actions.toml")
    check = found["actions.toml"]
    assert check["ok"] is ok, check
    assert words in check["sentence"] + check["fix"]
    assert code == (ok is False)


def test_a_manifest_without_an_action_is_told(doctor, sandbox, tmp_path):
    (tmp_path / "actions.toml").write_text('[app]\nname = "partner"\n')
    _, found = doctor("--site", sandbox.origin, "--manifest", "actions.toml")
    assert found["actions.toml"]["ok"] is not True


def test_the_vault_of_a_sandbox_that_does_not_answer_is_that_of_sandboxes(doctor, port):
    _, found = doctor("--site", f"http://127.0.0.1:{port}")
    assert "sandboxes.sqlite" in found["vault"]["sentence"]


# --- this machine ---


@pytest.mark.parametrize(
    ("module", "name", "words"),
    [
        ("ipywidgets", "widgets", "ipywidgets is not installed"),
        ("jupyterlab", "JupyterLab", "JupyterLab is not installed"),
        ("ipykernel", "kernel", "ipykernel is not installed"),
    ],
)
def test_a_part_of_jupyter_that_is_missing_is_named(doctor, sandbox, monkeypatch, module, name, words):
    monkeypatch.setitem(sys.modules, module, None)
    for front_end in ("VSCODE_PID", "VSCODE_IPC_HOOK_CLI", "COLAB_RELEASE_TAG"):
        monkeypatch.delenv(front_end, raising=False)
    code, found = doctor("--site", sandbox.origin)
    assert (code, problems(found)) == (1, [name])
    assert words in found[name]["sentence"]
    assert "python -m pip install" in found[name]["fix"]


def test_a_machine_without_any_jupyter_is_ready_for_commands(doctor, sandbox, monkeypatch):
    for module in ("ipykernel", "jupyterlab", "notebook", "voila"):
        monkeypatch.setitem(sys.modules, module, None)
    code, found = doctor("--site", sandbox.origin)
    assert (code, found["Jupyter"]["ok"]) == (0, None)
    assert "clio-nb[lab]" in found["Jupyter"]["fix"]


def test_notebooks_in_another_program_need_no_jupyterlab_here(doctor, sandbox, monkeypatch):
    monkeypatch.setitem(sys.modules, "jupyterlab", None)
    monkeypatch.setenv("VSCODE_PID", "7")
    assert doctor("--site", sandbox.origin)[0] == 0


def test_a_hub_without_its_proxy_is_named(doctor, sandbox, monkeypatch):
    monkeypatch.setitem(sys.modules, "jupyter_server_proxy", None)
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/anna/")
    code, found = doctor("--site", sandbox.origin)
    assert code == 1
    assert "jupyter-server-proxy is not installed" in found["hub"]["sentence"]


EXTENSIONS = ("@jupyter-widgets/jupyterlab-manager", "anywidget")


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_a_jupyterlab_that_cannot_show_widgets_is_named(doctor, sandbox, monkeypatch, tmp_path, extension):
    for name in EXTENSIONS:
        if name != extension:
            (tmp_path / "labextensions" / name).mkdir(parents=True)
            (tmp_path / "labextensions" / name / "package.json").write_text('{"version": "5.0.0"}')
    monkeypatch.setattr("jupyter_core.paths.jupyter_path", lambda: [str(tmp_path)])
    code, found = doctor("--site", sandbox.origin)
    assert (code, problems(found)) == (1, ["widgets"])
    assert f"no {extension}" in found["widgets"]["sentence"]
    assert "start JupyterLab again" in found["widgets"]["fix"]


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize("form", [dict, list])
def test_a_jupyterlab_whose_widgets_are_turned_off_is_named(doctor, sandbox, tmp_path, extension, form):
    settings = tmp_path / "jupyter_config_dir" / "labconfig"
    settings.mkdir(parents=True)
    turned_off = {extension: True} if form is dict else [extension]
    (settings / "page_config.json").write_text(json.dumps({"disabledExtensions": turned_off}))
    code, found = doctor("--site", sandbox.origin)
    assert (code, problems(found)) == (1, ["widgets"])
    assert found["widgets"]["fix"] == f"Run: jupyter labextension enable {extension}"


def test_a_widget_manager_of_another_time_is_named(doctor, sandbox, monkeypatch, tmp_path):
    manager = tmp_path / "labextensions" / EXTENSIONS[0]
    manager.mkdir(parents=True)
    (manager / "package.json").write_text('{"version": "3.1.1"}')
    monkeypatch.setenv("JUPYTER_PATH", f"{tmp_path}{os.pathsep}{os.environ.get('JUPYTER_PATH', '')}")
    code, found = doctor("--site", sandbox.origin)
    assert (code, problems(found)) == (1, ["widgets"])
    assert "3.1.1 do not fit" in found["widgets"]["sentence"]


def test_a_kernel_whose_program_is_gone_is_told(doctor, sandbox, monkeypatch, tmp_path):
    (tmp_path / "kernels" / "old-env").mkdir(parents=True)
    (tmp_path / "kernels" / "old-env" / "kernel.json").write_text('{"argv": ["/gone/bin/python", "-m", "ipykernel"]}')
    monkeypatch.setenv("JUPYTER_PATH", f"{tmp_path}{os.pathsep}{os.environ.get('JUPYTER_PATH', '')}")
    code, found = doctor("--site", sandbox.origin)
    assert (code, found["kernel"]["ok"]) == (0, None)
    assert "old-env (/gone/bin/python)" in found["kernel"]["sentence"]


@pytest.mark.parametrize(("package", "version"), [("pandas", "2.2.3"), ("httpx", "0.27"), ("ipywidgets", "7.8.1")])
def test_a_package_that_is_too_old_is_named(doctor, sandbox, monkeypatch, tmp_path, package, version):
    info = tmp_path / "old" / f"{package}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
    monkeypatch.syspath_prepend(info.parent)
    code, found = doctor("--site", sandbox.origin)
    assert code == 1
    assert problems(found)[0] == "packages"
    assert f"{package} {version} does not fit" in found["packages"]["sentence"]
    assert f'python -m pip install "{package}>=' in found["packages"]["fix"]


def test_a_python_that_this_release_does_not_know_is_told(doctor, sandbox, monkeypatch):
    monkeypatch.setattr("clio_nb.doctor.machine.platform.python_version_tuple", lambda: ("4", "0", "1"))
    code, found = doctor("--site", sandbox.origin)
    assert (code, found["Python"]["ok"]) == (0, None)
    assert "This release knows 3.11 to" in found["Python"]["sentence"]


# --- how it looks ---


def told(*words, **environment):
    there = {**os.environ, "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring", **environment}
    return subprocess.run([*COMMAND, *words], env=there, capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("encoding", "columns"),
    [("utf-8", 40), ("utf-8", 80), ("cp1252", 120), ("cp437", 80), ("ascii", 40), ("ascii", 80)],
)
def test_it_fits_a_console_of_any_width_and_encoding(encoding, columns):
    done = told(COLUMNS=str(columns), PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    out = done.stdout.decode(encoding)
    assert (done.returncode, done.stderr) == (1, b"")
    assert max(len(line.rstrip()) for line in out.splitlines()) <= columns
    assert "No region given." in out
    assert "\u2026" not in out
    assert " ".join(out.split()).endswith("Not ready: 1 problem (app). Begin with the first.")
    lines = out.splitlines()
    (row,) = [line for line in lines if line.lstrip().startswith(("x  app", "\u2717  app"))]
    assert (row.split()[2:] == []) is (columns == 40)


def test_its_exit_code_and_its_json_are_for_programs(sandbox):
    done = told("--site", sandbox.origin, "--json")
    assert (done.returncode, json.loads(done.stdout)["ready"]) == (0, True)
    assert set(json.loads(done.stdout)["checks"][0]) == {"part", "name", "ok", "sentence", "fix"}
    assert told("--wrong").returncode == 2
