"""A firm with seven kinds of secrets, a network that fails in every way, and a call of every public verb."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import inspect
import secrets
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keyring
import keyring.backends.fail
import pandas as pd
import yarl

import clio_nb as clio
from clio_nb import launches
from clio_nb.firm.manifest import parse_manifest
from clio_nb.firms._task import FirmName
from clio_nb.http import aiohttp_engine, messages, timeouts, transport
from clio_nb.launches.proof.used_nonces import used_nonces
from clio_nb.login import Login
from clio_nb.models import Subject, Token
from clio_nb.sandbox import Sandbox
from clio_nb.vault.keys import passing_keys
from clio_nb.vocabulary import Location

TARGET = "https://partner.example/launch"
MANIFEST = parse_manifest(
    f'[app]\nname = "partner"\n[[actions]]\nkey = "sign"\nlabel = "Sign"\n'
    f'target_url = "{TARGET}"\nlocations = ["matters"]\n'
)

NETWORK = {
    "403": b"HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}",
    "404": b"HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}",
    "422": b"HTTP/1.1 422 Unprocessable\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}",
    "429": b"HTTP/1.1 429 Too Many\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}",
    "500": b"HTTP/1.1 500 Oops\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}",
    "HTML": b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\ncontent-length: 6\r\n\r\n<html>",
    "cut off": b'HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 900\r\n\r\n{"access_token": "half',
    "reset": b"",
    "timeout": None,
    "refused connection": b"",
    "refused renewal": b"HTTP/1.1 401 Unauthorized\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}",
}
NO_GRANT = b'HTTP/1.1 400 Bad\r\nconnection: close\r\ncontent-length: 25\r\n\r\n{"error":"invalid_grant"}'
BEFORE = ("wrong key", "gone database")
FAILURES = (*NETWORK, *BEFORE, "Ctrl-C", "cancelled task")


class Network:
    """A server on this machine to which all requests are led astray, and which fails in one way."""

    def __init__(self) -> None:
        self._bound = socket.create_server(("127.0.0.1", 0))
        self.origin = f"http://127.0.0.1:{self._bound.getsockname()[1]}"
        self.answer: bytes | None = b""
        self.asked = threading.Event()
        self.on_request: Callable[[], object] = self.asked.set
        self._held: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._bound.accept()
            except OSError:
                return
            threading.Thread(target=self._reply, args=(line,), daemon=True).start()

    def _reply(self, line: socket.socket) -> None:
        self._held.append(line)
        with contextlib.suppress(OSError):
            asked = line.recv(65536)
            self.on_request()
            if self.answer is None:
                return
            if not self.answer:
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                line.close()
                return
            renewal = self.answer == NETWORK["refused renewal"] and b" /oauth/token" in asked
            line.sendall(NO_GRANT if renewal else self.answer)
            line.shutdown(socket.SHUT_WR)
            while line.recv(65536):  # to close with something unread would be a reset
                pass
            line.close()

    def close(self) -> None:
        self._bound.close()
        for line in self._held:
            line.close()


class World:
    """Everything that the calls below need. Its attributes hold secrets as the library gives them: sealed."""

    def __init__(self, folder: Path, site: Sandbox) -> None:
        self.site = site
        self.folder = folder
        self.users = site.users
        self.vault = clio.Vault.open(folder / "vault.sqlite", key_file=folder / "key")
        self.firm = clio.Firm(site, self.vault)
        self.firm.sign_in_everyone()
        granted = site.token(self.users[0].id)
        token = Token(access=clio.Secret(granted["access_token"]), refresh=clio.Secret(granted["refresh_token"]))
        self.token = token
        self.session = clio.Session(site, token)
        self.user = self.session.who_am_i()
        self.action = self.session.create_action("Mine", TARGET, "matters")
        self.subject = Subject(Location.MATTERS, self.session.list_records("matters")[0].subject.record_id)
        self.launch = clio.Secret(site.click(self.user.id, self.action.id, self.subject.path))
        self.run = self.firm.apply(self.firm.plan(MANIFEST), progress=False).run
        self.undoing = self.firm.plan_undo(self.run)
        self.grant = self.vault.grant(site, self.user.id)
        self.firm_key = self.firm.aio._firm_key
        self.login = Login(site, redirect_uri=f"{site.origin}/oauth/approval")
        self.code = clio.Secret(f"code-{secrets.token_hex(12)}")
        self.password = clio.Secret(f"password-{secrets.token_hex(12)}")
        self.secret = clio.Secret(site.client_secret)
        self.table = pd.DataFrame({"user_id": ["none"], "access_token": [token.access]})
        self.actions = self.firm.actions()
        used_nonces.clear()

    def __repr__(self) -> str:
        return "<World>"

    def canaries(self) -> dict[str, str]:
        """Return the secrets, by what they are."""
        grants = list(self.vault.grants(self.site))
        return {
            "access token": self.token.access.reveal(),
            "refresh token": self.token.refresh.reveal() if self.token.refresh else "none",
            **{f"access token of {grant.user}": grant.token.access.reveal() for grant in grants},
            "client secret": self.site.client_secret,
            "code": self.code.reveal(),
            "verifier": self.login.aio._grant.verifier.reveal(),
            "nonce": self.launch.reveal().rpartition("=")[2],
            "database password": self.password.reveal(),
        }

    @property
    def database(self) -> str:
        """An address with a password, where no database is."""
        return f"postgresql://clio:{self.password.reveal()}@127.0.0.1:1/tokens"


@contextlib.contextmanager
def world(folder: Path, monkeypatch: Any) -> Iterator[World]:
    """A world in which no wait takes time."""
    now = [1000.0]

    async def sleep(seconds: float) -> None:
        now[0] += seconds
        await asyncio.sleep(0)

    monkeypatch.setattr(timeouts, "sleep", sleep)
    monkeypatch.setattr(timeouts, "now", lambda: now[0])
    monkeypatch.delenv("CLIO_NB_KEY", raising=False)
    before = keyring.get_keyring()
    keyring.set_keyring(keyring.backends.fail.Keyring())
    try:
        with Sandbox(users=2, rate_limit=None) as site:
            yield World(folder, site)
    finally:
        keyring.set_keyring(before)


@contextlib.contextmanager
def failing(w: World, failure: str, monkeypatch: Any) -> Iterator[Network]:
    """Make all that is asked fail in one way."""
    network = Network()
    network.answer = NETWORK.get(failure)
    to = "http://127.0.0.1:1" if failure == "refused connection" else network.origin
    if failure == "wrong key":
        monkeypatch.setattr(w.vault.sealed, "keys", passing_keys())
        monkeypatch.setattr(w.vault.sealed, "_find", None)
        (w.folder / "key").write_text(clio.vault.new_key().reveal())
    elif failure == "gone database":
        (w.folder / "vault.sqlite").unlink()
    else:
        astray = lambda text, **options: yarl.URL(text.replace(w.site.origin, to), **options)  # noqa: E731
        monkeypatch.setattr(aiohttp_engine, "URL", astray)
    if network.answer is None:
        monkeypatch.setitem(transport.exchange.__kwdefaults__, "deadline", 0.05 if failure == "timeout" else 0.3)
    try:
        yield network
    finally:
        network.close()


def public(cls: type) -> set[str]:
    """The names of what can be called on a class, itself among them."""
    callable_ = {name for name in dir(cls) if not name.startswith("_") and callable(getattr(cls, name))}
    shown = f"aio.{cls.__name__}" if cls.__module__ == "clio_nb.aio" else cls.__name__
    return {shown, *(f"{shown}.{name}" for name in callable_)}


CLASSES = (clio.Session, clio.aio.Session, clio.Firm, clio.aio.Firm, clio.Firms, clio.aio.Firms, clio.Vault)
CLASSES += (Login, clio.aio.Login, launches.Inbox, clio.aio.Inbox)
NO_VERBS = {
    "sandbox": "its secrets are invented, and it shows them to whoever asks",
    "allow_nested_asyncio": "patches asyncio, and is handed nothing",
    **dict.fromkeys(("aio", "errors", "forms"), "a room; what is in it is below"),
    "__version__": "a text",
    "timeout": "sends nothing",
    **dict.fromkeys(("Region", "Location", "Menu", "MENUS", "User", "CustomAction", "Subject", "Record"), "a word"),
    **dict.fromkeys(("App", "Token", "Secret", "ClioError"), "a record: it asks nobody"),
}


def face() -> set[str]:
    """Every public verb, by name."""
    names = {name for name in clio.__all__ if not inspect.isclass(getattr(clio, name))}
    functions = {name for name in launches.__all__ if inspect.isfunction(getattr(launches, name))}
    forms = {f"forms.{name}" for name in clio.forms.__all__ if name[0].islower()}
    methods = set().union(*map(public, CLASSES))
    vocabulary = {name for name in clio.__all__ if inspect.isclass(getattr(clio, name))}
    return (names | functions | forms | methods | vocabulary) - NO_VERBS.keys()


def _first(w: World) -> Any:
    return messages.get_record(
        w.subject.location, w.subject.record_id, nonce=clio.Secret(w.launch.reveal().rpartition("=")[2])
    )


SESSION: dict[str, Callable[[Any, World], Any]] = {
    "who_am_i": lambda on, w: on.who_am_i(),
    "list_users": lambda on, w: on.list_users(),
    "list_actions": lambda on, w: on.list_actions(),
    "get_action": lambda on, w: on.get_action(w.action.id),
    "create_action": lambda on, w: on.create_action("Other", TARGET, "contacts"),
    "update_action": lambda on, w: on.update_action(w.action, label="Other"),
    "delete_action": lambda on, w: on.delete_action(w.action),
    "record": lambda on, w: on.record(w.subject),
    "list_records": lambda on, w: on.list_records("matters"),
    "logout": lambda on, w: on.logout(),
}
FIRM: dict[str, Callable[[Any, World], Any]] = {
    "add": lambda on, w: on.add(clio.Session(w.site, w.token)),
    "sign_in_everyone": lambda on, w: on.sign_in_everyone(),
    "users": lambda on, w: on.users(),
    "actions": lambda on, w: on.actions(),
    "coverage": lambda on, w: on.coverage(),
    "plan": lambda on, w: on.plan(MANIFEST),
    "plan_undo": lambda on, w: on.plan_undo(w.run),
    "plan_offboard": lambda on, w: on.plan_offboard(),
    "plan_resume": lambda on, w: on.plan_resume(),
    "drift": lambda on, w: on.drift(),
    "audit": lambda on, w: on.audit(),
    "runs": lambda on, w: on.runs(),
    "export": lambda on, w: on.export(w.folder / "no" / "such" / "folder.toml"),
    "session_of": lambda on, w: on.session_of(404),
    "apply": lambda on, w: on.apply(w.undoing),
    "launches": lambda on, w: on.launches(),
    "adoption": lambda on, w: on.adoption(),
    "refusals": lambda on, w: on.refusals(time_zone="nowhere"),
    "gaps": lambda on, w: on.gaps(),
    "pictures": lambda on, w: on.pictures(time_zone="nowhere"),
    "erase": lambda on, w: on.erase(404),
}


FIRMS: dict[str, Callable[[Any, World], Any]] = {
    "firm": lambda on, w: on.firm("no such firm"),
    "overview": lambda on, w: on.overview(),
    "cost": lambda on, w: on.cost(MANIFEST),
    "plan": lambda on, w: on.plan(MANIFEST, progress=False),
    "plan_offboard": lambda on, w: on.plan_offboard(progress=False),
    "coverage": lambda on, w: on.coverage(progress=False),
    "drift": lambda on, w: on.drift(progress=False),
    "audit": lambda on, w: on.audit(),
    "apply": lambda on, w: on.apply(MANIFEST, progress=False),
    "offboard": lambda on, w: on.offboard(progress=False),
    "launches": lambda on, w: on.launches(),
    "adoption": lambda on, w: on.adoption(),
    "refusals": lambda on, w: on.refusals(time_zone="nowhere"),
    "gaps": lambda on, w: on.gaps(),
}


def _of(cls: str, calls: dict[str, Callable[[Any, World], Any]], at: Callable[[World], Any]) -> dict[str, Any]:
    return {f"{cls}.{name}": lambda w, call=call: call(at(w), w) for name, call in calls.items()}


CALLS: dict[str, Callable[[World], Any]] = {
    **{name: lambda w, name=name: SESSION[name](_Functions(w), w) for name in SESSION},
    **_of("Session", SESSION, lambda w: w.session),
    **_of("aio.Session", SESSION, lambda w: w.session.aio),
    **_of("Firm", FIRM, lambda w: w.firm),
    **_of("aio.Firm", FIRM, lambda w: w.firm.aio),
    **_of("Firms", FIRMS, lambda w: clio.Firms(w.site, w.vault)),
    **_of("aio.Firms", FIRMS, lambda w: clio.aio.Firms(w.site, w.vault)),
    "Firms": lambda w: clio.Firms(w.site, w.vault),
    "aio.Firms": lambda w: clio.aio.Firms(w.site, w.vault),
    "aio.Firms.opened": lambda w: clio.aio.Firms(w.site, w.vault).opened(
        FirmName(site="", region="us", client_id=w.site.client_id, name="default")
    ),
    "Session": lambda w: clio.Session(w.site, w.token),
    "aio.Session": lambda w: clio.aio.Session(w.site, w.token),
    "Session.of": lambda w: clio.Session.of(w.session.aio).who_am_i(),
    "aio.Session.request": lambda w: w.session.aio.request(_first(w), dict, once=True),
    "aio.Session.token": lambda w: w.session.aio.token(),
    "aio.Session.the_user": lambda w: clio.aio.Session(w.site, w.token).the_user(),
    "aio.Session.renew": lambda w: w.session.aio.renew(w.token),
    "Firm": lambda w: clio.Firm(w.site, w.vault),
    "aio.Firm": lambda w: clio.aio.Firm(w.site, w.vault),
    "aio.Firm.undo": lambda w: w.firm.aio.undo(w.run, progress=False),
    "aio.Firm.offboard": lambda w: w.firm.aio.offboard(progress=False),
    "aio.Firm.equip": lambda w: w.firm.aio.equip(w.user.id, MANIFEST),
    "aio.Firm.resume": lambda w: w.firm.aio.resume(progress=False),
    "Firm.import_tokens": lambda w: w.firm.import_tokens(w.database, query="SELECT 1"),
    "Firm.tokens": lambda w: w.firm.tokens(),
    "Firm.export_tokens": lambda w: w.firm.export_tokens("/proc/no/such/folder.csv"),
    "Firm.undo": lambda w: w.firm.undo(w.run, progress=False),
    "Firm.offboard": lambda w: w.firm.offboard(progress=False),
    "Firm.equip": lambda w: w.firm.equip(w.user.id, MANIFEST),
    "Firm.resume": lambda w: w.firm.resume(progress=False),
    "Vault": lambda w: clio.Vault(),
    "Vault.open": lambda w: clio.Vault.open(w.database, key_file=w.folder / "key"),
    "Vault.close": lambda w: w.vault.close(),
    "Vault.keep": lambda w: w.vault.keep(w.site, w.user, w.token),
    "Vault.grant": lambda w: w.vault.grant(w.site, w.user.id),
    "Vault.grants": lambda w: list(w.vault.grants(w.site)),
    "Vault.remove": lambda w: w.vault.remove(w.site, w.user.id),
    "Vault.firms": lambda w: w.vault.firms(w.site),
    "Vault.firms_of": lambda w: w.vault.firms_of(w.site, w.user.id),
    "Vault.elsewhere": lambda w: w.vault.elsewhere(w.site),
    "Vault.source": lambda w: clio.aio.Session(w.site, w.vault.source(w.site, 404)).who_am_i(),
    "Vault.rotate": lambda w: w.vault.rotate(),
    "connect": lambda w: clio.connect(w.site.origin),
    "network": lambda w: clio.network(proxy=f"ftp://ann:{w.password.reveal()}@proxy.example"),
    "login": lambda w: clio.login(w.site, w.user.id),
    "Login": lambda w: Login(w.site),
    "Login.wait": lambda w: w.login.wait(),
    "aio.Login": lambda w: clio.aio.Login(w.site),
    "aio.Login.wait": lambda w: w.login.aio.wait(),
    "Login.finish": lambda w: w.login.finish(w.code.reveal()),
    "aio.Login.finish": lambda w: w.login.aio.finish(w.code.reveal()),
    "actions_table": lambda w: clio.actions_table(w.session),
    "locations_matrix": lambda w: clio.locations_matrix(w.actions),
    "inspect_launch": lambda w: clio.inspect_launch(w.launch.reveal()),
    "lint": lambda w: clio.lint(("L" * 40, w.launch.reveal(), "nowhere")),
    "verify_launch": lambda w: clio.verify_launch(w.launch.reveal(), w.session, fields="{"),
    "aio.verify_launch": lambda w: clio.aio.verify_launch(w.launch.reveal(), w.session, fields="{"),
    "probe": lambda w: clio.probe("http://127.0.0.1:1/launch", w.site),
    "aio.probe": lambda w: clio.aio.probe("http://127.0.0.1:1/launch", w.site),
    "replay": lambda w: launches.replay(_inspected(w), "http://127.0.0.1:1/launch", w.site),
    "aio.replay": lambda w: clio.aio.replay(_inspected(w), "http://127.0.0.1:1/launch", w.site),
    "save_launch": lambda w: launches.save_launch(_received(w), w.folder / "no" / "folder.json"),
    "load_launch": lambda w: launches.load_launch(w.folder / "nothing.json"),
    "inbox": lambda w: clio.inbox(w.site, port=int(w.site.origin.rpartition(":")[2])),
    "Inbox": lambda w: launches.Inbox(w.session, verify=True, port=int(w.site.origin.rpartition(":")[2]), origin=""),
    "Inbox.verify": lambda w: _closed(w).verify(_received(w)),
    "aio.Inbox.verify": lambda w: _closed(w).aio.verify(_received(w)),
    "Inbox.of": lambda w: launches.Inbox.of(_closed(w).aio).verify(_received(w)),
    "Inbox.close": lambda w: _closed(w).close(),
    "aio.Inbox": lambda w: clio.aio.Inbox(
        w.session, verify=True, port=int(w.site.origin.rpartition(":")[2]), origin=""
    ),
    "aio.Inbox.close": lambda w: _closed(w).aio.close(),
    "aio.Inbox.on_launch": lambda w: _closed(w).aio.on_launch(print)(),
    "aio.Inbox.to_frame": lambda w: _closed(w).aio.to_frame(),
    "Inbox.on_launch": lambda w: _closed(w).on_launch(print)(),
    "Inbox.to_frame": lambda w: _closed(w).to_frame(),
    "forms.login": lambda w: clio.forms.login(w.site, timeout=0.01).submit(),
    "forms.create_action": lambda w: _filled(clio.forms.create_action(w.session), label="A", target_url=TARGET),
    "forms.my_actions": lambda w: clio.forms.my_actions(w.session).read(),
    "forms.launch": lambda w: clio.forms.launch(w.session).submit(),
    "forms.inbox": lambda w: clio.forms.inbox(_closed(w), w.site).submit(),
    "forms.firm": lambda w: clio.forms.firm(w.firm, MANIFEST).make_plan(),
    "forms.firms": lambda w: clio.forms.firms(clio.Firms(w.site, w.vault)).read_overview(),
    "forms.screens": lambda w: clio.forms.screens(w.site),
    "forms.menus": lambda w: clio.forms.menus("Sign"),
    "forms.workbench": lambda w: clio.forms.workbench(w.site).close(),
    # further ways into the same verbs
    "aio.login": lambda w: clio.aio.login(w.site, w.user.id),
    "connect without an id": lambda w: clio.connect("us", client_secret=w.secret.reveal()),
    "a label that is too long": lambda w: w.session.create_action("L" * 40, TARGET, "matters"),
    "a foreign answer": lambda w: w.login.finish(f"{TARGET}?state=another&code={w.code.reveal()}"),
    "Vault.open at a path": lambda w: clio.Vault.open(w.folder / "vault.sqlite", key_file=w.folder / "key"),
    "a session out of the vault": lambda w: w.firm.session_of(w.user.id).list_records("matters"),
    "a table with tokens": lambda w: w.firm.import_tokens(w.table),
}
NEVER_FAILS = {
    *("aio.Session", "aio.Session.token", "Session", "Vault", "Vault.close", "Login", "aio.Login"),
    "locations_matrix",
    *("Firms", "aio.Firms", "aio.Firms.opened"),
    *(f"{cls}.{verb}" for cls in ("Inbox", "aio.Inbox") for verb in ("close", "on_launch", "to_frame")),
    *("inspect_launch", "forms.screens", "forms.menus", "forms.workbench", "lint"),
}


class _Functions:
    """The functions of the face that take a session, as its methods."""

    def __init__(self, w: World) -> None:
        self._w = w

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: getattr(clio, name)(self._w.session, *args, **kwargs)


def _inspected(w: World) -> Any:
    return clio.inspect_launch(w.launch.reveal()).launch


def _received(w: World) -> Any:
    return launches.Received(
        1, dt.datetime.now(dt.UTC), clio.inspect_launch(w.launch.reveal()), w.launch, timeouts.now()
    )


def _closed(w: World) -> Any:
    with clio.inbox(w.site) as inbox:
        return inbox


def _filled(form: Any, **fields: object) -> Any:
    for name, value in fields.items():
        setattr(form, name, value)
    return form.submit()
