"""No secret is in a frame of ours, whichever public verb fails, in whichever way, and whoever prints its locals."""

from __future__ import annotations

import asyncio
import copy
import inspect
import itertools
import json
import logging
import pickle
import random
import signal
import threading
import traceback

import msgspec
import pytest

import clio_nb as clio
import clio_nb.errors
from clio_nb import tracebacks
from clio_nb.http import loop
from clio_nb.models import Token

from . import readers
from . import world as made
from .world import BEFORE, CALLS, FAILURES, NEVER_FAILS, failing, world


@pytest.fixture
def w(tmp_path, monkeypatch):
    with world(tmp_path, monkeypatch) as whole:
        yield whole


def fail(w, verb, failure, monkeypatch):
    """Call a verb while everything fails, and return what it raises, or None."""
    with monkeypatch.context() as patches, failing(w, failure, patches) as network:
        if failure == "Ctrl-C":
            main = threading.main_thread().ident
            once = iter([signal.SIGINT])
            network.on_request = lambda: [signal.pthread_kill(main, each) for each in itertools.islice(once, 1)]
        try:
            found = CALLS[verb](w)
            if inspect.isawaitable(found):
                asyncio.run(awaited(found, network if failure == "cancelled task" else None))
        except (Exception, KeyboardInterrupt, asyncio.CancelledError) as error:  # noqa: BLE001 -- any of them may leak
            return error
    return None


async def awaited(verb, network):
    task = asyncio.ensure_future(verb)
    if network is not None:
        asked = asyncio.create_task(asyncio.to_thread(network.asked.wait, 5))
        await asyncio.wait([task, asked], return_when=asyncio.FIRST_COMPLETED)
        network.asked.set()
        task.cancel()
    await task


def leaks(w, error, tools=readers.READERS):
    canaries = w.canaries()
    return {(tool.__name__, name) for tool in tools for name, text in canaries.items() if text in tool(error)}


def ours(error):
    """The frames of the library and of those it calls that an error and its chain still hold."""
    return [
        frame.f_code.co_qualname
        for one in readers.errors_of(error)
        for frame, _ in traceback.walk_tb(one.__traceback__)
        if tracebacks._is_library(frame) and "/asyncio/" not in frame.f_code.co_filename
    ]


def check(w, verb, failure, monkeypatch, tools=readers.READERS):
    canaries = w.canaries()
    error = fail(w, verb, failure, monkeypatch)
    if error is None:
        return False
    for tool in tools:
        shown = tool(error)
        assert [name for name, text in canaries.items() if text in shown] == [], (verb, failure, tool.__name__, shown)
    assert ours(error) == [], (verb, failure)
    return True


def test_s7_every_public_verb_has_a_call_here():
    assert made.face() - CALLS.keys() == set()


SAMPLE = [
    ("Session.list_records", "reset"),
    ("Session.list_records", "403"),
    ("Session.create_action", "refused renewal"),
    ("Session.logout", "403"),
    ("aio.Session.list_records", "cancelled task"),
    ("aio.Session.request", "timeout"),
    ("Session.who_am_i", "Ctrl-C"),
    ("Login.finish", "refused connection"),
    ("aio.Login.finish", "cut off"),
    ("a foreign answer", "500"),
    ("connect without an id", "500"),
    ("Vault.open", "500"),
    ("Vault.grants", "wrong key"),
    ("Vault.keep", "gone database"),
    ("Firm.plan", "429"),
    ("Firm.import_tokens", "404"),
    ("Firms.apply", "gone database"),
    ("a session out of the vault", "refused renewal"),
    ("verify_launch", "403"),
    ("replay", "422"),
    ("forms.firm", "500"),
]


@pytest.mark.parametrize(("verb", "failure"), SAMPLE)
def test_s7_no_secret_is_in_a_frame_of_ours(w, verb, failure, monkeypatch):
    assert check(w, verb, failure, monkeypatch)


