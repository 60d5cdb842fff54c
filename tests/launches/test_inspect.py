"""Inspecting a launch URL: the strict grammar of promises L1 to L4, L17 and L18, and what a person is shown."""

from __future__ import annotations

import json
import pickle
import re
import string
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clio_nb import launches
from clio_nb.launches import Launch, LaunchReport, inspect_launch
from clio_nb.models import Subject
from clio_nb.secret import Secret
from clio_nb.urls import URL_MAX
from clio_nb.vocabulary import MENUS, Location

NONCE = "nonce-0123456789abcdef"
VISIBLE = "".join(map(chr, range(0x21, 0x7F)))
TARGET = "https://partner.example/launch"
HOSTILE = json.loads(Path(__file__).with_name("hostile.json").read_text(encoding="utf-8"))
ID_MAX = 2**63 - 1


def query(action="11", user="22", subject="%2Fapi%2Fv4%2Fmatters%2F5", nonce=NONCE):
    return f"custom_action_id={action}&user_id={user}&subject_url={subject}&custom_action_nonce={nonce}"


def launch_url(target=TARGET, **values):
    return f"{target}?{query(**values)}"


def hostile_urls():
    for case, subjects in HOSTILE["subject_url"].items():
        yield from ((f"subject {case}", launch_url(subject=subject)) for subject in subjects)
    for text in HOSTILE["id"]:
        yield "action id", launch_url(action=text)
        yield "user id", launch_url(user=text)
    yield from (("nonce", launch_url(nonce=text)) for text in HOSTILE["nonce"])
    for case, queries in HOSTILE["query"].items():
        yield from ((case, f"{TARGET}?{text}") for text in queries)
    yield from (("url", url) for url in HOSTILE["url"])


HOSTILE_URLS = tuple(hostile_urls())


def short(value):
    return ascii(value)[:60] if isinstance(value, str) else None


# What is accepted


def test_a_launch_is_taken_apart():
    report = inspect_launch(launch_url(), target=TARGET)
    assert report
    assert report.ok
    assert report.reasons == ()
    assert report.launch == Launch(11, 22, Subject(Location.MATTERS, 5), Secret(NONCE))
    assert report.launch.nonce.reveal() == NONCE
    assert report.target == TARGET
    assert report.extras == ()


@pytest.mark.parametrize("location", Location, ids=str)
def test_each_of_the_five_record_types_is_launched_from_its_own_places(location):
    report = inspect_launch(launch_url(subject=quote(f"/api/v4/{location.resource}/5", safe="")))
    assert report.launch.subject == Subject(location, 5)
    assert report.menus == tuple(menu for menu in MENUS if menu.location is location)


@pytest.mark.parametrize(
    "url",
    [
        launch_url(subject="/api/v4/matters/5"),
        launch_url(subject="%2fapi%2fv4%2fmatters%2f5"),
        launch_url(subject="%2Fapi%2Fv4%2Fmatters%2F5.json"),
        launch_url(subject="%2Fapi%2Fv4%2Fmatters%2F%35"),
        launch_url(user=str(ID_MAX), action="1", subject=f"/api/v4/folders/{ID_MAX}"),
        launch_url(nonce="a" * 8),
        launch_url(nonce="a" * 512),
        launch_url(nonce=string.ascii_letters + string.digits + "-._~"),
        launch_url("http://127.0.0.1:8000/"),
        launch_url("http://localhost:8000"),
        launch_url("https://partner.example"),
        launch_url("https://[::1]:8443/launch"),
        launch_url("https://xn--bcher-kva.example/a/b;c=d/"),
        launch_url("HTTPS://Partner.Example/launch"),
        f"{TARGET}?" + "&".join(reversed(query().split("&"))),
        f"{TARGET}?%73ubject_url=/api/v4/matters/5&user%5Fid=22&custom_action_id=11&custom_action_nonce={NONCE}",
        f"{TARGET}?tenant=7&{query()}",
        f"{TARGET}?&{query()}&",
        f"{TARGET}?{query()}&USER_ID=9&user_id[]=9&x=%FF&empty=&bare",
        f"{TARGET}?{query()}#/section",
    ],
    ids=short,
)
def test_every_genuine_spelling_is_accepted(url):
    assert inspect_launch(url), inspect_launch(url).reasons


