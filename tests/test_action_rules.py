"""One judge of labels, target URLs and locations: whoever is asked says the same, and what is accepted works."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

import msgspec
import pytest
import tomli_w
from hypothesis import example, given
from hypothesis import strategies as st

import clio_nb as clio
from clio_nb.action_rules import TARGET_MAX, canonical, same_label, same_url
from clio_nb.errors import InvalidAction, InvalidInput, ManifestError
from clio_nb.firm import Firm
from clio_nb.firm.item import Kind
from clio_nb.firm.manifest import Action, AppOf, Manifest, parse_manifest
from clio_nb.firm.plan.plan import Plan
from clio_nb.forms._form import trimmed
from clio_nb.forms.create_action import ActionForm
from clio_nb.http import timeouts
from clio_nb.sandbox import Sandbox
from clio_nb.session import Session
from clio_nb.vocabulary import LABEL_MAX, Location

GOOD = "https://p.example/launch"
LABEL = "Sign"
OK, WARNING, ERROR = "ok", "warning", "error"

TARGETS = {
    GOOD: OK,
    "https://p.example": OK,
    "https://p.example/": OK,
    "https://p.example:443/launch": OK,
    "https://p.example:8443/launch": OK,
    "HTTPS://P.Example/Launch": OK,
    "https://p.example./launch": OK,
    "https://p_q.example/a//b": OK,
    "https://p.example/%c3%bc%7e": OK,
    "https://p.example/a%2Fb": OK,
    "https://m\u00fcnchen.example/launch": OK,
    "https://M\u00dcNCHEN.example:8443/launch": OK,
    "https://xn--mnchen-3ya.example/launch": OK,
    "https://stra\u00dfe.example/launch": OK,
    "https://\u4f8b\u3048.example/launch": OK,
    "https://p\u3002example/launch": OK,
    "https://p.example/\u00fc/\U0001f58b": OK,
    "https://[2606:4700::1111]/launch": OK,
    "https://1.1.1.1/launch": OK,
    "https://p.example/" + "x" * (TARGET_MAX - 18): OK,
    "https://p.example/launch?": WARNING,
    "https://p.example/launch?tenant=7": WARNING,
    "https://p.example/launch?a=b&&c&=d": WARNING,
    "https://p.example/launch?name=\u00f6&x=%f6": WARNING,
    "https://p.example/launch?it's": WARNING,
    "https://p.example/launch#": WARNING,
    "https://p.example/launch#part": WARNING,
    "https://p.example/#/launch?user_id=1": WARNING,
    "https://p.example/launch?USER_ID=7": WARNING,
    "https://p.example/launch?user_id[]=7": WARNING,
    "https://p.example/launch?user_id%5B%5D=7": WARNING,
    "https://p.example/launch?my_user_id=7": WARNING,
    "https://p.example/launch?%2575ser_id=7": WARNING,
    "https://p.example/{matter_id}": WARNING,
    "https://p.example/%7Bmatter_id%7D": WARNING,
    'https://p.example/"<>`^|': OK,
    "http://p.example/launch": WARNING,
    "http://127.0.0.1:8000/launch": WARNING,
    "http://localhost/launch": WARNING,
    "https://[::1]:8000/launch": WARNING,
    "https://[0:0:0:0:0:0:0:1]/launch": WARNING,
    "https://p.example/launch?user_id=7": ERROR,
    "https://p.example/launch?%75ser_id=7": ERROR,
    "https://p.example/launch?subject%5Furl": ERROR,
    "https://p.example/launch?a=1&custom_action_nonce=": ERROR,
    "https://p.example/launch?custom_action_id=1": ERROR,
    "": ERROR,
    " ": ERROR,
    "launch": ERROR,
    "/launch": ERROR,
    "//p.example": ERROR,
    "https:p.example": ERROR,
    "https:/p.example": ERROR,
    "https://": ERROR,
    "https:///launch": ERROR,
    "https://?q": ERROR,
    "ftp://p.example": ERROR,
    "javascript:alert(1)": ERROR,
    "data:text/html,x": ERROR,
    f" {GOOD}": ERROR,
    f"{GOOD} ": ERROR,
    f"{GOOD}\n": ERROR,
    "https://p.example/\u00fc\n": ERROR,
    "https://p.example/a b": ERROR,
    "https://p.example/a\tb": ERROR,
    "https://p.example/\x00": ERROR,
    "https://p.example\\@q.example/": ERROR,
    "https://p.example/a\\b": ERROR,
    "https://p.example/launch?a\\b": ERROR,
    "https://p.example/launch?\u00fc\\b": ERROR,
    "https://p.example/100%": ERROR,
    "https://p.example/%zz": ERROR,
    "https://p.example/%\u00fc": ERROR,
    "https://user@p.example/": ERROR,
    "https://user:pw@p.example/": ERROR,
    "https://user@m\u00fcnchen.example/": ERROR,
    "https://p.example:0/": ERROR,
    "https://p.example:080/": ERROR,
    "https://p.example:65536/": ERROR,
    "https://m\u00fcnchen.example:65536/": ERROR,
    "https://p.example:/": ERROR,
    "https://p.example:x/": ERROR,
    "https://p..example/": ERROR,
    "https://m\u00fcnchen..example/": ERROR,
    "https://.p.example/": ERROR,
    "https://p%2Eexample/": ERROR,
    "https://p\uff0fq.example/": ERROR,
    "https://" + "p" * 64 + ".example/": ERROR,
    "https://127.1/": ERROR,
    "https://2130706433/": ERROR,
    "https://0x7f.0.0.1/": ERROR,
    "https://010.0.0.1/": ERROR,
    "https://1.1.1.1./": ERROR,
    "https://1.1.1.256/": ERROR,
    "https://[::1/": ERROR,
    "https://[1:2]/": ERROR,
    "https://[fe80::1%25eth0]/": ERROR,
    "https://p.example/a/../b": ERROR,
    "https://p.example/./b": ERROR,
    "https://p.example/a/%2e%2E": ERROR,
    "https://p.example/" + "x" * (TARGET_MAX - 17): ERROR,
    "https://p.example/" + "\u00fc" * (TARGET_MAX // 6): ERROR,
    "https://p.example/\ud800": ERROR,
}
LABELS = {
    LABEL: OK,
    "x" * LABEL_MAX: OK,
    "\u00fc" * LABEL_MAX: OK,
    "\U0001f58b" * LABEL_MAX: OK,
    "\u05d7\u05ea\u05d5\u05dd": OK,
    "<b> &amp;": WARNING,
    "=HYPERLINK()": OK,
    "Sign ": WARNING,
    " Sign": WARNING,
    "Sign  now": WARNING,
    "Sign\u00a0now": WARNING,
    "Si\u200bgn": WARNING,
    "\u202eSign": WARNING,
    "\U0001f469\u200d\u2696\ufe0f": WARNING,
    "Send {name}": WARNING,
    "Send <name>": WARNING,
    "": ERROR,
    " ": ERROR,
    "\u00a0\u2003": ERROR,
    "\t\n": ERROR,
    "\u200b\u200b": ERROR,
    "\u202e": ERROR,
    "x" * (LABEL_MAX + 1): ERROR,
    "\U0001f58b" * (LABEL_MAX + 1): ERROR,
    "Si\tgn": ERROR,
    "Sign\n": ERROR,
    "Si\x00gn": ERROR,
    "Si\x1b[31mgn": ERROR,
    "Si\x85gn": ERROR,
    "Si\u2028gn": ERROR,
    "Si\ud800gn": ERROR,
}
PLACES = {
    "matters": OK,
    "matters/show": OK,
    "Matter": OK,
    " FOLDERS ": OK,
    "activities/show": OK,
    "": ERROR,
    "bills": ERROR,
    "matters/index": ERROR,
    "matter/show": ERROR,
    "matters\x00": ERROR,
}
CASES = [
    *((LABEL, target, "matters", level) for target, level in TARGETS.items()),
    *((label, GOOD, "matters", level) for label, level in LABELS.items()),
    *((LABEL, GOOD, place, level) for place, level in PLACES.items()),
]


@pytest.fixture(scope="module")
def site() -> Iterator[Sandbox]:
    with Sandbox(users=2, rate_limit=None) as site:
        yield site


@pytest.fixture(scope="module", autouse=True)
def _waits_pass_at_once() -> Iterator[None]:
    """One session sends more in this module than Clio takes in a minute."""
    now = [0.0]

    async def sleep(seconds: float) -> None:
        now[0] += seconds

    with pytest.MonkeyPatch.context() as clock:
        clock.setattr(timeouts, "now", lambda: now[0])
        clock.setattr(timeouts, "sleep", sleep)
        yield


@pytest.fixture(scope="module")
def session(site: Sandbox) -> Session:
    return clio.login(site)


@pytest.fixture(scope="module")
def firm(site: Sandbox) -> Firm:
    firm = Firm(site)
    firm.sign_in_everyone()
    return firm


def manifest_of(label: str, target: str, place: str) -> Manifest:
    return Manifest(
        app=AppOf("partner"), actions=(Action(key="sign", label=label, target_url=target, locations=(place,)),)
    )


def judged(label: str, target: str, place: str) -> str:
    found = clio.lint((label, target, place))
    return found[0].level if found else OK


def is_taken_by_the_manifest(label: str, target: str, place: str) -> bool:
    try:
        text = tomli_w.dumps(msgspec.to_builtins(manifest_of(label, target, place)))
        parse_manifest(text)
    except (ManifestError, UnicodeError):
        return False
    return True


def is_taken_by_the_form(session: Session, label: str, target: str, place: str) -> bool:
    form = ActionForm(session)
    form.label, form.target_url = label, target
    try:
        form.prepare()
    except InvalidAction:
        return False
    return True


def is_taken_by_the_session(session: Session, label: str, target: str, place: str) -> bool:
    """Create the action and take it through its whole life: clicked, inspected, verified, found again, deleted."""
    try:
        made = clio.create_action(session, label, target, place)
    except InvalidInput:
        return False
    subject = session.site.records(made.location.resource)[0]["subject_url"]
    url = session.site.click(session.user.id, made.id, subject)
    assert clio.inspect_launch(url, target=target)
    assert clio.inspect_launch(url, target=made.target_url)
    assert clio.verify_launch(url, session, target=target)
    assert (made.label, same_url(made.target_url, target)) == (label, True)
    assert made.target_url.isascii()
    clio.delete_action(session, made)
    return True


def is_taken_by_the_plan(firm: Firm, label: str, target: str, place: str) -> bool:
    """Plan and apply; a plan that is refused says why once, however many users there are, and writes nothing."""
    try:
        plan = firm.plan(manifest_of(label, target, place))
    except InvalidInput:  # no line can be drawn up for a location that there is not
        return False
    said = [finding.sentence for finding in clio.lint((label, target, place))]
    assert plan.notes == tuple(f"Action 'sign': {sentence}" for sentence in said)
    if plan.changes:
        assert firm.apply(plan, progress=False)
        assert firm.plan(manifest_of(label, target, place)).counts() == {"ok": 2}
        assert firm.drift().empty
        assert firm.offboard(progress=False)
        return True
    assert {(item.kind, item.reason) for item in plan.items} == {(Kind.BLOCKED, "the manifest is wrong")}
    with pytest.raises(InvalidAction, match=r"Nothing was changed\. Action 'sign': "):
        firm.apply(plan, progress=False)
    return False


@pytest.mark.parametrize(("label", "target", "place", "level"), CASES, ids=[ascii(case)[:70] for case in CASES])
def test_all_judges_say_the_same_and_what_they_accept_can_be_created_clicked_and_verified(
    site: Sandbox, session: Session, firm: Firm, label: str, target: str, place: str, level: str
) -> None:
    action = (label, target, place)
    before = sum(request["method"] != "GET" for request in site.requests)
    assert judged(*action) == level
    accepted = level != ERROR
    assert is_taken_by_the_manifest(*action) == accepted
    assert is_taken_by_the_session(session, *action) == accepted
    assert is_taken_by_the_plan(firm, *action) == accepted
    if place == "matters":
        pasted = (trimmed(label), trimmed(target), place)  # a form takes off what was pasted around it
        assert is_taken_by_the_form(session, *action) == (judged(*pasted) != ERROR)
    written = sum(request["method"] != "GET" for request in site.requests) - before
    assert bool(written) == accepted


@pytest.mark.parametrize(("label", "target", "place", "level"), CASES, ids=[ascii(case)[:70] for case in CASES])
def test_a_change_is_judged_as_a_new_action_is(
    session: Session, label: str, target: str, place: str, level: str
) -> None:
    made = clio.create_action(session, "Before", "https://before.example/", "contacts")
    try:
        now = clio.update_action(session, made, label=label, target_url=target, at=place)
        assert (level != ERROR, same_url(now.target_url, target), now.label) == (True, True, label)
    except InvalidInput:
        assert level == ERROR
        assert clio.get_action(session, made.id) == made
    finally:
        clio.delete_action(session, made.id)


PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "https://",
                "p.example",
                "/",
                "?",
                "#",
                "%",
                "&",
                "=",
                ".",
                "..",
                ":",
                "@",
                "[",
                "]",
                "\\",
                "user_id",
                "%2e",
            ]
        ),
        st.sampled_from(
            ["m\u00fcnchen", "\u3002", "\uff0f", "%c3%bc", "xn--", "127.1", ":443", "{x}", "'", "+", ";", " "]
        ),
        st.text(max_size=4),
    ),
    max_size=8,
).map("".join)


@given(
    label=st.one_of(st.just(LABEL), st.text(max_size=LABEL_MAX + 2)),
    target=st.one_of(
        st.just(GOOD), PIECES, PIECES.map("https://p.example/".__add__), PIECES.map("https://p.example?".__add__)
    ),
    place=st.one_of(st.sampled_from(list(Location)).map(lambda at: at.value), st.sampled_from(["", "tasks"])),
)
@example(label="e\u0301", target="https://p.example/e\u0301", place="matters")
def test_whatever_the_input_no_two_judges_disagree(
    session: Session, firm: Firm, label: str, target: str, place: str
) -> None:
    accepted = judged(label, target, place) != ERROR
    assert is_taken_by_the_manifest(label, target, place) == accepted
    assert is_taken_by_the_session(session, label, target, place) == accepted
    assert is_taken_by_the_plan(firm, label, target, place) == accepted


@given(PIECES.map("https://p.example".__add__))
def test_the_canonical_form_of_a_canonical_url_is_itself(url: str) -> None:
    assert canonical(canonical(url)) == canonical(url)
    assert same_url(url, canonical(url))


SAME = [
    ("https://p.example", "https://p.example/"),
    ("https://p.example", "HTTPS://P.EXAMPLE:443/"),
    ("http://p.example:80", "http://p.example"),
    ("https://m\u00fcnchen.example/\u00fc", "https://xn--mnchen-3ya.example/%c3%BC"),
    ("https://p.example/%7ea%2fb", "https://p.example/~a%2Fb"),
    ("https://p.example/launch?", "https://p.example/launch"),
    ("https://p.example/launch#", "https://p.example/launch"),
    ("https://p.example/{id}", "https://p.example/%7Bid%7d"),
    ("https://p.example?it's", "https://p.example/?it%27s"),
    ("https://[0:0:0:0:0:0:0:1]/", "https://[::1]"),
]
OTHER = [
    (GOOD, f"{GOOD}/"),
    (GOOD, GOOD.upper()),
    (GOOD, GOOD.replace("https", "http")),
    (GOOD, GOOD.replace("p.example", "p.example.")),
    (GOOD, GOOD.replace("p.example", "p.example:8443")),
    ("https://p.example/a%2Fb", "https://p.example/a/b"),
    ("https://p.example/?a=1&b=2", "https://p.example/?b=2&a=1"),
    ("https://p.example/?a+b", "https://p.example/?a%2Bb"),
    ("https://p.example/#a", "https://p.example/#b"),
    ("not a url", "not a URL"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_two_spellings_of_one_request_are_the_same_url(one: str, other: str) -> None:
    assert same_url(one, other)
    assert same_url(other, one)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_what_may_be_another_request_is_another_url(one: str, other: str) -> None:
    assert not same_url(one, other)


@pytest.mark.parametrize("label", ["Sign  now", " Sign now", "Sign now\u00a0", "Sign\u3000now"])
def test_labels_that_a_menu_shows_alike_are_the_same(label: str) -> None:
    assert same_label(label, "Sign now")
    assert not same_label(label, "Sign Now")
    assert same_label(unicodedata.normalize("NFD", "\u00dcben"), "\u00dcben")


def test_a_saved_plan_that_was_changed_is_judged_when_it_is_applied(site: Sandbox, firm: Firm, tmp_path) -> None:
    firm.plan(manifest_of(LABEL, GOOD, "matters")).save(tmp_path / "plan.json")
    text = (tmp_path / "plan.json").read_text()
    (tmp_path / "plan.json").write_text(text.replace(GOOD, f"{GOOD}?user_id=7"))
    with pytest.raises(InvalidAction, match="have it twice"):
        firm.apply(Plan.load(tmp_path / "plan.json"), progress=False)
    assert firm.actions().empty


def test_what_was_applied_before_there_was_a_judge_can_be_found_told_about_and_replaced(
    site: Sandbox, firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older version wrote what is an error now: its run is still told of, and its URL can stand under formerly."""
    broken = f"{GOOD}?user_id=7"
    with monkeypatch.context() as old:
        for module in ("session", "firm.apply.apply"):
            old.setattr(f"clio_nb.{module}.check", lambda **_: None)
        old.setattr(Manifest, "findings", lambda *_: [])
        result = firm.apply(firm.plan(manifest_of(LABEL, broken, "matters")), progress=False)
        assert result
    assert len(firm.audit(result.run)) == 2
    assert result.run in set(firm.runs()["run"])
    mended = parse_manifest(
        f'[app]\nname = "partner"\n[[actions]]\nkey = "sign"\nlabel = "{LABEL}"\ntarget_url = "{GOOD}"\n'
        f'locations = ["matters"]\nformerly = ["{broken}"]'
    )
    plan = firm.plan(mended)
    assert plan.counts() == {"update": 2}
    assert firm.apply(plan, progress=False)
    assert set(firm.actions()["target_url"]) == {GOOD}
    assert firm.offboard(progress=False)


def test_the_same_label_twice_in_a_location_is_noted_once_and_never_written_twice(firm: Firm) -> None:
    (one,) = manifest_of("Sign now", GOOD, "matters").actions
    twin = msgspec.structs.replace(one, key="twin", label="Sign  now", target_url=f"{GOOD}/other")
    plan = firm.plan(Manifest(app=AppOf("partner"), actions=(one, twin)))
    assert plan.counts() == {"create": 2, "blocked": 2}
    assert (
        "Action 'twin': action 'sign' has the same label on matters for the same users. Change one of the labels."
        in plan.notes
    )