def test_s7_each_failure_is_what_it_says(w, monkeypatch):
    kinds = {
        "403": clio.errors.Forbidden,
        "404": clio.errors.NotFound,
        "422": clio.errors.RecordInvalid,
        "429": clio.errors.RateLimited,
        "500": clio.errors.ServerError,
        "HTML": clio.errors.UnexpectedAnswer,
        **dict.fromkeys(("cut off", "reset", "timeout", "refused connection"), clio.errors.NetworkError),
        "refused renewal": clio.errors.NeedsLogin,
        "Ctrl-C": KeyboardInterrupt,
    }
    assert {failure: type(fail(w, "Session.list_records", failure, monkeypatch)) for failure in kinds} == kinds
    assert type(fail(w, "aio.Session.list_records", "cancelled task", monkeypatch)) is asyncio.CancelledError
    assert type(fail(w, "Vault.grant", "wrong key", monkeypatch)) is clio.errors.VaultError
    assert type(fail(w, "Vault.keep", "gone database", monkeypatch)) is clio.errors.VaultError


@pytest.mark.long
@pytest.mark.parametrize("verb", CALLS)
def test_s7_no_secret_is_in_a_frame_of_ours_whatever_fails(tmp_path, verb, monkeypatch, record_property):
    seed = random.randrange(2**32)  # noqa: S311 -- an order, not a secret
    record_property("seed", seed)
    print("seed", seed)  # noqa: T201 -- shown when it fails
    failures = [one for one in FAILURES if one not in BEFORE]
    random.Random(seed).shuffle(failures)  # noqa: S311 -- as above
    failed = []
    for batch in (failures, *([one] for one in BEFORE)):
        folder = tmp_path / batch[0]
        folder.mkdir()
        with monkeypatch.context() as patches, world(folder, patches) as whole:
            failed += [one for one in batch if check(whole, verb, one, patches)]
    assert bool(failed) is (verb not in NEVER_FAILS)


@pytest.mark.parametrize(
    ("verb", "failure", "secret"),
    [
        ("Session.list_records", "reset", "access token"),
        ("aio.Session.list_records", "timeout", "access token"),
        ("aio.Session.renew", "reset", "refresh token"),
        ("aio.Session.renew", "timeout", "client secret"),
        ("Login.finish", "refused connection", "code"),
        ("Login.finish", "refused connection", "verifier"),
        ("aio.Session.request", "reset", "nonce"),
        ("Vault.open", "500", "database password"),
    ],
)
def test_s7_without_the_cut_the_same_look_finds_secrets(w, verb, failure, secret, monkeypatch):
    monkeypatch.setenv(tracebacks.VARIABLE, "1")
    error = fail(w, verb, failure, monkeypatch)
    assert secret in {name for _, name in leaks(w, error, [readers.with_values])}
    assert "may hold secrets" in "".join(error.__notes__)


LONG = ("L" * 40, "https://partner.example", "matters")
REFUSED = {
    "a method": lambda w: w.session.create_action(*LONG),
    "a function": lambda w: clio.create_action(w.session, *LONG),
    "an awaited method": lambda w: asyncio.run(w.session.aio.create_action(*LONG)),
    "an awaited function": lambda w: asyncio.run(clio.aio.create_action(w.session.aio, *LONG)),
    "a wrong first argument": lambda w: clio.create_action(w.site, *LONG),
    "a table": lambda w: clio.actions_table(w.site),
    "a matrix": lambda w: clio.locations_matrix(w.site),
    "a proof": lambda w: clio.verify_launch(w.launch.reveal(), w.session, fields="{"),
    "a firm": lambda w: w.firm.plan("no-such-manifest.toml"),
    "a connection": lambda w: clio.connect("nowhere"),
    "an inbox": lambda w: clio.inbox(w.site, port=-1),
}


