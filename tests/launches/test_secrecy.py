"""No input makes a request go anywhere but to the session's region, and no nonce or token shows up anywhere."""

from __future__ import annotations

import io
import json
import logging
import pickle
import re
import traceback
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import clio_nb as clio
from clio_nb.launches import inspect_launch, verify_launch
from clio_nb.launches.proof.known_actions import actions_cache
from clio_nb.launches.proof.used_nonces import used_nonces
from clio_nb.models import User

RECORD = re.compile(r"/api/v4/(activities|contacts|documents|folders|matters)/[1-9][0-9]*")


def hosts(canary):
    """Ways to name another host, for a reader that joins, concatenates, decodes or normalises."""
    host = canary.host
    spelled = st.sampled_from(
        [
            host,
            f"@{host}",
            f"//{host}",
            f"///{host}",
            f"\\\\{host}",
            f"/\\{host}",
            f"http://{host}",
            f"http:{host}",
            f"http:/{host}",
            f":80@{host}",
            f"user:pw@{host}",
            f".{host}",
            f"\t//{host}",
            f"/../..//{host}",
            f"/%2F{host}",
            f"/api/v4/matters/1@{host}",
            f"/api/v4/matters/1?next=http://{host}",
            f"/api/v4/matters/1#@{host}",
            f"/api/v4/matters/1\r\nHost: {host}",
        ]
    )
    path = st.sampled_from(["", "/", "/api/v4/matters/1", "/api/v4/users/who_am_i", "/x?y=z"])
    encoded = st.sampled_from([lambda text: text, lambda text: quote(text, safe=""), lambda text: quote(quote(text))])
    return st.tuples(spelled, path, st.text(max_size=5), encoded).map(lambda each: each[3](each[0] + each[1] + each[2]))


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_no_input_makes_a_request_go_anywhere_but_the_sessions_region(anna, site, canary, data):
    used_nonces.clear()
    actions_cache.clear()
    site.reset()
    session = clio.login(site, user=anna.id)
    actions = st.sampled_from(["1", str(anna.id), "%31", "9" * 30]) | st.text(max_size=8).map(quote)
    subject = (
        hosts(canary)
        | st.sampled_from(["/api/v4/matters/1", "%2Fapi%2Fv4%2Fcontacts%2F7.json"])
        | st.text().map(lambda text: quote(text, errors="replace"))
    )
    base = hosts(canary) | st.just("https://partner.example/launch")
    url = (
        f"{data.draw(base)}?custom_action_id={data.draw(actions)}&user_id={anna.id}"
        f"&subject_url={data.draw(subject)}&custom_action_nonce=nonce-0123456789"
    )
    before = len(site.requests)
    verify_launch(url, session)
    for request in site.requests[before:]:
        assert RECORD.fullmatch(request["path"])
        assert request["user_id"] == anna.id
    assert canary.heard == []


class Log:
    """Everything that any logger says at DEBUG."""

    def __enter__(self):
        self._text = io.StringIO()
        self._handler = logging.StreamHandler(self._text)
        self._before = logging.root.level
        logging.root.addHandler(self._handler)
        logging.root.setLevel(logging.DEBUG)
        return self._text

    def __exit__(self, *_):
        logging.root.removeHandler(self._handler)
        logging.root.setLevel(self._before)


FAULTS = [
    {},
    {"kind": "status", "status": 400},
    {"kind": "status", "status": 403},
    {"kind": "status", "status": 404},
    {"kind": "status", "status": 500},
    {"kind": "html", "status": 200},
    {"kind": "redirect"},
    {"kind": "reset"},
    {"kind": "truncated"},
    {"kind": "wrong_record"},
    {"kind": "revoked"},
    {"kind": "rate_limit", "retry_after": "none"},
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.get("kind", "none"))
def test_no_nonce_or_token_is_in_logs_at_debug_in_reprs_or_in_json(site, anna, fault):
    granted = site.token(anna.id)
    session = clio.Session(site, granted["access_token"], user=User(id=anna.id))
    url = anna.click()
    nonce = url.rpartition("=")[2]
    if fault:
        site.fault(path="/api/v4/matters/*", **fault)
    with Log() as log:
        report = inspect_launch(url)
        verdicts = [verify_launch(url, session), verify_launch(url, session), verify_launch(url, [])]
        shown = [repr(session), repr(report), str(report), report._repr_html_(), json.dumps(report.to_dict())]
        for verdict in verdicts:
            shown += [repr(verdict), str(verdict), verdict._repr_html_(), json.dumps(verdict.to_dict())]
            shown += [repr(verdict.launch), repr(verdict.record), f"{verdict.steps}", verdict.reason]
    assert "GET /api/v4/matters/" in log.getvalue()
    for text in [log.getvalue(), *shown]:
        assert nonce not in text
        assert granted["access_token"] not in text
        assert granted["refresh_token"] not in text


def test_no_nonce_is_in_the_traceback_of_an_error(anna):
    url = anna.click()
    nonce = url.rpartition("=")[2]
    with pytest.raises(clio.ClioError) as caught:
        verify_launch(url, anna.session, fields="{")
    lines = traceback.TracebackException.from_exception(caught.value.with_traceback(None), capture_locals=True).format()
    assert nonce not in "".join(lines)
    assert nonce not in repr(caught.value)


def test_a_verdict_is_not_pickled_since_it_holds_the_nonce(anna):
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(verify_launch(anna.click(), anna.session))


CELLS = [
    "import logging, sys\nfrom pathlib import Path\nlogging.basicConfig(level=logging.DEBUG, stream=sys.stdout)",
    "import clio_nb as clio\nfrom clio_nb.http import loop\nfrom clio_nb.launches import replay",
    "site = clio.sandbox()\nsession = clio.login(site)",
    "inbox = clio.inbox(site)\nurl = site.click_on(session.user.id, inbox.url)",
    "Path({secrets!r}).write_text('\\n'.join([url.rpartition('=')[2], loop.run(session.aio.token).access.reveal()]))",
    "clio.inspect_launch(url)",
    "print(clio.inspect_launch(url + '&user_id=2'), clio.inspect_launch(url.replace('user_id', 'USER_ID')))",
    "verdict = clio.verify_launch(url, session)\nverdict",
    "clio.verify_launch(url, session)",
    "form = clio.forms.launch(session)\nreport = form.inspect(url)\nform.submit()\nform",
    "replay(verdict.launch, inbox.url, site)",
    "inbox.to_frame().drop(columns='received_at')",
    "inbox",
    "session, verdict.launch, list(inbox)",
    "clio.verify_launch(url, session, fields='{{')",
]


def test_no_nonce_or_token_is_in_a_saved_notebook_or_its_html_export(tmp_path):
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    nbconvert = pytest.importorskip("nbconvert", reason="HTML exports are nbconvert's")
    said = tmp_path / "secrets"
    cells = [nbformat.v4.new_code_cell(source.format(secrets=str(said))) for source in CELLS]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook, timeout=60, allow_errors=True, store_widget_state=True).execute()
    failed = [cell.source for cell in cells if any(output.output_type == "error" for output in cell.outputs)]
    assert failed == [cells[-1].source]
    saved = nbformat.writes(notebook)
    exported, _ = nbconvert.HTMLExporter().from_notebook_node(notebook)
    secrets = said.read_text(encoding="utf-8").splitlines()
    assert len(secrets) == 2
    assert "GET /api/v4/matters/" in saved
    for secret in secrets:
        assert secret not in saved
        assert secret not in exported
