"""Noise of every kind: never a 500, never a hang, always Clio's status and error body.

Schemathesis drives the sandbox with Clio's own document; Hypothesis aims at what a parser has to stand.
"""

from __future__ import annotations

import json
from collections import Counter
from urllib.parse import quote

import hypothesis
import hypothesis.strategies as st
import pytest
import requests
import schemathesis
from schemathesis import GenerationMode

from clio_nb.sandbox import Sandbox

from .conftest import ACTION, CONTRACT, Caller, data
from .contract import MISSING

EACH_OPERATION = 60
EACH_AIM = 120
AIMS = 6
MORE = 4
"""So many requests for each operation of the document and for each aim of our own; so many times more in a long run."""

PATIENCE = 60.0  # seconds, for a machine that is busy; an answer takes milliseconds

base = hypothesis.settings(
    deadline=None,
    database=None,
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate, hypothesis.Phase.shrink],
    suppress_health_check=list(hypothesis.HealthCheck),
)


@pytest.fixture(params=[1, pytest.param(MORE, marks=pytest.mark.long)], ids=["few", "many"])
def fuzz(request):
    """How much of it a run takes."""
    return hypothesis.settings(base, max_examples=EACH_AIM * request.param)


@pytest.fixture(params=[1, pytest.param(MORE, marks=pytest.mark.long)], ids=["few", "many"])
def drive(request):
    return hypothesis.settings(base, max_examples=EACH_OPERATION * request.param)


@pytest.fixture
def site():
    with Sandbox(rate_limit=None) as site:
        yield site


@pytest.fixture
def caller(site):
    """A caller whose every answer is held against Clio's document."""
    with Caller(site, site.users[0].id) as caller:
        caller.timeout = PATIENCE
        action = data(caller.create())
        for number in range(5):
            caller.create(label=f"L{number}")
        caller.action = action
        yield caller


def settle(answer, seen):
    """Check an answer that noise got, and count it."""
    seen[answer.status_code] += 1
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.json()["error"]


names = st.sampled_from(
    ["id", "etag", "client", "matter", "label", "user", "name", "{", "}", ",", " ", "é", "\x00", "id{"]
)
noise = st.text(max_size=40) | st.lists(names, max_size=12).map("".join) | st.lists(names, max_size=12).map(",".join)
collections = st.sampled_from(["custom_actions", "users", "activities", "contacts", "documents", "folders", "matters"])


def test_any_fields(caller, fuzz):
    seen: Counter[int] = Counter()

    @fuzz
    @hypothesis.given(collections, noise)
    def run(resource, fields):
        settle(caller.get(resource, params={"fields": fields}), seen)

    run()
    assert seen.keys() == {200, 400}
    assert seen.total() >= fuzz.max_examples


values = (
    st.text(max_size=20)
    | st.integers().map(str)
    | st.sampled_from(
        [
            "",
            "true",
            "-1",
            "1e9",
            "id(asc)",
            "id(desc)",
            "2026-01-15T17:00:00Z",
            "0001-01-01T00:00:00+14:00",
            "9999-12-31",
            "open",
        ]
    )
)
parameters = st.sampled_from(
    [
        "limit",
        "offset",
        "order",
        "page_token",
        "ids[]",
        "created_since",
        "updated_since",
        "enabled",
        "status",
        "role",
        "open_date[]",
        "client_id",
        "parent_id",
        "scope",
        "query",
        "name",
        "initial",
        "type",
        "custom_action_nonce",
    ]
)


def test_any_query(caller, fuzz):
    seen: Counter[int] = Counter()

    @fuzz
    @hypothesis.given(collections, st.lists(st.tuples(parameters | st.text(max_size=8), values), max_size=5))
    def run(resource, query):
        settle(caller.get(resource, params=query), seen)

    run()
    assert {200, 400} <= seen.keys() <= {200, 400, 403, 422}
    assert seen.total() >= fuzz.max_examples


def test_any_page_token(caller, fuzz):
    seen: Counter[int] = Counter()
    true = caller.get("users", params={"limit": 1}).json()["meta"]["paging"]["next"].rpartition("=")[2]
    tokens = (
        st.text(max_size=60) | st.text("AaZz09-_=", max_size=120) | st.integers(0, len(true)).map(lambda n: true[:n])
    )
    swapped = st.tuples(st.integers(0, len(true) - 1), st.sampled_from("Aa9_")).map(
        lambda change: true[: change[0]] + change[1] + true[change[0] + 1 :]
    )

    @fuzz
    @hypothesis.given(tokens | swapped)
    @hypothesis.example(true)
    def run(token):
        settle(caller.get("users", params={"limit": 1, "page_token": token}), seen)

    run()
    assert seen.keys() == {200, 400}
    assert seen.total() >= fuzz.max_examples


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
labels = json_values | st.just("Send") | st.text(min_size=1, max_size=40)
targets = json_values | st.sampled_from(
    ["https://partner.example/", "http://[::1]:80/", "https://x:99999/", "https://\x00"]
)
places = json_values | st.sampled_from(["matters/show", "contacts/show", "tasks/show"])
actions = st.fixed_dictionaries({}, optional={"label": labels, "target_url": targets, "ui_reference": places})
documents = json_values | st.fixed_dictionaries({"data": actions | json_values})