@pytest.mark.parametrize("call", REFUSED.values(), ids=REFUSED)
def test_s7_an_error_is_the_persons_own_line_and_a_sentence(w, call):
    with pytest.raises(clio.ClioError) as caught:
        call(w)
    own = [entry.frame.code.path for entry in caught.traceback]
    assert [path for path in own if "clio_nb" in path.parts[:-1] and path.parent.name != "secrecy"] == []
    assert own[0].name == "test_frames.py"
    assert len(str(caught.value)) > 20


def test_s7_frames_of_the_persons_own_functions_stay(w):
    def mine(_line):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        loop.run(w.firm.aio.apply, w.undoing, progress=mine)
    names = [frame.f_code.co_name for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    assert names == ["test_s7_frames_of_the_persons_own_functions_stay", "mine"]


def test_s7_an_error_that_the_person_handles_is_left_as_it_is(w):
    def create_after_an_error():
        try:
            json.loads("{")
        except ValueError:
            w.session.create_action("L" * 40, "https://partner.example", "matters")

    with pytest.raises(clio.ClioError) as caught:
        create_after_an_error()
    handled = caught.value.__context__
    assert "raw_decode" in {frame.f_code.co_name for frame, _ in traceback.walk_tb(handled.__traceback__)}


def test_s7_groups_causes_and_hidden_errors_are_cut_too():
    @tracebacks.verb
    def failing_in_a_group(token):
        try:
            json.loads(token)
        except ValueError as hidden:
            causes = [OSError(), ExceptionGroup("inner", [hidden])]
            for cause in causes:
                cause.__cause__ = hidden
            raise ExceptionGroup("several", causes) from None

    failing_in_a_group.__wrapped__.__globals__["__file__"], mine = json.__file__, __file__
    try:
        with pytest.raises(ExceptionGroup) as caught:
            failing_in_a_group("canary")
    finally:
        failing_in_a_group.__wrapped__.__globals__["__file__"] = mine
    assert caught.value.__context__ is None
    assert len(readers.errors_of(caught.value)) == 4
    assert ours(caught.value) == []


def test_s7_a_task_that_nobody_waits_for_is_logged_without_frames(w, caplog):
    async def begin():
        task = asyncio.get_running_loop().create_task(w.session.aio._tokens.renew(w.token))
        await asyncio.wait([task])

    with caplog.at_level(logging.ERROR), pytest.MonkeyPatch.context() as patches, failing(w, "500", patches):
        loop.run(begin)
    (record,) = [one for one in caplog.records if one.exc_info]
    assert "never retrieved" in record.getMessage()
    assert ours(record.exc_info[1]) == []
    assert leaks(w, record.exc_info[1]) == set()


def test_s7_the_error_of_a_future_holds_no_frames(w):
    with pytest.MonkeyPatch.context() as patches, failing(w, "500", patches):
        error = loop.submit(w.session.aio.list_actions).exception()
    assert leaks(w, error) == set()


def test_s7_a_thread_that_fails_is_told_of_without_frames(w, monkeypatch):
    told = []
    monkeypatch.setattr(threading, "excepthook", lambda args: told.append(args.exc_value))
    with pytest.MonkeyPatch.context() as patches, failing(w, "403", patches):
        thread = threading.Thread(target=w.session.list_actions)
        thread.start()
        thread.join()
    assert leaks(w, told[0]) == set()


def test_s2_a_secret_stays_sealed_in_copies_pickles_and_encoders(w):
    assert repr(copy.deepcopy(w.token)) == repr(w.token)
    for holder in (w.token, w.token.access, w.login.aio._grant, w.secret):
        for shown in (repr(holder), str(holder), f"{holder}"):
            assert not [name for name, text in w.canaries().items() if text in shown]
        for spill in (pickle.dumps, json.dumps, msgspec.json.encode, msgspec.msgpack.encode):
            with pytest.raises(TypeError):
                spill(holder)
    with pytest.raises(TypeError):
        vars(w.secret)
    assert Token(access=w.token.access) == Token(access=copy.copy(w.token.access))