@given(
    location=st.sampled_from(list(Location)),
    record_id=st.integers(1, ID_MAX),
    action_id=st.integers(1, ID_MAX),
    user_id=st.integers(1, ID_MAX),
    nonce=st.text(VISIBLE, min_size=1, max_size=2048),
    random=st.randoms(use_true_random=False),
)
def test_what_is_accepted_is_exactly_what_was_sent(location, record_id, action_id, user_id, nonce, *, random):
    subject = quote(f"/api/v4/{location.resource}/{record_id}", safe="")
    pieces = query(str(action_id), str(user_id), subject, quote(nonce, safe="+")).split("&")
    random.shuffle(pieces)
    report = inspect_launch(f"{TARGET}?" + "&".join(pieces), target=TARGET)
    assert report.launch == Launch(action_id, user_id, Subject(location, record_id), Secret(nonce))


# L1, L2, L3, L17, L18: what is refused


def test_the_list_of_hostile_urls_is_long_and_has_no_doubles():
    assert len({url for _, url in HOSTILE_URLS}) == len(HOSTILE_URLS) >= 200


@pytest.mark.parametrize(("case", "url"), HOSTILE_URLS, ids=short)
def test_a_hostile_url_is_refused_with_a_reason(case, url):
    report = inspect_launch(url)
    assert not report, case
    assert report.launch is None
    assert report.reasons
    assert all(reason.isprintable() and reason.endswith(".") for reason in report.reasons)
    assert NONCE not in everything_shown(report)


@pytest.mark.parametrize(
    ("subject", "word"),
    [
        ("%40evil.example%2Fx", "host"),
        ("%2F%2Fevil.example%2Fapi%2Fv4%2Fmatters%2F5", "host"),
        ("https%3A%2F%2Fevil.example", "host"),
        ("%2Fapi%2Fv4%2Fmatters%2F5%3Fx%3D1", "swallow the nonce"),
        ("%2Fapi%2Fv4%2Fmatters%2F5%23", "swallow the nonce"),
        ("%2Fapi%2Fv4%2Fmatters%2F..%2Fusers%2F5", "dot segments"),
        ("%252Fapi%252Fv4%252Fmatters%252F5", "encoded more than once"),
        ("%2Fapi%2Fv4%2Fusers%2F5", "not name an activity"),
        ("%2Fapi%2Fv3%2Fmatters%2F5", "version 4"),
        ("%2Fapi%2Fv4%2Fmatters%2F05", "id of one record"),
        ("%2Fapi%2Fv4%2Fmatters%2F5%0A", "control character"),
    ],
)
def test_the_reason_says_what_is_wrong_with_the_subject(subject, word):
    (reason,) = inspect_launch(launch_url(subject=subject)).reasons
    assert reason.startswith("subject_url ")
    assert word in reason


@pytest.mark.parametrize("subject", HOSTILE["subject_url"]["names another host"], ids=short)
def test_l1_a_subject_that_names_another_host_is_refused(subject):
    report = inspect_launch(launch_url(subject=subject))
    assert not report
    assert "subject_url" in {part.name for part in report.parts if not part.ok} or not report.parts


@pytest.mark.parametrize(
    "case", [case for case in HOSTILE["subject_url"] if case != "names another host"], ids=lambda case: case
)
def test_l2_a_subject_that_is_not_exactly_one_record_is_refused(case):
    for subject in HOSTILE["subject_url"][case]:
        assert not inspect_launch(launch_url(subject=subject)), subject


@pytest.mark.parametrize("case", ["missing", "empty", "doubled"])
def test_l3_a_parameter_that_is_missing_empty_or_doubled_is_refused_by_name(case):
    for text in HOSTILE["query"][case]:
        report = inspect_launch(f"{TARGET}?{text}")
        assert not report, text
        assert {"missing": "is missing", "empty": "is empty", "doubled": "times"}[case] in " ".join(report.reasons)


