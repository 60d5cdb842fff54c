"""The form over an inbox: launches as they arrive, and any of them sent again, whole or spoilt."""

from __future__ import annotations

import importlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pandas as pd
import pytest

import clio_nb as clio
from clio_nb import forms, launches
from clio_nb.errors import InvalidInput
from clio_nb.http import loop
from clio_nb.launches import Replayed, inbox

inbox_form = importlib.import_module("clio_nb.forms.inbox")
VERIFIED = "✓\N{NO-BREAK SPACE}verified"


@pytest.fixture
def box(site):
    with inbox(site) as box:
        yield box


@pytest.fixture
def arrive(site, session, box):
    action = clio.create_action(session, "Send", box.url, at="matters")
    matter = site.records("matters")[0]["subject_url"]
    return lambda: httpx.get(site.click(session.user.id, action.id, matter), trust_env=False)


@pytest.fixture
def careless():
    """Give the address of a receiver that answers every launch in the same way."""
    servers = []

    def start(answer):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(answer)
                self.send_header("Location", "/elsewhere?secret=1")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *words):
                pass

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/launch"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def table(form):
    return form.view.children[2].value


def test_a_launch_appears_with_its_verdict(site, box, arrive, until, drawn):
    form = forms.inbox(box, site)
    assert "Nothing has arrived" in table(form)
    arrive()
    until(lambda: VERIFIED in table(form))
    assert site.users[0].name in drawn(form)
    assert form.number == 1


def test_a_replay_has_a_fresh_nonce_and_is_verified_again(site, box, arrive, until, click):
    form = forms.inbox(box, site)
    arrive()
    until(lambda: form.number == 1)
    click(form)
    assert form.value.status < 400
    exec(form.code, {"inbox": box, "site": site})  # noqa: S102 -- our own code is what is tested
    until(lambda: table(form).count(VERIFIED) == 3)


FORGED = ["without its nonce", "as another user's", "for another record"]


@pytest.mark.parametrize("change", FORGED)
def test_a_forged_replay_that_was_refused_is_a_success_and_looks_like_one(site, box, arrive, until, click, change):
    form = forms.inbox(box, site)
    arrive()
    until(lambda: form.number == 1)
    form.change = change
    click(form)
    assert form.value.status == 403
    said = f"The receiver answered 403: it refused a launch sent {change}, as it should."
    assert form.status == ("done", said)
    assert "✓" in form._status_line.value


@pytest.mark.parametrize("change", FORGED)
@pytest.mark.parametrize("answer", [200, 302, 500])
def test_a_receiver_that_does_not_refuse_a_forged_replay_has_failed(
    site, box, arrive, until, click, careless, change, answer
):
    form = forms.inbox(box, site)
    arrive()
    until(lambda: form.number == 1)
    form.change, form.to = change, careless(answer)
    click(form)
    assert form.status.kind == "failed"
    assert f"answered {answer}" in form.status.text
    assert f"to a launch sent {change}. It should refuse that with 403." in form.status.text


@pytest.mark.parametrize(("answer", "kind"), [(200, "done"), (302, "done"), (403, "failed"), (500, "failed")])
def test_a_replay_that_is_not_forged_is_to_be_taken(site, box, arrive, until, click, careless, answer, kind):
    form = forms.inbox(box, site)
    arrive()
    until(lambda: form.number == 1)
    form.to = f" {careless(answer)}\n"
    click(form)
    assert form.status.kind == kind


@pytest.mark.parametrize("change", ["as it was", *FORGED])
def test_the_code_does_what_the_form_does(site, box, arrive, until, click, monkeypatch, change):
    form = forms.inbox(box, site)
    arrive()
    arrive()
    until(lambda: len(box) == 2)
    form.number, form.change, form.to = 1, change, f" {box.url} "
    sent = []

    async def note(launch, to, site, **changes):
        sent.append((launch.number, to, changes))
        return Replayed(to, 403, "", b"")

    monkeypatch.setattr(inbox_form.replay, "aio", note)
    click(form)
    monkeypatch.setattr(launches, "replay", lambda *args, **changes: loop.run(note, *args, **changes))
    exec(form.code, {"inbox": box, "site": site})  # noqa: S102 -- our own code is what is tested
    assert sent[0] == sent[1]


def test_the_launches_are_saved_without_a_nonce(site, box, arrive, until, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    form = forms.inbox(box, site)
    assert form.save.view.layout.display == "none"
    arrive()
    until(lambda: VERIFIED in table(form))
    nonce = box[0].report.launch.nonce.reveal()
    for ending in (".csv", ".xlsx"):
        [path] = form.save.save(ending)
        assert nonce.encode() not in path.read_bytes()
    assert pd.read_csv(tmp_path / "launches.csv")["state"].tolist() == ["verified"]


def test_verifying_by_hand_without_sessions_says_so(site, session, until):
    with inbox(site, verify=False) as box:
        form = forms.inbox(box, site)
        action = clio.create_action(session, "By hand", box.url, at="matters")
        httpx.get(site.click(session.user.id, action.id, site.records("matters")[0]["subject_url"]), trust_env=False)
        until(lambda: form.number == 1)
        box.aio._sessions = None
        form.verify.click()
        until(lambda: form.status.kind == "failed")
    assert "no sessions to verify launches with" in form.status.text
    assert not form.busy


def test_replay_needs_a_launch(site, box):
    with pytest.raises(InvalidInput):
        forms.inbox(box, site).submit()


def test_a_launch_can_be_verified_by_hand(site, session, arrive, until):
    with inbox(site, verify=False) as box:
        form = forms.inbox(box, site)
        action = clio.create_action(session, "By hand", box.url, at="matters")
        httpx.get(site.click(session.user.id, action.id, site.records("matters")[0]["subject_url"]), trust_env=False)
        until(lambda: form.number == 1)
        assert "·\N{NO-BREAK SPACE}unproved" in table(form)
        form.verify.click()
        until(lambda: VERIFIED in table(form))
