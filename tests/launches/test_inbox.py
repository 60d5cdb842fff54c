"""The inbox: launches as they arrive, as a table, in a file, and once more with a fresh nonce."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import subprocess
import sys
import threading

import httpx
import pandas as pd
import pytest

import clio_nb as clio
from clio_nb import aio
from clio_nb.errors import InvalidInput, NotFound, PortBusy
from clio_nb.launches import inbox, load_launch, replay, save_launch
from clio_nb.launches.inbox import LAUNCHES_KEPT
from clio_nb.models import App, Subject
from clio_nb.secret import Secret
from clio_nb.vocabulary import Location, Region


@pytest.fixture
def box(site):
    with inbox(site) as opened:
        yield opened


@pytest.fixture
def click(site, anna, box):
    """Click an action that leads to the inbox."""

    def clicking(at="matters", number=0):
        return site.click_on(anna.id, box.url, at, number)

    return clicking


def test_a_launch_is_collected_and_proved_as_it_arrives(box, browser, click, anna):
    answer = browser.get(click())
    (received,) = box
    assert received.state == "verified"
    assert received.number == 1
    assert received.report.launch.user_id == anna.id
    assert received.at.tzinfo is dt.UTC
    assert 0 <= received.age < 5
    page = browser.send(answer.next_request)
    assert "Verified" in page.text
    assert "nonce" not in str(page.url)


def test_what_is_no_launch_is_collected_and_refused(box, browser):
    answer = browser.get(f"{box.url}?subject_url=@evil.example")
    assert answer.status_code == 403
    assert [received.state for received in box] == ["refused"]
    assert "subject_url names a host" in box[0].reason


def test_a_forged_launch_is_refused(box, browser, click):
    url = click()
    assert browser.get(url.replace(url.rpartition("=")[2], "forged-0123456789")).status_code == 403
    assert box[0].state == "refused"


def test_l16_a_reload_is_no_new_launch(box, browser, click, sent):
    url = click()
    page = browser.get(url, follow_redirects=True)
    sent()
    again = browser.get(url, follow_redirects=True)
    assert (again.url, again.text) == (page.url, page.text)
    assert len(box) == 1
    assert sent() == []


def test_l16_head_and_prefetch_are_no_launch(box, browser, click):
    url = click()
    assert browser.head(url).status_code == 405
    assert browser.get(url, headers={"sec-purpose": "prefetch"}).status_code == 503
    assert len(box) == 0
    for answer in (browser.get(url), browser.get(f"{box.url}/1"), browser.get(f"{box.url}/x")):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"


def test_launches_can_be_proved_by_hand(site, anna, browser, sent):
    with inbox(site, verify=False) as box:
        browser.get(site.click_on(anna.id, box.url))
        assert box[0].state == "unproved"
        assert box[0].verdict is None
        verdict = box.verify(box[0])
        assert verdict
        assert box[0].verdict is verdict
        assert box[0].state == "verified"


def test_a_verdict_is_not_replaced_by_that_of_a_spent_nonce(box, browser, click, sent):
    browser.get(click())
    first = box[0].verdict
    sent()
    assert box.verify(box[0]) is first
    assert box[0].state == "verified"
    assert sent() == []


def test_by_hand_its_minute_counts_from_arrival(site, anna, browser, clock, sent):
    with inbox(site, verify=False) as box:
        browser.get(site.click_on(anna.id, box.url))
        clock.now += 60
        sent()
        assert box.verify(box[0]).state == "expired"
        assert sent() == []


def test_sessions_of_ones_own_are_used(site, anna, ben, browser):
    with inbox(site, anna.session) as box:
        browser.get(site.click_on(ben.id, box.url))
        browser.get(site.click_on(anna.id, box.url))
        assert [received.state for received in box] == ["refused", "verified"]


def test_without_anything_to_prove_with_it_says_so(site):
    real = App(Region.US, "id", Secret("secret"))
    with pytest.raises(InvalidInput, match="sessions that can verify"):
        inbox(real)
    with inbox(real, verify=False) as box, pytest.raises(InvalidInput, match="has no sessions"):
        box.verify(None)


def test_whoever_asks_is_told_of_each_launch_and_of_its_verdict(box, browser, click):
    told, twice = [], threading.Event()

    def observer(received):
        told.append((received.number, received.state))
        if len(told) == 2:
            twice.set()

    stop = box.on_launch(observer)
    browser.get(click())
    assert twice.wait(60)
    assert told == [(1, "unproved"), (1, "verified")]
    stop()
    browser.get(click(number=1))
    assert len(told) == 2


def test_the_table_says_when_who_which_record_how_old_and_the_verdict(box, browser, click, anna, site):
    assert box.to_frame().empty
    browser.get(click())
    browser.get(f"{box.url}?x=1")
    frame = box.to_frame()
    assert frame.index.name == "number"
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == {
        "received_at": "datetime64[ns, UTC]",
        "user_id": "Int64",
        "user": "string",
        "action_id": "Int64",
        "action": "string",
        "subject": "string",
        "record": "string",
        "age": "Float64",
        "state": "category",
        "reason": "string",
    }
    assert box.to_frame().iloc[:0].dtypes.equals(frame.dtypes)
    first, second = frame.loc[1], frame.loc[2]
    assert (first["user_id"], first["state"]) == (anna.id, "verified")
    assert first["user"] == site.users[0].name
    assert first["record"] == site.records("matters")[0]["name"]
    assert first["subject"] == str(box[0].report.launch.subject)
    assert pd.isna(second["user_id"])
    assert second["state"] == "refused"


def test_nothing_that_is_shown_holds_the_nonce(box, browser, click):
    url = click()
    page = browser.get(url, follow_redirects=True)
    nonce = url.rpartition("=")[2]
    shown = [repr(box), repr(box[0]), box._repr_html_(), box.to_frame().to_csv(), page.text, str(page.url)]
    assert not any(nonce in text for text in shown)


def test_the_html_escapes_what_arrives(box, browser):
    browser.get(f"{box.url}?custom_action_id=<img>&user_id=<b>&subject_url=<script>")
    assert "<img>" not in box._repr_html_()
    assert "<script" not in box._repr_html_()


def test_it_listens_on_this_machine_only_and_to_its_own_name(box, browser):
    assert box.url.startswith("http://127.0.0.1:")
    assert browser.get(f"{box.url}?x=1", headers={"host": "rebound.example"}).status_code == 404
    assert browser.get(box.url.replace("/launch", "/other")).status_code == 404
    assert browser.get(box.url.replace("/launch", "/favicon.ico")).status_code == 404
    assert len(box) == 0


def test_behind_a_hub_the_url_leads_through_its_proxy(site, browser, monkeypatch):
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/alice/")
    with inbox(site, origin="https://hub.example") as box:
        assert box.url == f"https://hub.example/user/alice/proxy/{box.port}/launch"
        assert browser.get(f"http://127.0.0.1:{box.port}/launch", headers={"host": "hub.example"}).status_code == 403
        assert len(box) == 1
    monkeypatch.setenv("JUPYTERHUB_PUBLIC_URL", "https://said.example/user/alice/")
    with inbox(site) as box:
        assert box.url == f"https://said.example/user/alice/proxy/{box.port}/launch"
    monkeypatch.delenv("JUPYTERHUB_PUBLIC_URL")
    with inbox(site) as box:
        assert box.url == f"http://127.0.0.1:{box.port}/launch"


def test_a_port_can_be_chosen_and_a_busy_one_is_named(site, box):
    with pytest.raises(PortBusy, match=f"Port {box.port} is in use"):
        inbox(site, port=box.port)
    port = box.port
    box.close()
    box.close()
    with inbox(site, port=port) as another:
        assert another.port == port


def test_it_keeps_no_more_than_it_says(box):
    assert box._launches.maxlen == LAUNCHES_KEPT


# Saved launches


def test_a_saved_launch_holds_neither_nonce_nor_names(box, browser, site, anna, tmp_path):
    url = site.click_on(anna.id, f"{box.url}?client=Miller")
    browser.get(url)
    file = save_launch(box[0], tmp_path / "launch.json")
    text = file.read_text()
    assert url.rpartition("=")[2] not in text
    assert "Miller" not in text
    assert site.users[0].name not in text
    assert site.records("matters")[0]["name"] not in text
    said = json.loads(text)
    assert said["state"] == "verified"
    assert said["url"].endswith("custom_action_nonce=scrubbed-nonce")


def test_a_saved_launch_can_be_read_again(box, browser, click, tmp_path):
    browser.get(click())
    launch = load_launch(save_launch(box[0], tmp_path / "launch.json"))
    assert launch.to_dict() == box[0].report.launch.to_dict()


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"url": "x", "state": "verified", "received_at": "2026-01-15T17:00:00Z"}']
)
def test_a_file_that_is_none_is_refused(tmp_path, text):
    file = tmp_path / "launch.json"
    file.write_text(text)
    with pytest.raises(InvalidInput, match="is not a file that save_launch"):
        load_launch(file)


def test_a_refused_launch_is_neither_saved_nor_replayed(box, browser, site, tmp_path):
    browser.get(f"{box.url}?x=1")
    with pytest.raises(InvalidInput, match="can be saved"):
        save_launch(box[0], tmp_path / "launch.json")
    with pytest.raises(InvalidInput, match="can be replayed"):
        replay(box[0], box.url, site)


# Replay


def test_a_replay_has_a_fresh_nonce_and_is_verified(box, browser, click, site, tmp_path):
    browser.get(click())
    assert replay(box[0], box.url, site).status == 303
    assert replay(box[0].report.launch, box.url, site).status == 303
    assert replay(save_launch(box[0], tmp_path / "launch.json"), box.url, site).status == 303
    assert [received.state for received in box] == ["verified"] * 4
    assert len({received.report.launch.to_dict()["subject_url"] for received in box}) == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"nonce": False}, "custom_action_nonce is missing"),
        ({"user_id": 999_999}, "no token for user 999999"),
        ({"subject": "@evil.example/x"}, "names a host"),
        ({"subject": Subject(Location.CONTACTS, 1)}, ""),
    ],
    ids=str,
)
def test_a_replay_can_be_spoilt_on_purpose(box, browser, click, site, change, reason):
    browser.get(click())
    answer = replay(box[0], box.url, site, **change)
    assert answer.status == 403
    assert box[-1].state == "refused"
    assert reason in box[-1].reason


def test_a_replay_shows_no_nonce_and_follows_no_redirect(box, browser, click, site):
    browser.get(click())
    answer = replay(box[0], box.url, site)
    assert answer.location == "launch/2"
    assert repr(answer) == f"<Replayed to {box.url}: 303, moves to launch/2>"


@pytest.mark.parametrize(
    "to",
    [
        "https://partner.example/launch",
        "http://10.0.0.1/",
        "file:///etc/passwd",
        "x",
        "http://[",
        "http://127.0.0.1@evil.example/",
    ],
)
def test_a_replay_goes_to_this_machine_only(box, browser, click, site, to):
    browser.get(click())
    with pytest.raises(InvalidInput, match="must run on this machine"):
        replay(box[0], to, site)


def test_a_replay_needs_a_sandbox_and_what_it_knows(box, browser, click, site, anna):
    browser.get(click())
    with pytest.raises(InvalidInput, match="on a sandbox only"):
        replay(box[0], box.url, App(Region.US, "id", Secret("secret")))
    clio.delete_action(anna.session, box[0].report.launch.custom_action_id)
    with pytest.raises(NotFound):
        replay(box[0], box.url, site)


def test_an_inbox_that_nobody_closed_ends_with_the_process():
    code = "import clio_nb\nwith clio_nb.sandbox() as site: box = clio_nb.inbox(site)\nprint(len(box))"
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", code]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert (ended.stdout, ended.stderr) == ("0\n", "")


def test_an_awaited_inbox_proves_what_arrives_and_ends_with_its_block(site):
    async def story():
        async with await aio.inbox(site, verify=False) as box:
            url = site.click_on(site.users[0].id, box.url)
            answer = await asyncio.to_thread(httpx.get, url)
            return box, answer.status_code, await box.verify(box[0])

    box, status, verdict = asyncio.run(story())
    assert (status, bool(verdict), len(box)) == (303, True, 1)
    with pytest.raises(httpx.ConnectError):
        httpx.get(box.url)