def test_any_json_body(caller, fuzz):
    seen: Counter[int] = Counter()

    @fuzz
    @hypothesis.given(documents, st.booleans())
    def run(document, create):
        headers = {"content-type": "application/json"}
        path = "custom_actions" if create else f"custom_actions/{caller.action['id']}"
        body = json.dumps(document).encode("utf-8", "surrogatepass")
        settle(caller.request("POST" if create else "PATCH", path, content=body, headers=headers), seen)

    run()
    assert {400, 422} <= seen.keys() <= {200, 201, 400, 422}
    assert seen.total() >= fuzz.max_examples


def test_any_bytes_of_any_media_type(caller, fuzz):
    seen: Counter[int] = Counter()
    kinds = st.sampled_from(
        [
            "application/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "multipart/form-data",
            "text/plain",
            "",
            "application/json; charset=utf-16",
            "multipart/form-data; boundary=",
        ]
    )
    pieces = st.sampled_from(
        [
            b"data[label]=x",
            b"&",
            b"data[",
            b"]",
            b"=",
            b"%",
            b"--x\r\n",
            b"--x--",
            b"\r\n\r\n",
            b"\x00",
            b'{"data":',
            b"}",
            b'Content-Disposition: form-data; name="data[label]"',
            b'; filename="f"',
            b"Content-Type: \xff",
        ]
    )
    bodies = st.binary(max_size=200) | st.lists(pieces, max_size=20).map(b"".join)

    @fuzz
    @hypothesis.given(kinds, bodies)
    def run(kind, body):
        settle(caller.post("custom_actions", content=body, headers={"content-type": kind}), seen)

    run()
    assert {400, 422} >= seen.keys()
    assert seen.total() >= fuzz.max_examples


def test_any_path_and_any_header(caller, fuzz):
    seen: Counter[int] = Counter()
    methods = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
    readable = st.characters(min_codepoint=33, max_codepoint=255, exclude_categories=["Cc"])
    latin = st.text(readable, max_size=30).map(lambda text: text.encode("latin-1"))
    headers = st.dictionaries(
        st.sampled_from(
            [
                "x-api-version",
                "if-match",
                "if-none-match",
                "if-modified-since",
                "x-forwarded-prefix",
                "cookie",
                "origin",
            ]
        ),
        latin,
        max_size=2,
    )

    @fuzz
    @hypothesis.given(methods, collections | st.just(""), st.text(max_size=20), headers)
    def run(method, resource, member, extra):
        answer = caller.request(method, f"{resource}/{quote(member, safe='{}/.')}", headers=extra)
        seen[answer.status_code] += 1
        assert answer.status_code < 500 or answer.status_code == 501, answer.text
        if answer.status_code >= 400 and method != "HEAD" and answer.request.url.path.startswith("/api/"):
            assert answer.json()["error"]

    run()
    assert 404 in seen
    assert seen.total() >= fuzz.max_examples


def cases(name: str, caller: Caller):
    """Cases for an operation of the document, half of them steered so that they get past the first check."""
    schema = schemathesis.openapi.from_dict(CONTRACT.document)
    [operation] = [
        found.ok() for found in schema.get_all_operations() if found.ok().definition.raw["operationId"] == name
    ]
    good, bad = (
        operation.as_strategy(generation_mode=mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    )
    resource = operation.path.strip("/").partition("/")[0].removesuffix(".json")
    known = (
        [data(caller.create(label="Own"))["id"]]
        if resource == "custom_actions"
        else caller.site._state.records(resource)
    )

    mostly = st.sampled_from([True, True, True, False])  # so that of each operation some cases get through

    @st.composite
    def steered(draw):
        case = draw(good | bad)
        if draw(mostly):
            case.headers.pop("X-API-VERSION", None)
            (case.query or {}).pop("fields", None)
        if case.path_parameters and draw(mostly):
            case.path_parameters["id"] = draw(st.sampled_from(list(known)))
        if isinstance(case.body, dict) and isinstance(case.body.get("data"), dict) and draw(mostly):
            case.body["data"].update(target_url=ACTION["target_url"], label=draw(st.text(min_size=1, max_size=34)))
        return case

    return steered()


@pytest.mark.skipif(CONTRACT is None, reason=MISSING)
@pytest.mark.parametrize("name", CONTRACT.implemented if CONTRACT else [])
def test_schemathesis_drives_the_sandbox_with_clios_own_document(caller, drive, name):
    seen: Counter[int] = Counter()
    headers = {"authorization": caller.headers["authorization"]}

    with requests.Session() as session:

        @drive
        @hypothesis.given(cases(name, caller))
        def run(case):
            answer = case.call(
                base_url=caller.site.api_url, headers=headers, session=session, timeout=PATIENCE, allow_redirects=False
            )
            seen[answer.status_code] += 1
            path, method = answer.request.path_url.partition("?")[0], answer.request.method
            told = {name: values[0] for name, values in answer.headers.items()}
            CONTRACT.judge(method, path, answer.status_code, told, answer.content)

        run()
    assert max(seen) < 500
    assert seen.total() >= drive.max_examples
    assert min(seen) < 300, "some of them got through"


@pytest.mark.skipif(CONTRACT is None, reason=MISSING)
def test_a_long_run_is_over_five_thousand_requests():
    assert MORE * (len(CONTRACT.implemented) * EACH_OPERATION + AIMS * EACH_AIM) >= 5_000
