"""The probe names each mistake of a receiver, and passes those that make none."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import secrets
from functools import partial
from xml.etree import ElementTree as ET

import msgspec
import pytest

import clio_nb as clio
from clio_nb.errors import InvalidInput
from clio_nb.http.sandbox_control import SeenRequest
from clio_nb.launches import inbox
from clio_nb.models import App
from clio_nb.probe import Mistake, cases, probe
from clio_nb.probe._browser import Browser, BrowserAnswer, words_of
from clio_nb.probe._decoy import StrayRequest
from clio_nb.probe.cases import CASES
from clio_nb.probe.evidence import Baseline, Evidence
from clio_nb.probe.judge import judge
from clio_nb.sandbox import Sandbox
from clio_nb.sandbox.world import state
from clio_nb.secret import Secret
from clio_nb.vocabulary import Region

from ..web.test_receiver import APPS
from . import receivers


@pytest.fixture
def tokens(site):
    return tokens_of(site)


def tokens_of(site):
    return {user.id: site.token(user.id)["access_token"] for user in site.users[:3]}


@pytest.mark.parametrize("kind", ["asgi", "wsgi"])
def test_our_own_adapters_pass(site, serve, kind):
    sessions = [clio.login(site, user=user.id) for user in site.users[:2]]
    report = probe(f"{serve(APPS[kind](sessions), kind)}/launch", site)
    assert report, report.to_json()
    assert report.undecided == 0
    assert len(report.results) > 50


def test_the_inbox_passes_all_but_the_replay_that_it_shows_again(site, quick):
    with inbox(site) as box:
        report = probe(box.url, site)
    assert {result.case for result in report.results if not result.ok} <= {"replayed"}


FEW = ("genuine", "genuine-again", "double-click", "forged-nonce", "in-session", "replayed", "unknown-action")


@pytest.fixture
def quick(monkeypatch):
    """Leave out the cases in which a receiver waits for seconds."""
    chosen = [case for case in cases.CASES if case.name not in ("slow", "429")]
    monkeypatch.setattr(cases, "CASES", chosen)
    return chosen


@pytest.fixture(params=[False])
def attacked(request, site, serve, tokens, quick, monkeypatch):
    """Serve a receiver, and return the report of the probe on it, without what takes seconds.

    By the parameter True, with few cases only: what all the others are compared with, and what Clio refuses.
    """
    monkeypatch.setattr(cases, "CASES", [one for one in quick if not request.param or one.lacking or one.name in FEW])
    with contextlib.ExitStack() as clients:

        def attacking(receiver, **options):
            made = receiver(site, tokens)
            clients.callback(made.close)
            return probe(serve(made, "wsgi"), site, **options)

        yield attacking


def _(receiver, **options):
    """A receiver with options, under a name for the test's id."""
    made = partial(receiver, **options)
    made.__name__ = "-".join([receiver.__name__, *(f"{name}={value}"[:24] for name, value in options.items())])
    return made


PAGE = "<html><title>Sign</title><body><nav>Home Help</nav><main>{}</main></body></html>"


class Laid(receivers.Receiver):
    """Shows its pages, and its refusals with the reason, in one layout, all of them with 200."""

    def page(self, launch, record):
        return PAGE.format(receivers.welcome(launch, record))

    def refused(self, launch, reason):
        return 200, PAGE.format(f"<p>Not now: {reason}</p>")


class Scripted(receivers.Receiver):
    """Leads the browser on by a script, and those whom it refuses to another page by the same."""

    def page(self, launch, record):
        return f"<script>location = '/documents/{secrets.token_hex(8)}'</script>"

    def refused(self, launch, reason):
        return 200, f"<meta http-equiv=refresh content='0;url=/sorry/{secrets.token_hex(8)}'>"


def by_name(*receivers):
    return {receiver.__name__: receiver for receiver in receivers}


few = pytest.mark.parametrize("attacked", [True], indirect=True, ids=["few"])