@pytest.mark.parametrize("name", ["custom_action_id", "user_id", "subject_url", "custom_action_nonce"])
def test_l17_a_name_counts_after_one_decoding_and_no_more(name):
    once = launch_url().replace(name, f"%{ord(name[0]):02x}{name[1:]}")
    again = launch_url().replace(name, f"%25{ord(name[0]):02x}{name[1:]}")
    assert inspect_launch(once).launch == inspect_launch(launch_url()).launch
    assert f"{name} is missing" in inspect_launch(again).reasons[0]
    value = launch_url().partition(f"{name}=")[2].partition("&")[0]
    doubled = inspect_launch(f"{launch_url()}&%{ord(name[0]):02x}{name[1:]}={value}")
    assert f"{name} appears 2 times" in doubled.reasons[0]


def test_l17_a_value_is_decoded_once_and_a_plus_is_a_space():
    assert inspect_launch(launch_url(user="%32%32")).launch.user_id == 22
    assert not inspect_launch(launch_url(user="%2532%2532"))
    assert not inspect_launch(launch_url(user="+22"))
    assert inspect_launch(f"{launch_url()}&own=a+b%2Bc").extras == (("own", "a b+c"),)


def test_l17_names_that_are_not_clios_are_ignored():
    strange = "USER_ID=9&user_id[]=9&user-id=9&=9&nonce=x&%00=1&%FF=%FF"
    assert inspect_launch(f"{launch_url()}&{strange}").launch == inspect_launch(launch_url()).launch


@pytest.mark.parametrize("name", ["action", "user"])
def test_l18_an_id_is_a_positive_whole_number_up_to_int64_in_ascii_digits(name):
    assert inspect_launch(launch_url(**{name: "1"}))
    assert inspect_launch(launch_url(**{name: str(ID_MAX)}))
    for text in HOSTILE["id"]:
        assert not inspect_launch(launch_url(**{name: text})), text


@pytest.mark.parametrize(
    "raw", ["q83vEjRWeJCrze8SNFZ4kA==", "q83vEjRWeJCrze8SNFZ4kA%3D%3D", "q83vEjRWeJCrze8SNFZ4kA%3d="]
)
def test_l18_a_nonce_in_base64_is_taken_encoded_or_not(raw):
    assert inspect_launch(launch_url(nonce=raw)).launch.nonce.reveal() == "q83vEjRWeJCrze8SNFZ4kA=="


@pytest.mark.parametrize("char", VISIBLE)
def test_l18_any_visible_ascii_character_may_be_in_a_nonce(char):
    assert inspect_launch(launch_url(nonce=f"%{ord(char):02X}")).launch.nonce.reveal() == char
    if char not in "&#%":  # all others a browser may send as they are
        assert inspect_launch(launch_url(nonce=f"a{char}b")).launch.nonce.reveal() == f"a{char}b"


def test_l18_a_plus_in_a_nonce_is_a_plus_and_anywhere_else_a_space():
    for nonce in ("a+b%2Bc", "a%2bb+c"):
        assert inspect_launch(launch_url(nonce=nonce)).launch.nonce.reveal() == "a+b+c"
    assert inspect_launch(f"{launch_url()}&own=a+b").extras == (("own", "a b"),)
    assert inspect_launch(launch_url().replace("custom_action_nonce=", "custom%5Faction_nonce=+")).launch


def test_l18_a_nonce_is_decoded_once():
    assert inspect_launch(launch_url(nonce="a%252Bb")).launch.nonce.reveal() == "a%2Bb"


@pytest.mark.parametrize("char", ["x", "%3D", "%25"])
def test_l18_a_nonce_has_1_to_2048_characters_however_they_are_encoded(char):
    assert inspect_launch(launch_url(nonce=char))
    assert inspect_launch(launch_url(nonce=char * 2048))
    for text in (char * 2049, ""):
        assert "custom_action_nonce" in inspect_launch(launch_url(nonce=text)).reasons[0]


@pytest.mark.parametrize("text", HOSTILE["nonce"], ids=short)
def test_l18_what_is_no_visible_ascii_is_refused(text):
    report = inspect_launch(launch_url(nonce=text))
    assert report.reasons == (
        "custom_action_nonce is not visible ASCII text of 1 to 2,048 characters. Click the action in Clio again.",
    )


@pytest.mark.parametrize("place", ["/laun\\ch", "\\launch", "/launch\\"], ids=ascii)
def test_l18_a_backslash_counts_in_the_query_only(place):
    assert not inspect_launch(f"https://partner.example{place}?{query()}")
    assert inspect_launch(f"{launch_url()}&own=a\\b").extras == (("own", "a\\b"),)


