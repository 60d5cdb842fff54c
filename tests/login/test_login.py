"""Signing users in, with the listener on this machine, by pasting, and headless."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pytest

import clio_nb
from clio_nb import errors
from clio_nb.http import loop
from clio_nb.http.hub import redirect_uri_here
from clio_nb.login import Login, connect, login
from clio_nb.secret import Secret
from clio_nb.vocabulary import Region

from ..ports import free_port


def listening(port):
    """The addresses of this machine on which something listens at that port, as the system tells."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        address, number = line.split()[1].split(":")
        if int(number, 16) == port and line.split()[3] == "0A":
            yield socket.inet_ntoa(bytes.fromhex(address)[::-1])


@pytest.fixture
def site():
    with clio_nb.sandbox(redirect_uris=(f"http://127.0.0.1:{free_port()}/callback",)) as sandbox:
        yield sandbox


@pytest.fixture
def port(site):
    return urlsplit(site.redirect_uri).port


@pytest.fixture
def browser():
    with httpx.Client(trust_env=False, timeout=60) as client:
        yield client


class Form(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.fields = {}
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag == "form":
            self.action = found["action"]
        if found.get("type") == "hidden":
            self.fields[found["name"]] = found["value"]


def redirect_of(browser, url, user, decision="allow"):
    page = browser.get(url)
    form = Form(page.text)
    answer = browser.post(
        urljoin(str(page.url), form.action), data={**form.fields, "user_id": user.id, "decision": decision}
    )
    return answer.headers["location"]


@contextlib.contextmanager
def waiting(attempt, timeout=60.0):
    """A login that waits in the background, once its listener is up."""
    up = threading.Event()
    future = loop.submit(attempt.aio.wait, timeout, show=lambda url: up.set())
    assert up.wait(60)
    yield future
    future.cancel()


# With the listener.


def test_the_user_who_allows_is_the_user_of_the_session(site, browser):
    def press_allow(url):
        assert browser.get(redirect_of(browser, url, site.users[2])).status_code == 200

    assert login(site, show=press_allow).user.id == site.users[2].id


def test_o4_a_user_who_declines_is_a_typed_error(site, browser):
    with pytest.raises(errors.LoginDeclined, match="declined"):
        login(site, show=lambda url: browser.get(redirect_of(browser, url, site.users[0], "decline")))


def test_nobody_comes_back(site):
    with pytest.raises(errors.LoginTimeout, match="Start the login again"):
        login(site, show=lambda url: None, timeout=0.05)


STRAYS = [
    ("GET", "/favicon.ico", {}),
    ("GET", "/callback", {}),
    ("GET", "/callback?code=forged", {}),
    ("GET", "/callback?code=forged&state=wrong", {}),
    ("GET", "/callback?error=access_denied", {}),
    ("GET", "/callback?error=access_denied&state=", {}),
    ("POST", "/callback?code=x&state={state}", {}),
    ("HEAD", "/callback?code=x&state={state}", {}),
    ("GET", "/callback?code=x&state={state}", {"host": "evil.example"}),
    ("GET", "/callback?state={state}", {}),
    ("GET", "/callback?code=x&state={state}&pad=" + "p" * 20_000, {}),
]


@pytest.mark.parametrize(("method", "path", "headers"), STRAYS)
def test_o1_a_stray_request_is_turned_away_and_the_real_one_still_arrives(site, browser, port, method, path, headers):
    attempt = Login(site)
    state = parse_qs(urlsplit(attempt.authorization_url).query)["state"][0]
    with waiting(attempt) as future:
        url = f"http://127.0.0.1:{port}{path.format(state=state)}"
        assert 400 <= browser.request(method, url, headers=headers).status_code < 500
        assert browser.get(redirect_of(browser, attempt.authorization_url, site.users[0])).status_code == 200
        assert future.result(60).user.id == site.users[0].id


def test_o1_a_huge_url_and_an_idle_connection_do_not_stop_it(site, browser, port):
    attempt = Login(site)
    with waiting(attempt) as future:
        idle = socket.create_connection(("127.0.0.1", port))
        slow = socket.create_connection(("127.0.0.1", port))
        slow.sendall(b"GET /callback?code=")
        huge = socket.create_connection(("127.0.0.1", port))
        with contextlib.suppress(ConnectionError):
            huge.sendall(b"GET /callback?code=" + b"x" * 1_000_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        browser.get(redirect_of(browser, attempt.authorization_url, site.users[0]))
        assert future.result(60).user.id == site.users[0].id
        for each in (idle, slow, huge):
            each.close()


def test_o2_the_answer_counts_once(site, browser):
    attempt = Login(site)
    with waiting(attempt) as future:
        back = redirect_of(browser, attempt.authorization_url, site.users[0])
        first, second = browser.get(back), None
        with contextlib.suppress(httpx.TransportError):  # gone already, or a page that says so
            second = browser.get(back)
        assert future.result(60).user.id == site.users[0].id
    assert first.status_code == 200
    assert second is None or "login is complete" in second.text
    assert [r["path"] for r in site.oauth_requests].count("/oauth/token") == 1


def test_o2_the_answer_of_another_login_is_not_taken(site, browser, port):
    ours, theirs = Login(site), Login(site)
    with waiting(ours) as future:
        assert browser.get(redirect_of(browser, theirs.authorization_url, site.users[1])).status_code == 400
        browser.get(redirect_of(browser, ours.authorization_url, site.users[0]))
        assert future.result(60).user.id == site.users[0].id


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux which ports are listened on")
@pytest.mark.parametrize("ending", ["success", "cancel", "timeout"])
def test_o3_the_listener_is_on_loopback_only_and_gone_afterwards(site, browser, port, ending):
    attempt = Login(site)
    with waiting(attempt, timeout=0.3 if ending == "timeout" else 60) as future:
        assert set(listening(port)) == {"127.0.0.1"}
        if ending == "success":
            browser.get(redirect_of(browser, attempt.authorization_url, site.users[0]))
            future.result(60)
        elif ending == "cancel":
            future.cancel()
        else:
            with pytest.raises(errors.LoginTimeout):
                future.result(60)
        deadline = time.monotonic() + 60
        while list(listening(port)):
            assert time.monotonic() < deadline


KERNEL = """
import os, sys, clio_nb
def show(url):
    child = os.fork()
    if not child:  # as a pool of workers does, which outlives its parent
        print("up", flush=True)
        sys.stdin.read()
        os._exit(0)
clio_nb.login(clio_nb.connect(sys.argv[1]), show=show)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process")
@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_o3_a_kernel_that_ends_in_the_middle_of_a_login_leaves_the_port_free(site, port, ending):
    """However it ends, and though a process that it has forked lives on."""
    command = [sys.executable, "-W", "ignore", "-c", KERNEL, site.origin]
    with subprocess.Popen(command, stdin=-1, stdout=-1, stderr=subprocess.DEVNULL) as kernel:
        assert kernel.stdout.readline() == b"up\n"
        kernel.send_signal(ending)
        kernel.wait(60)
        socket.create_server(("127.0.0.1", port)).close()
        kernel.stdin.close()  # which lets the child end


def test_o3_a_busy_port_is_named_and_pasting_is_offered(site, port):
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(errors.PortBusy, match=f"Port {port}.*pasting") as caught,
    ):
        login(site, show=lambda url: None)
    assert caught.value.port == port


def test_o5_the_page_shows_nothing_of_the_request_and_is_not_stored(site, browser, port):
    attempt = Login(site)
    with waiting(attempt):
        page = browser.get(f"http://127.0.0.1:{port}/callback?code=<script>&state=x")
        assert "script" not in page.text
        assert "href" not in page.text
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["referrer-policy"] == "no-referrer"


def test_what_is_pasted_is_asked_for_while_the_listener_waits_and_again_after_a_mistake(site, browser):
    attempt, met = Login(site), []
    answers = ["two words", "no-such-code", redirect_of(browser, attempt.authorization_url, site.users[1])]

    async def ask(problem):
        met.append(type(problem).__name__)
        return answers[len(met) - 1]

    assert attempt.wait(60, ask=ask).user.id == site.users[1].id
    assert met == ["NoneType", "InvalidInput", "GrantRefused"]


def test_nothing_is_pasted_in_time_where_only_that_is_possible(site):
    async def ask(problem):
        await asyncio.Event().wait()

    with pytest.raises(errors.LoginTimeout, match="Start the login again"):
        Login(site, redirect_uri=f"{site.origin}/oauth/approval").wait(0.05, ask=ask)


# By pasting.


@pytest.mark.parametrize("what", ["code", "url", "padded"])
def test_a_pasted_code_or_address_signs_in(site, browser, what):
    attempt = Login(site)
    back = redirect_of(browser, attempt.authorization_url, site.users[1])
    pasted = {"code": parse_qs(urlsplit(back).query)["code"][0], "url": back, "padded": f"  {back}\n"}[what]
    assert attempt.finish(pasted).user.id == site.users[1].id


def test_a_pasted_address_of_another_login_is_refused(site, browser):
    back = redirect_of(browser, Login(site).authorization_url, site.users[0])
    with pytest.raises(errors.StateMismatch, match="another login"):
        Login(site).finish(back)


@pytest.mark.parametrize("text", ["", "  ", "two words", "x" * 5000])
def test_what_is_no_code_is_asked_for_again(site, text):
    with pytest.raises(errors.InvalidInput, match="Paste the code"):
        Login(site).finish(text)


def test_a_used_and_an_old_code_are_refused_with_the_reason(site, browser):
    attempt = Login(site)
    back = redirect_of(browser, attempt.authorization_url, site.users[0])
    attempt.finish(back)
    with pytest.raises(errors.GrantRefused, match="Start the login again"):
        attempt.finish(back)
    other = Login(site)
    late = redirect_of(browser, other.authorization_url, site.users[0])
    site.advance(601)
    with pytest.raises(errors.GrantRefused, match="10 minutes"):
        other.finish(late)


def test_the_code_of_clios_approval_page_needs_no_state(site, browser):
    attempt = Login(site, redirect_uri=f"{site.origin}/oauth/approval")
    assert attempt.port is None
    shown = browser.get(redirect_of(browser, attempt.authorization_url, site.users[0]))
    code = parse_qs(urlsplit(str(shown.url)).query)["code"][0]
    assert attempt.finish(code).user.id == site.users[0].id
    with pytest.raises(errors.InvalidInput, match="paste the code"):
        attempt.wait()


# What is wrong with the app or the region.


def test_a_wrong_client_secret_is_named(site, browser):
    attempt = Login(connect(site.origin))
    wrong = Login(clio_nb.App(Region.US, site.client_id, Secret("wrong"), site.redirect_uri, origin=site.origin))
    back = redirect_of(browser, wrong.authorization_url, site.users[0])
    with pytest.raises(errors.ClientRefused, match="client secret and the region of the app"):
        wrong.finish(back)
    assert attempt.site.client_id == site.client_id


def test_nothing_secret_shows_in_a_login(site, browser, caplog):
    attempt = Login(site)
    with caplog.at_level(logging.DEBUG):
        back = redirect_of(browser, attempt.authorization_url, site.users[0])
        caplog.clear()
        session = attempt.finish(back)
    code = parse_qs(urlsplit(back).query)["code"][0]
    token = asyncio.run(session.aio.token()).access.reveal()
    shown = caplog.text + repr(attempt) + repr(attempt.__dict__) + repr(connect(site.origin))
    assert not [secret for secret in (code, token, site.client_secret) if secret in shown]


# Which Clio.


def test_a_region_is_named_as_people_name_it():
    app = connect(" EU ", client_id="id", client_secret="secret")
    assert (app.region, app.origin) == (Region.EU, "https://eu.app.clio.com")
    assert "secret" not in repr(app).replace("client_secret", "")


def test_a_sandbox_in_the_environment_is_found(site, monkeypatch):
    monkeypatch.setenv("CLIO_NB_SITE", site.origin)
    assert connect().origin == site.origin


def test_id_and_secret_can_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("CLIO_CLIENT_ID", "id")
    monkeypatch.setenv("CLIO_CLIENT_SECRET", "from-outside")
    assert connect("us").client_secret == Secret("from-outside")


ENVIRONMENTS = {
    "plain": ({"ID": "plain", "SECRET": "plain"}, dict.fromkeys(Region, "plain")),
    "its own": ({"ID_EU": "eu", "SECRET_EU": "eu"}, {Region.EU: "eu"}),
    "each its own": (
        {f"{kind}_{one.value.upper()}": one.value for one in Region for kind in ("ID", "SECRET")},
        {one: one.value for one in Region},
    ),
    "its own and plain": ({"ID": "plain", "SECRET": "plain", "ID_CA": "ca", "SECRET_CA": "ca"}, {Region.CA: "ca"}),
    "half its own": ({"ID": "plain", "SECRET": "plain", "ID_AU": "au"}, {}),
    "only another's secret": ({"ID": "plain", "SECRET": "plain", "SECRET_US": "us"}, {}),
    "empty names": ({"ID": "plain", "SECRET": "plain", "ID_EU": "", "SECRET_EU": ""}, dict.fromkeys(Region, "plain")),
}


@pytest.mark.parametrize("region", Region)
@pytest.mark.parametrize(("environ", "good"), ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_a_region_reads_its_own_names_and_the_plain_ones_only_where_no_region_has_its_own(
    monkeypatch, region, environ, good
):
    for name in [name for name in os.environ if name.startswith("CLIO_CLIENT_")]:
        monkeypatch.delenv(name)
    for name, value in environ.items():
        monkeypatch.setenv(f"CLIO_CLIENT_{name}", value)
    if region in good:
        app = connect(region)
        assert (app.client_id, app.client_secret) == (good[region], Secret(good[region]))
    else:
        with pytest.raises(errors.InvalidInput, match=rf"region {region.value} .*set CLIO_CLIENT_\w+_{region.name}\."):
            connect(region)


@pytest.mark.parametrize(
    ("region", "given", "words"),
    [
        ("uk", {}, "Unknown region 'uk'. Use us, eu, ca or au, or the URL of a running sandbox"),
        (None, {}, "No region given. Use us, eu, ca or au, or the URL of a running sandbox.*CLIO_NB_SITE"),
        ("us", {"client_secret": "s"}, "client_id for region us is missing"),
        ("us", {"client_id": "i"}, "CLIO_CLIENT_SECRET"),
        ("https://app.clio.com", {}, "give a region"),
        ("http://10.0.0.7:8770", {}, "control key"),
    ],
)
def test_a_wrong_site_says_what_to_give(region, given, words, monkeypatch):
    monkeypatch.delenv("CLIO_CLIENT_ID", raising=False)
    monkeypatch.delenv("CLIO_CLIENT_SECRET", raising=False)
    with pytest.raises(errors.InvalidInput, match=words):
        connect(region, **given)


HUB = {"JUPYTERHUB_SERVICE_PREFIX": "/user/someone/", "JUPYTERHUB_PUBLIC_URL": "https://hub.example/user/someone/"}


@pytest.mark.parametrize(
    ("environ", "uri"),
    [
        ({}, "http://127.0.0.1:8765/callback"),
        (HUB, "https://hub.example/hub/user-redirect/proxy/8765/callback"),
        (HUB | {"JUPYTERHUB_BASE_URL": "/j/"}, "https://hub.example/j/hub/user-redirect/proxy/8765/callback"),
        ({"JUPYTERHUB_SERVICE_PREFIX": "/user/someone/"}, "https://eu.app.clio.com/oauth/approval"),
        ({"SSH_CONNECTION": "x"}, "https://eu.app.clio.com/oauth/approval"),
    ],
)
def test_the_way_back_fits_where_the_kernel_runs(environ, uri, monkeypatch):
    monkeypatch.setattr(os, "environ", environ)
    assert redirect_uri_here(Region.EU) == uri


def test_the_way_back_through_a_hub_reaches_the_listener(site, browser, port):
    """As jupyter-server-proxy hands it on: with the hub's prefix taken off, and the host of this machine."""
    through = f"https://hub.example/hub/user-redirect/proxy/{port}/callback"
    with clio_nb.sandbox(redirect_uris=(through,)) as hub_site:
        attempt = Login(hub_site)
        with waiting(attempt) as future:
            back = urlsplit(redirect_of(browser, attempt.authorization_url, hub_site.users[0]))
            assert browser.get(f"http://127.0.0.1:{port}/callback?{back.query}").status_code == 200
            assert future.result(60).user.id == hub_site.users[0].id


def test_s5_binder_refuses_real_credentials_unless_told_so(monkeypatch):
    monkeypatch.setenv("BINDER_LAUNCH_HOST", "https://binder.example")
    with pytest.raises(errors.InvalidInput, match="public machine"):
        connect("us", client_id="i", client_secret="s")
    assert connect("us", client_id="i", client_secret="s", on_public_machine=True).region is Region.US


def test_an_address_without_a_sandbox_says_how_to_start_one(port):
    with pytest.raises(errors.NetworkError, match="No answer"):
        connect(f"http://127.0.0.1:{port}")


def test_headless_takes_the_owner_or_the_user_that_is_named(site):
    assert login(site).user.id == site.users[0].id
    assert login(connect(site.origin), site.users[1].id).user.id == site.users[1].id


def test_headless_with_a_user_that_is_not_there_is_an_error_in_words(site):
    with pytest.raises(errors.ApiError, match="/control/tokens"):
        login(site, 12345)