def sample(family, *names):
    """Return the parameters of a family: those that are named run always, all others where the suite is run whole."""
    ids = [getattr(one, "__name__", one) for one in family]
    assert {*names} <= {*ids}
    return [
        pytest.param(one, id=name, marks=() if name in names else pytest.mark.long)
        for one, name in zip(family, ids, strict=True)
    ]


RIGHT = by_name(
    receivers.Receiver,
    _(receivers.Receiver, refusal=(200, "Please click the action in Clio again.")),
    Laid,
    receivers.ReadsTwice,
    receivers.ReadsFirst,
    receivers.ProvesByWhoAmI,
    receivers.SendsToSignIn,
)
RIGHT_TOO = by_name(
    *(_(receivers.Receiver, address=address) for address in receivers.ADDRESSES.values() if address),
    *(_(receivers.Receiver, refusal=(status, None)) for status in (400, 404, 429)),
    _(receivers.Receiver, cookie="sid=1"),
    _(receivers.Receiver, refusal=(200, "You are not welcome to sign")),
    _(receivers.Receiver, refusal=(200, "Click again"), address=receivers.ADDRESSES["hex"], cookie="sid=1"),
    _(receivers.Receiver, refusal=(200, None)),
    Scripted,
)


@pytest.mark.parametrize("name", sample(RIGHT, "Receiver", "ReadsFirst"))
def test_a_receiver_that_does_it_right_passes_with_nothing_undecided(attacked, name):
    report = attacked(RIGHT[name])
    assert report, report.to_json()
    assert report.undecided == 0


@few
@pytest.mark.parametrize("name", sample(RIGHT_TOO, "Receiver-refusal=(200, None)", "Receiver-cookie=sid=1", "Scripted"))
def test_a_receiver_that_does_it_right_may_answer_as_it_likes(attacked, name):
    report = attacked(RIGHT_TOO[name])
    assert report, report.to_json()
    assert report.undecided == 0


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
    receivers.FollowsRedirects: {Mistake.TOKEN_LEAVES_CLIO, Mistake.FOLLOWS_REDIRECTS},
    _(receivers.FollowsRedirects, with_token=False): {Mistake.FOLLOWS_REDIRECTS},
    receivers.AnswersHead: {Mistake.SPENDS_ON_HEAD},
    receivers.BreaksDown: {Mistake.BREAKS_DOWN},
    receivers.RefusesAll: {Mistake.REFUSES_GENUINE},
    receivers.GoesInCircles: {Mistake.NO_ANSWER},
    receivers.ProvesByHead: {Mistake.TRUSTS_ANY_ANSWER},
}


TWINS = (
    *("Joins", "NeverAsks", "FollowsRedirects-with_token=False", "ProvesByHead", "RefusesAll"),
    *("GoesInCircles", "NormalisesTheSubject", "ReadsAfterAll", "IgnoresTheAction"),
)
"""Receivers that make a mistake which another of the family makes too, or which other tests attack."""


@pytest.mark.parametrize("receiver", sample(WRONG, *(one.__name__ for one in WRONG if one.__name__ not in TWINS)))
def test_each_wrong_receiver_is_failed_by_the_name_of_its_mistake(attacked, receiver):
    report = attacked(receiver)
    assert not report
    assert report.outcome == "failed"
    assert report.mistakes.keys() >= WRONG[receiver], report


WRONG_TOO = {
    _(receivers.Receiver, refusal=(500, None)): Mistake.BREAKS_DOWN,
    receivers.LocksOut: Mistake.REFUSES_GENUINE,
    receivers.Gullible: Mistake.LETS_IN_UNPROVED,
    **{
        _(receivers.Remembers, key=key): Mistake.LETS_IN_UNPROVED
        for key in ("custom_action_nonce", "user_id", "custom_action_id", "session")
    },
    **{
        _(receivers.FailsOpen, address=address, refusal=refusal): Mistake.LETS_IN_UNPROVED
        for address in receivers.ADDRESSES.values()
        for refusal in [(403, None), (200, "Click again")]
    },
    **{
        _(receivers.FailsOpen, everyone=True, goes_on=goes_on, address=address): Mistake.LETS_IN_UNPROVED
        for address in receivers.ADDRESSES.values()
        for goes_on in (False, True)
        if address or goes_on
    },
    **{_(receivers.FailsOpen, only=[place]): Mistake.LETS_IN_UNPROVED for place in receivers.PLACES},
}