def test_all_that_is_wrong_is_told_at_once():
    report = inspect_launch(
        f"{TARGET}?custom_action_id=0&user_id=1&user_id=2&subject_url=x", target="https://other.example"
    )
    assert [reason.split()[0] for reason in report.reasons] == [
        "The",
        "custom_action_id",
        "user_id",
        "subject_url",
        "custom_action_nonce",
    ]


@pytest.mark.parametrize(
    "value", [None, 5, b"https://partner.example/launch", [], object(), 1.5], ids=lambda value: type(value).__name__
)
def test_what_is_no_text_is_a_refusal_and_not_an_error(value):
    assert not inspect_launch(value)
    assert not inspect_launch(launch_url(), target=value if value is not None else b"")


@given(st.text(max_size=200))
@example("https://partner.example/launch?" + "&" * 50)
def test_any_text_gets_an_answer(text):
    for report in (inspect_launch(text), inspect_launch(launch_url(), target=text), inspect_launch(f"{TARGET}?{text}")):
        assert isinstance(report, LaunchReport)
        assert json.loads(json.dumps(report.to_dict()))["ok"] is bool(report)
        assert bool(report) is not bool(report.reasons)


@given(st.text(), st.sampled_from(["action", "user", "subject", "nonce"]))
def test_a_value_outside_the_grammar_is_never_repaired_into_one_inside(text, name):
    report = inspect_launch(launch_url(**{name: quote(text, safe="", errors="surrogatepass")}))
    if report:
        launches = report.launch
        said = {
            "action": [str(launches.custom_action_id)],
            "user": [str(launches.user_id)],
            "subject": [launches.subject.path, f"{launches.subject.path}.json"],
            "nonce": [launches.nonce.reveal()],
        }
        assert text in said[name]


MUTANTS = st.tuples(
    st.integers(0, 300), st.sampled_from(["", *string.printable, "%00", "%2F", "٥", "\u202e", "\ud800"])
)


@given(st.lists(MUTANTS, min_size=1, max_size=3))
def test_a_genuine_url_with_characters_changed_is_refused_or_still_says_what_stands_there(mutants):
    url = launch_url()
    for place, text in mutants:
        url = url[:place] + text + url[place + 1 :]
    if report := inspect_launch(url):
        assert report.launch.subject.path.rpartition("/")[2] in url.replace("%35", "5")
        assert str(report.launch.user_id) in url
    assert NONCE not in repr(report)


@pytest.mark.parametrize(
    "url",
    [
        "https://" + "a." * 500_000,
        launch_url(subject="%2F" * 1_000_000),
        launch_url(user="9" * 1_000_000),
        f"{TARGET}?" + "user_id=1&" * 200_000,
        f"{TARGET}?" + "&" * 1_000_000,
        "%" * 1_000_000,
    ],
    ids=short,
)
def test_l3_a_huge_url_is_refused_in_bounded_time_and_memory(url):
    tracemalloc.start()
    started = time.thread_time()
    try:
        report = inspect_launch(url, target=url)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert not report
    assert peak < 100_000
    assert time.thread_time() - started < 0.1


def test_l3_the_bounds_of_length_and_port_are_where_they_are_said_to_be():
    room = URL_MAX - len(f"{launch_url()}&own=")
    assert inspect_launch(f"{launch_url()}&own={'x' * room}")
    assert not inspect_launch(f"{launch_url()}&own={'x' * (room + 1)}")
    assert inspect_launch(launch_url("https://partner.example:65535/launch"))
    assert not inspect_launch(launch_url("https://partner.example:65536/launch"))


@pytest.mark.parametrize("filler", ["a=1&", "%61&", "user_id&", "a.", "%2F", "/", "[", ":", "=", "#", "?"])
def test_the_longest_url_that_is_looked_at_takes_no_more_than_milliseconds(filler):
    url = (TARGET + "?" + filler * 8192)[:8190].rstrip("%2")
    started = time.thread_time()
    report = inspect_launch(url, target=TARGET)
    repr(report), report.parts, report._repr_html_()
    assert time.thread_time() - started < 0.5


# L4: the registered target


