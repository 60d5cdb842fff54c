"""The HTTP steps of the page for other languages, replayed as they stand there against the sandbox."""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qsl, quote, urlsplit

import httpx
import pytest

import clio_nb as clio
from clio_nb.probe.mistakes import Mistake

from .page import ROOT, blocks_of

PAGE = ROOT / "docs" / "how-to" / "other-languages.md"
GIVEN = {
    "REDIRECT_URI": "https://app.example/clio/callback",
    "TARGET_URL": "https://app.example/launch",
    "STATE": "s" * 43,
}
WORD = re.compile(
    r"\b(?:NEW_)?(?:CLIENT|REDIRECT|TARGET|STATE|CODE|ACCESS|REFRESH|USER|ACCOUNT|ACTION|RECORD|NONCE)(?:_(?:ID|URI|URL|TOKEN|SECRET))?\b"
)


class Step:
    """One block: a request, an answer, or both."""

    def __init__(self, text):
        request, mark, answer = re.fullmatch(
            r"(.*?)(?:^HTTP/1\.1 (\d+)[^\n]*\n(.*))?", text, re.DOTALL | re.MULTILINE
        ).groups()
        first, _, rest = request.partition("\n")
        self.method, self.target = first.split()[:2] if first else ("", "")
        self.headers, self.body = headers_and_body(rest)
        self.status = int(mark) if mark else None
        self.answer_headers, self.answer = headers_and_body(answer or "")


def headers_and_body(text):
    head, _, body = text.partition("\n\n") if not text.startswith("\n") else ("", "", text)
    return dict(line.split(": ", 1) for line in head.splitlines()), body.strip()


class Replay:
    """Plays the browser and the app; ``said`` is what each word in capitals stands for, once it is known."""

    def __init__(self, site, told):
        self.site, self.told = site, told
        self.user = site.users[0]
        self.said = {**GIVEN, "CLIENT_ID": site.client_id, "CLIENT_SECRET": site.client_secret}
        self.came = "", b""  # what the browser, or Clio, brings to the app next
        self.http = httpx.Client(trust_env=False, timeout=60)

    def fill(self, text, change=lambda value: value):
        return WORD.sub(lambda word: change(self.said[word[0]]), text)

    def learn(self, pattern, value):
        """Hold a text against a pattern in which words stand for values, and remember those that are new."""
        names = WORD.findall(pattern)
        parts = [re.escape(part) for part in WORD.split(pattern)]
        found = re.fullmatch("".join(f"{part}(.+)" for part in parts[:-1]) + parts[-1], value, re.DOTALL)
        assert found, f"{pattern} is not {value}"
        for name, seen in zip(names, found.groups(), strict=True):
            assert self.said.setdefault(name, seen) == seen, f"{name} was {self.said[name]}, now it is {seen}"

    def hold(self, wanted, given):
        """Hold an answer against the JSON of the page, which names what matters of it."""
        if isinstance(wanted, dict):
            for name, value in wanted.items():
                assert name in given, f"{name} is not in {given}"
                self.hold(value, given[name])
        elif isinstance(wanted, list):
            assert len(wanted) == len(given)
        else:
            self.learn(str(wanted), str(given))

    def follow(self, step):
        if not step.method:
            self.browser_goes(self.fill(step.answer_headers["Location"], lambda value: quote(value, safe="")))
        elif step.headers["Host"] == "app.example":
            self.arrives(step)
        else:
            self.send(step)

    def browser_goes(self, location):
        """Follow the redirect to Clio, and press Allow."""
        page = self.http.get(location.replace("https://app.clio.com", self.site.origin))
        hidden = re.search(r'name="consent" value="([^"]+)"', page.text)[1]
        said = {"consent": hidden, "user_id": self.user.id, "decision": "allow"}
        self.came = self.http.post(f"{self.site.origin}/oauth/authorize", data=said).headers["location"], b""

    def arrives(self, step):
        """What the page says that the app gets is what it gets."""
        if step.method == "POST":
            self.site.revoke(self.user.id)
            path, body = self.told()
            assert path == step.target
            self.hold(read(step.body), json.loads(body))
            return
        if "launch" in step.target:
            self.came = (
                self.site.click(
                    self.user.id, int(self.said["ACTION_ID"]), self.site.records("matters")[0]["subject_url"]
                ),
                b"",
            )
        wanted, came = urlsplit(step.target), urlsplit(self.came[0])
        assert (wanted.path, "app.example") == (came.path, came.netloc)
        asked, given = dict(parse_qsl(wanted.query)), dict(parse_qsl(came.query))
        assert asked.keys() == given.keys()
        for name, pattern in asked.items():
            self.learn(pattern, given[name])

    def send(self, step):
        encoded = lambda value: quote(value, safe="")  # noqa: E731
        form = "urlencoded" in step.headers.get("Content-Type", "")
        headers = {name: self.fill(value) for name, value in step.headers.items() if name != "Host"}
        target = quote(self.fill(step.target, encoded), safe="/?&=,%")
        answer = self.http.request(
            step.method,
            self.site.origin + target,
            headers=headers,
            content=self.fill(step.body, encoded if form else lambda value: value),
        )
        assert answer.status_code == step.status, f"{step.method} {step.target}: {answer.status_code} {answer.text}"
        if step.answer:
            self.hold(read(step.answer), answer.json())