@few
@pytest.mark.parametrize(
    "receiver", sample(WRONG_TOO, "LocksOut", "Gullible", "Remembers-key=session", "FailsOpen-only=['folders']")
)
def test_who_lets_in_what_clio_refused_is_failed_wherever_it_leads(attacked, receiver):
    report = attacked(receiver)
    assert report.outcome == "failed", report
    assert WRONG_TOO[receiver] in report.mistakes, report


UNTOLD = [
    receivers.ShowsSomethingElse,
    receivers.ProvesLater,
    receivers.SaysTheSame,
]
"""Of these nobody can tell from outside what they do with a launch that Clio refused."""


@few
@pytest.mark.parametrize("receiver", sample(UNTOLD, "ProvesLater"))
def test_what_cannot_be_told_is_undecided_and_not_green(attacked, receiver):
    report = attacked(receiver)
    assert not report
    assert report.undecided
    assert report.outcome == "undecided", report


# Where it attacks


def test_a_receiver_is_attacked_at_the_locations_that_it_is_said_to_serve(attacked):
    contacts = _(receivers.Receiver, serves=["contacts"])
    assert attacked(contacts, at="contacts")
    assert attacked(contacts, at=[clio.Location.CONTACTS, "Contact"])
    report = attacked(contacts)
    assert report.mistakes == {Mistake.REFUSES_GENUINE: 9}  # two at each of four, and the double click
    assert "--at" in Mistake.REFUSES_GENUINE.sentence


def test_it_attacks_where_the_users_own_actions_lead_to_the_receiver(site, serve, tokens):
    anna = clio.login(site)
    with contextlib.closing(receivers.Receiver(site, tokens, serves=["documents", "folders"])) as receiver:
        origin = serve(receiver, "wsgi")
        mine = [clio.create_action(anna, "Sign", origin, at) for at in ("documents", "folders")]
        clio.create_action(anna, "Another", "https://partner.example/launch", "matters")
        report = probe(origin, site)
    assert report, report.to_json()
    assert {path.split("/")[3] for result in report.results for path in result.at_clio if "nonce: 200" in path} >= {
        "documents",
        "folders",
    }
    assert clio.list_actions(anna)[:2] == mine


@pytest.mark.parametrize("place", sample(receivers.PLACES, "folders"))
def test_a_receiver_of_one_location_is_attacked_in_it(attacked, place):
    report = attacked(_(receivers.FailsOpen, serves=[place], address=receivers.ADDRESSES["hex"]), at=place)
    assert Mistake.LETS_IN_UNPROVED in report.mistakes
    assert report.mistakes.get(Mistake.REFUSES_GENUINE) is None
    report = attacked(_(receivers.NormalisesTheSubject, serves=[place]), at=place)
    assert report.mistakes == {Mistake.LETS_IN_MALFORMED: report.mistakes[Mistake.LETS_IN_MALFORMED]}


@pytest.mark.parametrize("at", ["bills", ["matters", "bills"], ""])
def test_a_location_that_does_not_exist_is_refused(site, at):
    with pytest.raises(InvalidInput):
        probe("http://127.0.0.1:1/", site, at=at)


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
    assert (said["ok"], said["outcome"], said["undecided"]) == (False, "failed", 0)
    assert said["mistakes"] == {"ignores-action": Mistake.IGNORES_ACTION.sentence}
    assert len(said["results"]) == len(report.results) == len(frame)

    suite = ET.parse(report.save_junit(tmp_path / "probe.xml")).getroot()  # noqa: S314 -- our own
    assert int(suite.get("tests")) == len(report.results)
    assert int(suite.get("failures")) == (~frame["ok"]).sum() == len(suite.findall("testcase/failure"))
    assert (suite.get("errors"), suite.findall("testcase/error")) == ("0", [])
    assert "<strong>Failed</strong>" in report._repr_html_()
    assert "Failed. " in repr(report)
    assert "ignores-action" in repr(report)