@pytest.mark.parametrize(
    ("target", "url"),
    [
        ("https://partner.example", launch_url("https://partner.example/")),
        ("https://partner.example:443/launch", launch_url()),
        ("https://PARTNER.example/launch", launch_url()),
        ("https://partner.example/launch?tenant=7", f"{TARGET}?tenant=7&{query()}"),
        ("https://partner.example/launch?tenant=7", f"{TARGET}?{query()}&tenant=7"),
        ("https://partner.example/launch?a=1&a=2", f"{TARGET}?a=1&a=2&{query()}"),
        ("https://partner.example/launch#top", launch_url()),
        ("https://partner.example/launch", f"{TARGET}?{query()}&utm=1"),
    ],
)
def test_a_launch_at_its_registered_target_is_accepted(target, url):
    assert inspect_launch(url, target=target), inspect_launch(url, target=target).reasons


@pytest.mark.parametrize(
    ("target", "word"),
    [
        ("http://partner.example/launch", "scheme differs"),
        ("https://partner.example.evil/launch", "host differs"),
        ("https://other.example/launch", "host differs"),
        ("https://partner.example:8443/launch", "port differs"),
        ("https://partner.example/other", "path differs"),
        ("https://partner.example/launch/", "path differs"),
        ("https://partner.example/Launch", "path differs"),
        ("https://partner.example/launch?tenant=8", "tenant"),
        ("https://partner.example/launch?tenant=7&tenant=7", "tenant"),
        ("https://partner.example/launch?other=7", "other"),
        ("/launch", "The target to compare with is not a URL."),
        ("", "The target to compare with is not a URL."),
        (7, "The target to compare with is not a URL."),
        (f"{TARGET}?own=" + "x" * URL_MAX, "The target to compare with is not a URL."),
    ],
)
def test_l4_a_launch_that_does_not_fit_its_target_is_refused(target, word):
    report = inspect_launch(f"{TARGET}?tenant=7&{query()}", target=target)
    assert not report
    assert word in report.reasons[0]


def test_l4_a_target_of_the_greatest_length_is_compared():
    target = f"{TARGET}?own=".ljust(URL_MAX, "x")
    assert "parameter own is missing" in inspect_launch(f"{TARGET}?{query()}", target=target).reasons[0]


def test_l4_the_targets_own_parameters_are_kept_apart():
    own = "tenant=7&q=a%20b+c&empty="
    report = inspect_launch(f"{TARGET}?{own}&{query()}#top")
    assert report.target == f"{TARGET}?{own}#top"
    assert report.extras == (("tenant", "7"), ("q", "a b c"), ("empty", ""))
    assert [part.name for part in report.parts[1:4]] == ["tenant", "q", "empty"]


# What is shown


def everything_shown(report):
    return " ".join([repr(report), str(report), report._repr_html_(), json.dumps(report.to_dict()), str(report.parts)])


def test_the_json_is_the_terminal_contract():
    report = inspect_launch(launch_url(subject="%2Fapi%2Fv4%2Fmatters%2F5.json"))
    assert report.to_dict() == {
        "ok": True,
        "reasons": [],
        "launch": {
            "custom_action_id": 11,
            "user_id": 22,
            "subject_url": "/api/v4/matters/5",
            "resource": "matters",
            "record_id": 5,
        },
    }
    refused = inspect_launch(f"{TARGET}?x=1").to_dict()
    assert refused["ok"] is False
    assert refused["launch"] is None
    assert len(refused["reasons"]) == 4


def test_every_part_is_explained():
    parts = {part.name: part for part in inspect_launch(f"{TARGET}?tenant=7&{query()}").parts}
    assert list(parts) == ["target", "tenant", "custom_action_id", "user_id", "subject_url", "custom_action_nonce"]
    assert "Matter 5" in parts["subject_url"].meaning
    assert "matters table, dropdown beside Edit" in parts["subject_url"].meaning
    assert parts["custom_action_nonce"].value == f"{len(NONCE)} characters (hidden)"
    broken = {part.name: part for part in inspect_launch(f"{TARGET}?tenant=7&{query(user='x')}").parts}
    assert [name for name, part in broken.items() if not part.ok] == ["user_id"]
    assert broken["user_id"].value == "x"