def read(text):
    """Read JSON in which a bare word stands for a number."""
    return json.loads(re.sub(rf'(?<!")({WORD.pattern})(?!")', r'"\1"', text))


@pytest.fixture
def told():
    """The app's deauthorization callback; gives what waits for Clio to call it."""
    came, there = [], threading.Event()

    class App(BaseHTTPRequestHandler):
        def do_POST(self):
            came.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()
            there.set()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), App) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()

        def wait():
            assert there.wait(60)
            return came[0]

        wait.url = f"http://127.0.0.1:{server.server_port}/clio/deauthorized"
        yield wait
        server.shutdown()
        thread.join()


@pytest.fixture
def replay(told):
    with clio.sandbox(redirect_uris=[GIVEN["REDIRECT_URI"]], deauthorization_url=told.url) as site:
        one = Replay(site, told)
        yield one
        one.http.close()


def steps():
    return [Step(block.text) for block in blocks_of(PAGE) if block.language == "http"]


def test_every_http_step_of_the_page_is_what_is_sent_and_answered(replay):
    journey = steps()
    assert len(journey) >= 12
    for step in journey:
        if "/oauth/deauthorize" in step.target:  # another user's, as the first has just taken the access back
            replay.said["ACCESS_TOKEN"] = replay.site.token(replay.site.users[1].id)["access_token"]
        replay.follow(step)
    sent = [(one["method"], one["path"]) for one in [*replay.site.oauth_requests, *replay.site.requests]]
    assert {
        (step.method, re.sub("RECORD_ID", replay.said["RECORD_ID"], step.target.partition("?")[0]))
        for step in journey
        if step.status and step.method
    } <= set(sent)


@pytest.mark.parametrize(
    ("number", "change"),
    [(1, ("clio/callback", "callback")), (2, ("code=CODE", "code=x")), (3, ("who_am_i", "me")), (5, ("201", "200"))],
)
def test_a_step_that_is_not_so_is_noticed(replay, number, change):
    texts = [block.text for block in blocks_of(PAGE) if block.language == "http"]
    for text in texts[:number]:
        replay.follow(Step(text))
    assert change[0] in texts[number]
    with pytest.raises(AssertionError):
        replay.follow(Step(texts[number].replace(*change)))


def test_each_of_the_five_mistakes_is_one_that_the_probe_names():
    table = PAGE.read_text().partition("## Five mistakes")[2].partition("\n## ")[0]
    named = [re.findall(r"`([a-z-]+)`", row.rpartition(" | ")[2]) for row in table.splitlines() if row.endswith("` |")]
    assert len(named) == 5
    assert all(names and set(names) <= set(Mistake) for names in named)
