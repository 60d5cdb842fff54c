"""The probe names each mistake of a receiver, and passes those that make none."""

from __future__ import annotations

import contextlib
import json
from xml.etree import ElementTree as ET

import msgspec
import pytest

import clio_nb as clio
from clio_nb.errors import InvalidInput
from clio_nb.launch import Mistake, inbox, probe
from clio_nb.launch.attack import run
from clio_nb.launch.attack.browser import Answer, Browser
from clio_nb.launch.attack.canary import Stranger
from clio_nb.launch.attack.cases import CASES
from clio_nb.launch.attack.judge import Evidence, judge
from clio_nb.launch.control import SeenRequest
from clio_nb.models import App
from clio_nb.places import Region
from clio_nb.secret import Secret

from . import receivers
from .test_receiver import APPS


@pytest.fixture
def tokens(site):
    return {user.id: site.token(user.id)["access_token"] for user in site.users[:3]}


@pytest.mark.parametrize("kind", ["asgi", "wsgi"])
def test_our_own_adapters_pass(site, serve, kind):
    sessions = [clio.login(site, user=user.id) for user in site.users[:2]]
    report = probe(f"{serve(APPS[kind](sessions), kind)}/launch", site)
    assert report, report.to_json()
    assert len(report.results) > 50


def test_a_small_receiver_that_does_it_right_passes(attacked):
    report = attacked(receivers.Receiver)
    assert report, report.to_json()


def test_the_inbox_passes_all_but_the_replay_that_it_shows_again(site):
    with inbox(site) as box:
        report = probe(box.url, site)
    assert {result.case for result in report.results if not result.ok} <= {"replayed"}


@pytest.fixture
def attacked(site, serve, tokens, monkeypatch):
    """Serve a receiver, and return the report of the probe on it, without the cases in which it waits for seconds."""
    monkeypatch.setattr(run, "CASES", [case for case in run.CASES if case.name not in ("slow", "429")])
    with contextlib.ExitStack() as clients:

        def attacking(receiver):
            made = receiver(site, tokens)
            clients.callback(made.close)
            return probe(serve(made, "wsgi"), site)

        yield attacking


WRONG = {
    receivers.Concatenates: {Mistake.TOKEN_LEAVES_CLIO, Mistake.TRUSTS_SUBJECT_URL, Mistake.SWALLOWED_NONCE},
    receivers.Joins: {Mistake.TOKEN_LEAVES_CLIO},
    receivers.DropsTheNonce: {Mistake.NEVER_SENDS_NONCE, Mistake.LETS_IN_UNPROVED},
    receivers.NeverAsks: {Mistake.NEVER_SENDS_NONCE, Mistake.LETS_IN_UNPROVED},
    receivers.SearchesTheSubject: {Mistake.SWALLOWED_NONCE, Mistake.TRUSTS_SUBJECT_URL},
    receivers.NormalisesTheSubject: {Mistake.LETS_IN_MALFORMED},
    receivers.TakesTheFirst: {Mistake.LETS_IN_MALFORMED},
    receivers.TriesAgain: {Mistake.RETRIES_NONCE},
    receivers.ReadsAfterAll: {Mistake.LETS_IN_UNPROVED},
    receivers.OneTokenForAll: {Mistake.OTHER_USERS_TOKEN},
    receivers.IgnoresTheAction: {Mistake.IGNORES_ACTION},
    receivers.TrustsAnyAnswer: {Mistake.TRUSTS_ANY_ANSWER},
    receivers.FollowsRedirects: {Mistake.TOKEN_LEAVES_CLIO},
    receivers.BelievesItsMemory: {Mistake.LETS_IN_UNPROVED},
    receivers.AnswersHead: {Mistake.SPENDS_ON_HEAD},
    receivers.BreaksDown: {Mistake.BREAKS_DOWN},
    receivers.RefusesAll: {Mistake.REFUSES_GENUINE},
    receivers.GoesInCircles: {Mistake.NO_ANSWER},
}