@pytest.mark.parametrize(
    "text",
    [
        query(),
        f"{query()}&custom_action_nonce=other-secret-nonce-{NONCE}",
        f"{query()}&copy={NONCE}&{NONCE}=copy",
        query(user=NONCE, action=NONCE, subject=NONCE),
        query(nonce="x").replace("custom_action_nonce=x", f"CUSTOM_ACTION_NONCE={NONCE}"),
        query(subject=f"%2Fapi%2Fv4%2Fmatters%2F5%3Fcustom_action_nonce%3D{NONCE}", nonce=""),
        query(user=f"22%26custom_action_nonce%3D{NONCE}"),
        f"custom_action_nonce%5B%5D={NONCE}",
        f"x=1#custom_action_nonce={NONCE}",
    ],
    ids=short,
)
def test_a_report_never_shows_the_nonce(text):
    for url in (f"{TARGET}?{text}", f"{TARGET}/custom_action_nonce={NONCE}?{text}", f"{TARGET}/{text}", text):
        assert NONCE not in everything_shown(inspect_launch(url))


@pytest.mark.parametrize("nonce", ["q83v+EjR/WeJCrze8==", "a&b#c%d;e=f+g", "100%25+1", "<b>\\'\""], ids=ascii)
def test_l18_no_copy_of_a_nonce_of_any_alphabet_is_shown(nonce):
    once = quote(nonce, safe="")
    for copy in (
        once,
        quote(once, safe=""),
        quote(quote(once, safe=""), safe=""),
        once.replace("%2B", "+"),
        re.sub("%..", lambda hexed: hexed[0].lower(), once),
    ):
        for url in (
            launch_url(nonce=once) + f"&copy={copy}",
            launch_url(nonce=once) + f"&{copy}=copy",
            launch_url(nonce=once, target=f"{TARGET}/{copy}"),
            launch_url(nonce=once, user=copy),
            launch_url(nonce=once, subject=copy),
        ):
            said = everything_shown(inspect_launch(url))
            assert not [text for text in (nonce, once, copy) if text in said], url


def test_a_report_of_a_launch_is_not_pickled_since_it_holds_the_nonce():
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(inspect_launch(launch_url()))


def test_the_html_escapes_what_the_url_says():
    html = inspect_launch(f"{TARGET}/<i>?<b>=<script>alert(1)</script>&{query(user='<img>')}")._repr_html_()
    assert "<script" not in html
    assert "<img" not in html
    assert "<b>" not in html
    assert "&lt;img&gt;" in html


@pytest.mark.parametrize(
    ("use", "unwanted"),
    [
        ("launch.inspect_launch('x')", ["pandas", "ipywidgets", "starlette", "uvicorn", "httpx"]),
        (
            "import clio_nb; clio_nb.lint(('Sign', 'x', 'matters'))",
            ["pandas", "ipywidgets", "starlette", "uvicorn", "httpx"],
        ),
        ("launch.verify_launch('x', [])", ["pandas", "ipywidgets", "starlette", "uvicorn"]),
        ("import clio_nb.web.asgi, clio_nb.web.wsgi", ["pandas", "ipywidgets", "starlette", "uvicorn"]),
        ("import clio_nb.probe; launch.inbox, launch.replay", ["pandas", "ipywidgets", "starlette", "uvicorn"]),
    ],
)
def test_the_launch_room_loads_only_what_it_needs(use, unwanted):
    code = f"import sys, clio_nb.launches as launch\n{use}\nprint([name for name in {unwanted} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert answer.stdout.strip() == "[]"


def test_every_public_name_of_the_launch_room_is_there():
    assert [name for name in launches.__all__ if not hasattr(launches, name)] == []
    assert set(launches.__all__) <= set(dir(launches))
    assert callable(launches.inbox)
    with pytest.raises(AttributeError, match="attribute nothing"):
        launches.nothing  # noqa: B018 -- the access is what is tested


@pytest.mark.parametrize(
    ("subject", "begins"), [("%2Fapi%2Fv4%2Fmatters%2F5", "A launch:"), ("elsewhere", "Refused: ")]
)
def test_a_printed_report_explains_every_part_and_shows_no_nonce(subject, begins):
    report = inspect_launch(launch_url(subject=subject))
    assert str(report).startswith(begins)
    assert all(part.name in str(report) and part.meaning in str(report) for part in report.parts)
    assert NONCE not in str(report)
