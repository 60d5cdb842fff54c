"""Promise L18: a nonce of any visible ASCII reaches Clio as it was minted, by every way, and is shown nowhere."""

from __future__ import annotations

import http.client
import logging
from types import SimpleNamespace
from urllib.parse import quote, urlsplit

import pytest
from typer.testing import CliRunner

import clio_nb as clio
from clio_nb.cli import commands
from clio_nb.launches import inspect_launch, load_launch, replay, save_launch, verify_launch
from clio_nb.sandbox.world import nonces

from ..web.test_receiver import APPS

VISIBLE = "".join(map(chr, range(0x21, 0x7F)))
NONCES = {
    "base64": "q83vEjRWeJCrze8SNFZ4kA==",
    "base64 with all": "+/+/q83vEjRW+A==",
    "every visible character": VISIBLE,
    "what parts a query": "a&b#c;d=e?f&custom_action_id=1",
    "what looks encoded": "%41%2B+%20%252B%",
    "a signature": "v1:1768496400.5:eyJ1IjoxfQ==--a9~b8",
    "one character": "+",
    "as long as can be": "%+" * 1024,
}
RAW = VISIBLE.translate(dict.fromkeys(map(ord, "&#%")))


@pytest.fixture(params=NONCES.values(), ids=NONCES)
def nonce(request, monkeypatch):
    """What this Clio mints with the next clicks."""
    monkeypatch.setattr(nonces, "secrets", SimpleNamespace(token_urlsafe=lambda _: request.param))
    return request.param


def spellings(url, nonce):
    """The address as Clio may open it: encoded, or as a browser leaves it alone."""
    encoded = quote(nonce, safe="")
    assert url.endswith(f"custom_action_nonce={encoded}")
    yield url
    yield url.removesuffix(encoded) + quote(nonce, safe=RAW)


def get(origin, path):
    """Send a GET with this path and query, as they are."""
    parts = urlsplit(origin)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.getheader("location", ""), answer.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize("which", [0, 1], ids=["encoded", "raw"])
def test_l18_it_is_encoded_anew_when_it_is_sent(anna, nonce, which, caplog):
    caplog.set_level(logging.DEBUG)
    url = list(spellings(anna.click(), nonce))[which]
    report = inspect_launch(url, target="https://partner.example/launch")
    assert report.launch.nonce.reveal() == nonce
    verdict = verify_launch(url, anna.session)
    assert verdict, verdict.reason
    if len(nonce) > 3:
        said = (
            f"{report!r} {report._repr_html_()} {verdict!r} {verdict._repr_html_()} {verdict.to_dict()} {caplog.text}"
        )
        assert nonce not in said
        assert quote(nonce, safe="") not in said


@pytest.mark.parametrize("which", [0, 1], ids=["encoded", "raw"])
@pytest.mark.parametrize("kind", ["asgi", "wsgi"])
def test_l18_it_comes_through_the_doors_of_servers(anna, nonce, serve, kind, which):
    receiver = serve(APPS[kind](anna.session), kind)
    url = list(spellings(anna.click(), nonce))[which]
    status, moved, _ = get(receiver, f"/launch?{url.partition('?')[2]}")
    assert status == 303
    assert moved.startswith("/launch?clio_launch=")


@pytest.mark.parametrize("which", [0, 1], ids=["encoded", "raw"])
def test_l18_it_comes_through_the_inbox_a_replay_and_a_file(site, anna, nonce, which, tmp_path):
    with clio.inbox(site) as box:
        url = list(spellings(anna.click(), nonce))[which]
        assert get(box.url, f"/launch?{url.partition('?')[2]}")[0] == 303
        assert box[0].state == "verified"
        assert "custom_action_nonce=scrubbed-nonce" in save_launch(box[0], tmp_path / "launch.json").read_text()
        assert load_launch(tmp_path / "launch.json").to_dict() == box[0].report.launch.to_dict()
        assert "used" in verify_launch(url, anna.session).reason


def test_l18_a_replay_has_a_nonce_of_the_same_kind(site, anna, monkeypatch):
    numbers = iter(range(10))
    monkeypatch.setattr(nonces, "secrets", SimpleNamespace(token_urlsafe=lambda _: f"{next(numbers)}+{VISIBLE}"))
    with clio.inbox(site) as box:
        get(box.url, f"/launch?{anna.click().partition('?')[2]}")
        assert replay(box[0], box.url, site).status == 303
        assert [received.state for received in box] == ["verified", "verified"]


@pytest.mark.parametrize("which", [0, 1], ids=["encoded", "raw"])
def test_l18_the_terminal_takes_it_and_does_not_show_it(site, anna, nonce, which, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    url = list(spellings(anna.click(), nonce))[which]
    for words in (["launch", "inspect", "-"], ["launch", "verify", "-", "--site", site.origin]):
        answer = CliRunner().invoke(commands.app, words, input=f"{url}\n")
        assert answer.exit_code == 0, answer.output
        assert len(nonce) < 4 or nonce not in answer.output