@pytest.mark.parametrize("receiver", WRONG, ids=lambda receiver: receiver.__name__)
def test_each_wrong_receiver_is_failed_by_the_name_of_its_mistake(attacked, receiver):
    report = attacked(receiver)
    assert not report
    assert report.mistakes.keys() >= WRONG[receiver], report


# What the report says


def test_the_report_is_a_table_json_and_junit_xml(attacked, tmp_path):
    report = attacked(receivers.IgnoresTheAction)
    frame = report.to_frame()
    assert frame.index.is_unique
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == {
        "title": "string",
        "ok": "boolean",
        "mistakes": "string",
        "answer": "string",
        "at_clio": "string",
        "elsewhere": "string",
    }
    assert frame.loc["unknown-action", "mistakes"] == "ignores-action"
    assert "with nonce: 200" in frame.loc["genuine-matters", "at_clio"]

    said = json.loads(report.to_json())
    assert said["ok"] is False
    assert said["mistakes"] == {"ignores-action": Mistake.IGNORES_ACTION.sentence}
    assert len(said["results"]) == len(report.results) == len(frame)

    suite = ET.parse(report.save_junit(tmp_path / "probe.xml")).getroot()  # noqa: S314 -- our own
    assert int(suite.get("tests")) == len(report.results)
    assert int(suite.get("failures")) == (~frame["ok"]).sum() == len(suite.findall("testcase/failure"))
    assert "Made mistakes" in report._repr_html_()
    assert "ignores-action" in repr(report)


def test_every_mistake_has_a_sentence_and_a_receiver_that_makes_it():
    assert all(mistake.sentence for mistake in Mistake)
    assert set(Mistake) - {Mistake.ASKS_ANOTHER_HOST} == set().union(*WRONG.values())


# How a case is judged


WELL = (Answer(200),)


def evidence(*requests, answers=WELL, strangers=()):
    return Evidence(frozenset({1}), "/api/v4/matters/5", tuple(answers), tuple(requests), tuple(strangers))


def case(name):
    return next(one for one in CASES if one.name == name)


PROOF = SeenRequest("GET", "/api/v4/matters/5", ("custom_action_nonce",), 200, 1)
GENUINE = frozenset({Answer(200)})