@few
def test_a_report_says_what_is_undecided_and_what_its_author_can_do(attacked, tmp_path):
    report = attacked(receivers.ShowsSomethingElse)
    undecided = [result.case for result in report.results if result.outcome == "undecided"]
    assert "forged-nonce-matters" in undecided

    assert report.to_frame()["ok"].isna().sum() == report.undecided == len(undecided)
    said = json.loads(report.to_json())
    assert (said["ok"], said["outcome"], said["undecided"]) == (False, "undecided", len(undecided))
    assert [one["case"] for one in said["results"] if one["outcome"] == "undecided"] == undecided
    suite = ET.parse(report.save_junit(tmp_path / "probe.xml")).getroot()  # noqa: S314 -- our own
    assert (suite.get("failures"), int(suite.get("errors"))) == ("0", len(undecided))
    assert all("4xx" in error.text and error.get("type") == "undecided" for error in suite.iter("error"))
    assert "<strong>Undecided</strong>" in report._repr_html_()
    assert "4xx" in report._repr_html_()
    assert f"{len(undecided)} undecided" in repr(report)


def test_every_mistake_has_a_sentence_and_a_receiver_that_makes_it():
    assert all(mistake.sentence for mistake in Mistake)
    connecting = {Mistake.DOES_NOT_CONNECT, Mistake.TRUSTS_STATE, Mistake.TAKES_CODE_TWICE, Mistake.OPEN_REDIRECT}
    assert set(Mistake) - {Mistake.ASKS_ANOTHER_HOST} - connecting == set().union(*WRONG.values())


# How a case is judged


def answer(status=200, led_to="", words="welcome"):
    return BrowserAnswer(status, led_to, words_of(words))


WELL = (answer(),)
NO = (answer(403, words="no"),)
SORRY = (answer(words="sorry"),)


def evidence(*requests, answers=WELL, stray=()):
    return Evidence(
        clio.Location.MATTERS, frozenset({1}), "/api/v4/matters/5", tuple(answers), tuple(requests), tuple(stray)
    )


def case(name):
    return next(one for one in CASES if one.name == name)


def changed(**values):
    return msgspec.structs.replace(PROOF, **values)


PROOF = SeenRequest("GET", "/api/v4/matters/5", ("custom_action_nonce",), 200, 1)
REFUSED = msgspec.structs.replace(PROOF, status=403)
READ = SeenRequest("GET", "/api/v4/matters/5", (), 200, 1)
NOTE = SeenRequest("POST", "/api/v4/notes", (), 201, 1)


PROVED = (evidence(PROOF),)
TURNED_AWAY = (evidence(answers=NO),)


def judged(name, seen, genuine=PROVED, malformed=TURNED_AWAY):
    mistakes, undecided = judge(case(name), seen, Baseline(genuine, malformed, "http://127.0.0.1:9/oauth/"))
    return [*mistakes, *(["undecided"] if undecided else [])]


