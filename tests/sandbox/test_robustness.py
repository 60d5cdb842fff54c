"""What a server has to stand: slow and cut-off senders, many at once, a killed process; and what it never tells."""

from __future__ import annotations

import contextlib
import logging
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import hypothesis
import hypothesis.strategies as st
import pytest
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks as openapi_checks

from clio_nb.sandbox.http import body
from clio_nb.sandbox.world import rate_limits

from .conftest import Caller, data, nonce_of


def raw(site, request: bytes, patience: float = 60.0) -> bytes:
    """Send bytes as they are and return everything that comes back."""
    with socket.create_connection(("127.0.0.1", int(site.origin.rpartition(":")[2])), timeout=patience) as line:
        line.sendall(request)
        answer = b""
        while chunk := line.recv(65536):
            answer += chunk
        return answer


def test_a_body_that_never_comes_is_given_up(owner, site, monkeypatch):
    monkeypatch.setattr(body, "BODY_TIMEOUT", 0.05)
    token = owner.headers["authorization"].encode()
    request = (
        b"POST /api/v4/custom_actions HTTP/1.1\r\nhost: x\r\nauthorization: %b\r\ncontent-length: 50\r\n\r\n{" % token
    )
    answer = raw(site, request)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"RequestTimeout" in answer


def test_a_sender_that_hangs_up_in_its_body_changes_nothing(owner, site):
    token = owner.headers["authorization"].encode()
    head = (
        b"POST /api/v4/custom_actions HTTP/1.1\r\nhost: x\r\nauthorization: %b\r\ncontent-length: 500\r\n\r\n{" % token
    )
    with socket.create_connection(("127.0.0.1", int(site.origin.rpartition(":")[2]))) as line:
        line.sendall(head)
    assert data(owner.get("custom_actions")) == []


@pytest.mark.parametrize(
    "request_", [b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x00", b"X" * 100_000]
)
def test_what_is_not_http_does_not_disturb_the_others(owner, site, request_):
    with contextlib.suppress(TimeoutError, ConnectionError):  # it may well be left without an answer
        raw(site, request_, patience=0.2)
    assert owner.get("users").status_code == 200


@pytest.mark.parametrize(
    "fields", [" " * 60_000 + "x", "id" + " " * 60_000 + "x", "id," * 20_000, "client{" + "id," * 19_000, "{" * 60_000]
)
def test_no_text_keeps_the_parser_busy(owner, fields):
    owner.timeout = 5
    assert owner.get(f"matters?fields={fields.replace(' ', '+')}").status_code == 400


def test_many_users_at_once_get_answers_of_their_own(sandbox, call):
    site = sandbox(users=20)
    callers = [call(site, user.id) for user in site.users]

    def work(caller: Caller) -> list[int]:
        made = [data(caller.create(label=f"L{number}"))["id"] for number in range(10)]
        assert [row["id"] for row in data(caller.get("custom_actions"))] == made
        return made

    with ThreadPoolExecutor(20) as pool:
        made = [each for ids in pool.map(work, callers) for each in ids]
    assert len(set(made)) == 200


def test_python_and_http_may_steer_at_the_same_time(site, owner):
    action = data(owner.create())
    subject = site.records("matters")[0]["subject_url"]
    stop = threading.Event()

    def click() -> int:
        count = 0
        while not stop.is_set():
            site.click(owner.user_id, action["id"], subject)
            site.token(owner.user_id)
            count += 1
        return count

    with ThreadPoolExecutor(2) as pool:
        clicking = [pool.submit(click) for _ in range(2)]
        answers = {owner.get("custom_actions").status_code for _ in range(50)}
        stop.set()
        assert all(each.result() for each in clicking)
    assert answers == {200}


def test_one_nonce_sent_by_many_at_once_counts_once(site, owner):
    subject = site.records("matters")[0]["subject_url"]
    url = site.click(owner.user_id, data(owner.create())["id"], subject)
    params = {"custom_action_nonce": nonce_of(url)}
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: owner.get(subject, params=params).status_code, range(10)))
    assert sorted(answers) == [200] + [403] * 9


def test_old_rate_windows_are_forgotten(sandbox, call, monkeypatch):
    monkeypatch.setattr(rate_limits, "_HELD_MAX", 2)
    site = sandbox(rate_limit=5)
    for _ in range(4):
        call(site, site.users[0].id).get("users")
        site.advance(60)
    assert len(site._state.rates._windows) <= 2


def test_a_thousand_undecided_consents_are_enough(site):
    asked = {"response_type": "code", "client_id": site.client_id, "redirect_uri": site.redirect_uri}
    with httpx.Client(trust_env=False) as browser:
        for _ in range(1005):
            browser.head(f"{site.origin}/oauth/authorize", params=asked)
    assert len(site._state.app.grants._pending) == 1000


def test_nothing_secret_is_ever_logged(site, caplog):
    caplog.set_level(logging.DEBUG)
    with Caller(site, site.users[0].id) as caller:
        nonce = caller.click(data(caller.create()))
        caller.get("users/who_am_i", params={"custom_action_nonce": nonce})
        caller.get("users/who_am_i", params={"custom_action_nonce": nonce})
    mine = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    text = "\n".join(record.getMessage() for record in mine)
    for secret in (nonce, caller.tokens["access_token"], caller.tokens["refresh_token"], site.client_secret):
        assert secret not in text
    assert not [record for record in mine if record.name == "uvicorn.access"]


def test_what_was_answered_survives_a_killed_process(tmp_path):
    program = (
        "import sys, clio_nb; site = clio_nb.sandbox(db=sys.argv[1]); user = site.users[0].id; "
        "url = site.click_on(user, 'https://partner.example/'); site.advance(7); "
        "print(site.token(user)['access_token'], flush=True); site.wait()"
    )
    file = tmp_path / "clio.db"
    with subprocess.Popen([sys.executable, "-c", program, file], stdout=subprocess.PIPE, text=True) as process:
        token = process.stdout.readline().strip()
        process.kill()
    program = (
        "import sys, clio_nb, httpx; site = clio_nb.sandbox(db=sys.argv[1]); "
        "answer = httpx.get(site.api_url + '/custom_actions', headers={'authorization': 'Bearer ' + sys.argv[2]}); "
        "print(site.now(), len(answer.json()['data']))"
    )
    again = subprocess.run([sys.executable, "-c", program, file, token], capture_output=True, text=True, check=True)
    assert again.stdout.split() == ["1768496407.0", "1"]


OWN_CHECKS = [
    not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_schema_conformance,
]


def test_the_sandbox_keeps_to_its_own_document(site, owner):
    action = data(owner.create())
    document = httpx.get(f"{site.origin}/openapi.json").json()
    schema = schemathesis.openapi.from_dict(document)
    headers = {"authorization": owner.headers["authorization"]}
    met: set[str] = set()

    def run(operation):
        @hypothesis.settings(
            max_examples=8, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck)
        )
        @hypothesis.given(operation.as_strategy(), st.booleans())
        def drive(case, known):
            if known and case.path_parameters:
                case.path_parameters["id"] = action["id"]
            case.call_and_validate(base_url=site.origin, headers=headers, checks=OWN_CHECKS, timeout=60)
            met.add(operation.label)

        drive()

    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path not in ("/control/reset", "/control/revocations", "/oauth/deauthorize", "/control/faults"):
            run(operation)
    assert len(met) >= 25