@pytest.mark.parametrize(
    ("name", "seen", "mistakes"),
    [
        ("genuine-matters", evidence(PROOF), []),
        ("genuine-matters", evidence(msgspec.structs.replace(PROOF, path="/api/v4/users/who_am_i")), []),
        ("genuine-matters", evidence(msgspec.structs.replace(PROOF, status=403)), ["lets-in-unproved"]),
        ("genuine-matters", evidence(msgspec.structs.replace(PROOF, query=())), ["never-sends-nonce"]),
        ("genuine-matters", evidence(PROOF, PROOF), ["retries-nonce"]),
        ("genuine-matters", evidence(answers=[Answer(302, "/error")]), ["refuses-genuine"]),
        ("forged-nonce", evidence(answers=[Answer(302, "/error")]), []),
        ("forged-nonce", evidence(answers=[Answer(403)]), []),
        ("forged-nonce", evidence(answers=[Answer(500)]), ["breaks-down"]),
        ("forged-nonce", evidence(), ["lets-in-unproved"]),
        ("double-click", evidence(PROOF, PROOF, answers=[Answer(200), Answer(403)]), []),
        ("401", evidence(msgspec.structs.replace(PROOF, status=401), PROOF), []),
        ("500", evidence(msgspec.structs.replace(PROOF, status=500), PROOF), ["retries-nonce"]),
        (
            "unknown-user",
            evidence(msgspec.structs.replace(PROOF, user_id=2)),
            ["other-users-token", "lets-in-unproved"],
        ),
        ("at-host", evidence(answers=[Answer(403)], strangers=[Stranger("/", has_token=False)]), ["asks-another-host"]),
        ("at-host", evidence(answers=[Answer(403)], strangers=[Stranger("/", has_token=True)]), ["token-leaves-clio"]),
        ("forged-nonce", evidence(answers=[Answer(400)]), []),
        ("forged-nonce", evidence(answers=[Answer(0)]), ["no-answer"]),
        ("429", evidence(msgspec.structs.replace(PROOF, status=429), PROOF), []),
        ("429", evidence(msgspec.structs.replace(PROOF, status=429), PROOF, PROOF), ["retries-nonce"]),
        ("500", evidence(answers=[Answer(500)]), []),
        ("question-mark", evidence(PROOF), ["lets-in-malformed"]),
        ("question-mark", evidence(PROOF, answers=[Answer(403)]), []),
        (
            "question-mark",
            evidence(msgspec.structs.replace(PROOF, path="/api/v4/matters/5/x"), answers=[Answer(403)]),
            ["trusts-subject-url"],
        ),
        (
            "question-mark",
            evidence(msgspec.structs.replace(PROOF, query=()), answers=[Answer(403)]),
            ["swallowed-nonce"],
        ),
        (
            "question-mark",
            evidence(SeenRequest("GET", "/api/v4/custom_actions", (), 200, 1), answers=[Answer(403)]),
            [],
        ),
        ("head", evidence(PROOF), ["spends-on-head"]),
        ("head", evidence(), []),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_case_is_judged_by_its_evidence(name, seen, mistakes):
    assert list(judge(case(name), seen, GENUINE)) == mistakes


def test_numbers_in_an_address_make_no_difference_between_answers():
    assert judge(case("forged-nonce"), evidence(answers=[Answer(302, "/sign/77")]), frozenset({Answer(302, "/sign/0")}))


def test_the_browser_of_the_probe_keeps_cookies_and_stays_on_the_receivers_host(serve):
    def app(environ, start_response):
        path, cookie = environ["PATH_INFO"], environ.get("HTTP_COOKIE", "")
        location = {"/launch": "/in/5?nonce=x", "/out": "http://localhost:1/else/where?nonce=x"}.get(path)
        if location:
            headers = [("location", location), ("set-cookie", "a=1; Path=/"), ("set-cookie", "b=2")]
            start_response("302 Found", headers)
        else:
            start_response("200 OK" if cookie == "a=1; b=2" else "403 Forbidden", [])
        return [b""]

    origin = serve(app, "wsgi")
    assert Browser().open(f"{origin}/launch") == Answer(200, "/in/5")
    assert Browser().open(f"{origin}/out") == Answer(302, "http://localhost:1/else/where")
    assert str(Answer(302, "/in/5")) == "302 at /in/5"


# What it leaves behind, and what it refuses


def test_it_leaves_no_action_and_no_fault_behind(site, attacked):
    anna = clio.login(site)
    kept = clio.create_action(anna, "Mine", "https://partner.example/launch", "matters")
    attacked(receivers.RefusesAll)
    assert clio.list_actions(anna) == [kept]
    assert clio.record(anna, clio.Subject(kept.location, int(site.records("matters")[0]["id"])))


def test_actions_that_lead_to_the_receiver_are_used_as_they_are(site, serve, tokens):
    receiver = receivers.RefusesAll(site, tokens)
    origin = serve(receiver, "wsgi")
    anna = clio.login(site)
    mine = [clio.create_action(anna, "Sign", origin, location) for location in clio.Location]
    probe(origin, site)
    receiver.close()
    assert clio.list_actions(anna) == mine


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "http://partner.example/launch", "file:///x", "x"])
def test_it_attacks_this_machine_only(site, url):
    with pytest.raises(InvalidInput):
        probe(url, site)


def test_it_needs_a_sandbox_and_a_user_it_knows(site):
    with pytest.raises(InvalidInput, match="needs a sandbox"):
        probe("http://127.0.0.1:1/", App(Region.US, "id", Secret("secret")))
    with pytest.raises(InvalidInput, match="needs user 5"):
        probe("http://127.0.0.1:1/", site, user=5)


def test_nothing_listening_is_no_answer(site):
    report = probe("http://127.0.0.1:1/", site)
    assert not report
    assert Mistake.NO_ANSWER in report.mistakes