@pytest.mark.parametrize(
    ("name", "seen", "mistakes"),
    [
        ("genuine", evidence(PROOF), []),
        ("genuine", evidence(changed(path="/api/v4/users/who_am_i")), []),
        ("genuine", evidence(REFUSED), ["lets-in-unproved"]),
        ("genuine", evidence(changed(query=())), ["never-sends-nonce"]),
        ("genuine", evidence(PROOF, PROOF), ["retries-nonce"]),
        ("genuine", evidence(answers=[answer(302, "/error", "error")]), ["refuses-genuine"]),
        ("forged-nonce", evidence(answers=[answer(302, "/error", "error")]), ["undecided"]),
        ("forged-nonce", evidence(answers=[answer(302, "http://127.0.0.1:9/oauth/authorize", "")]), []),
        ("forged-nonce", evidence(answers=NO), []),
        ("forged-nonce", evidence(answers=[answer(500)]), ["breaks-down"]),
        ("forged-nonce", evidence(), ["lets-in-unproved"]),
        ("double-click", evidence(PROOF, PROOF, answers=[*WELL, *NO]), []),
        ("double-click", evidence(PROOF, PROOF, answers=[*NO, *NO]), ["refuses-genuine"]),
        ("401", evidence(changed(status=401), PROOF), []),
        ("500", evidence(changed(status=500), PROOF), ["retries-nonce"]),
        ("unknown-user", evidence(changed(user_id=2)), ["other-users-token", "lets-in-unproved"]),
        ("at-host", evidence(answers=NO, stray=[StrayRequest("/", has_token=False)]), ["asks-another-host"]),
        ("at-host", evidence(answers=NO, stray=[StrayRequest("/", has_token=True)]), ["token-leaves-clio"]),
        ("redirect", evidence(answers=NO, stray=[StrayRequest("/", has_token=False)]), ["follows-redirects"]),
        (
            "redirect",
            evidence(answers=NO, stray=[StrayRequest("/", has_token=True)]),
            ["token-leaves-clio", "follows-redirects"],
        ),
        ("forged-nonce", evidence(answers=[answer(400)]), []),
        ("forged-nonce", evidence(answers=[answer(0)]), ["no-answer"]),
        ("429", evidence(changed(status=429), PROOF), []),
        ("429", evidence(changed(status=429), PROOF, PROOF), ["retries-nonce"]),
        ("500", evidence(answers=[answer(500)]), []),
        ("html", evidence(PROOF), ["trusts-any-answer"]),
        ("html", evidence(READ, PROOF), []),
        ("html", evidence(changed(path="/api/v4/users/who_am_i")), []),
        ("question-mark", evidence(PROOF), ["lets-in-malformed"]),
        ("question-mark", evidence(PROOF, answers=NO), []),
        ("question-mark", evidence(changed(path="/api/v4/matters/5/x"), answers=NO), ["trusts-subject-url"]),
        ("question-mark", evidence(READ, answers=NO), ["swallowed-nonce"]),
        ("question-mark", evidence(PROOF, READ, answers=NO), []),
        ("question-mark", evidence(SeenRequest("GET", "/api/v4/custom_actions", (), 200, 1), answers=NO), []),
        ("head", evidence(PROOF), ["spends-on-head"]),
        ("head", evidence(), []),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_case_is_judged_by_its_evidence(name, seen, mistakes):
    assert judged(name, seen) == mistakes


def test_a_nonce_that_is_never_sent_was_not_swallowed():
    assert judged("question-mark", evidence(READ, answers=NO), genuine=[evidence(READ)]) == []


def test_a_proof_that_goes_elsewhere_with_genuine_launches_does_not_trust_the_subject():
    who_am_i = evidence(changed(path="/api/v4/users/who_am_i"))
    assert judged("question-mark", dataclasses.replace(who_am_i, answers=NO), genuine=[who_am_i]) == []


@pytest.mark.parametrize(
    ("genuine", "malformed", "answered", "told"),
    [
        # by words, where the status is the same
        (["welcome ann", "welcome ben"], ["sorry ann"], "welcome cleo", ["lets-in-unproved"]),
        (["welcome ann", "welcome ben"], ["sorry ann"], "sorry cleo", []),
        (["welcome ann", "welcome ben"], ["sorry ann"], "cleo", []),
        (["welcome"], ["you are not welcome"], "not welcome you are", []),
        (["welcome"], ["you are not welcome"], "welcome", ["lets-in-unproved"]),
        (["nav ready to sign"], ["nav not a launch"], "nav click again", []),
        (["nav ready to sign"], ["nav not a launch"], "nav ready", ["undecided"]),
        # a random word tells nothing
        (["welcome a8f3", "welcome b1c2"], ["sorry c9"], "welcome d4", ["lets-in-unproved"]),
        (["welcome qwer", "welcome asdf"], ["sorry zxcv"], "welcome poiu", ["lets-in-unproved"]),
        # nothing tells
        (["thanks"], ["thanks"], "thanks", ["undecided"]),
        (["thanks"], ["thanks"], "hello", ["undecided"]),
        # one malformed launch is let in, the others are not
        (["welcome"], ["welcome", "sorry"], "welcome", ["lets-in-unproved"]),
        (["welcome"], ["welcome", "sorry"], "sorry", []),
    ],
)
def test_what_a_page_says_tells_an_admission_from_a_refusal(genuine, malformed, answered, told):
    pages = [[evidence(PROOF, answers=[answer(words=page)]) for page in pages] for pages in (genuine, malformed)]
    refused = [dataclasses.replace(seen, requests=()) for seen in pages[1]]
    assert judged("forged-nonce", evidence(REFUSED, answers=[answer(words=answered)]), pages[0], refused) == told


def test_who_goes_on_at_clio_after_its_refusal_lets_in():
    same = [evidence(answers=WELL)]
    assert judged("forged-nonce", evidence(REFUSED), [evidence(PROOF, READ)], same) == ["undecided"]
    assert judged("forged-nonce", evidence(REFUSED, READ), [evidence(PROOF, READ)], same) == ["lets-in-unproved"]
    written = evidence(REFUSED, NOTE, answers=NO)
    assert judged("forged-nonce", written, [evidence(PROOF, NOTE)]) == ["lets-in-unproved"]
    read = evidence(REFUSED, READ, answers=NO)
    assert judged("forged-nonce", read, [evidence(PROOF, READ)]) == []


def test_without_a_genuine_launch_that_was_let_in_nothing_is_said_of_the_others():
    assert judged("forged-nonce", evidence(), genuine=[evidence(answers=NO)]) == ["undecided"]
    assert judged("forged-nonce", evidence(), genuine=[]) == ["undecided"]


def test_a_genuine_launch_that_is_answered_as_a_malformed_one_was_refused():
    genuine = [evidence(PROOF), evidence(answers=SORRY)]
    assert judged("genuine", genuine[1], genuine, [evidence(answers=SORRY)]) == ["refuses-genuine"]
    assert judged("genuine", genuine[0], genuine, [evidence(answers=SORRY)]) == []


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
    cookies = {"a=", "b="}
    assert Browser().open(f"{origin}/launch") == BrowserAnswer(
        200, "/in/5?nonce=x", frozenset({"in", "nonce", *cookies})
    )
    abroad = Browser().open(f"{origin}/out")
    assert (abroad.status, abroad.led_to) == (302, "http://localhost:1/else/where?nonce=x")
    assert str(abroad) == "302 at http://localhost:1/else/where"
    assert "nonce" not in repr(abroad)


@pytest.mark.parametrize("location", ["http://[", "/a b", "/\xe9", "//"])
def test_a_receiver_that_redirects_to_what_is_no_address_is_one_that_does_not_answer(serve, location):
    def app(environ, start_response):
        start_response("302 Found", [("location", location)])
        return [b""]

    assert Browser().open(serve(app, "wsgi")).status in (0, 302)


def test_a_long_log_of_the_sandbox_hides_nothing(monkeypatch, serve):
    monkeypatch.setattr(state, "_LOG_MAX", 30)
    with Sandbox() as site, contextlib.closing(receivers.Receiver(site, tokens_of(site))) as receiver:
        report = probe(serve(receiver, "wsgi"), site, at="matters")
    assert report, report.to_json()


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
    with pytest.raises(InvalidInput, match="on a sandbox only"):
        probe("http://127.0.0.1:1/", App(Region.US, "id", Secret("secret")))
    with pytest.raises(InvalidInput, match="one of them user 5"):
        probe("http://127.0.0.1:1/", site, user=5)


def test_nothing_listening_is_no_answer(site):
    report = probe("http://127.0.0.1:1/", site)
    assert not report
    assert Mistake.NO_ANSWER in report.mistakes
