"""All forms on one page: in JupyterLab, and as the page of ``clio-nb app``."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import subprocess
import sys
from importlib.util import find_spec
from urllib.parse import parse_qs, urlsplit

import httpx
import psutil
import pytest
from playwright.sync_api import expect

from clio_nb.sandbox import Sandbox

from ..ports import free_port
from .conftest import need

COMMAND = [sys.executable, "-c", "from clio_nb.cli import main; main()", "app", "--no-browser"]
MANIFEST = """
[app]
name = "partner-sign"

[[actions]]
key = "sign"
label = "Of the whole firm"
target_url = "https://partner.example/launch"
locations = ["matters"]
"""
TABS = ("Sign in", "Create", "My actions", "Launches", "The firm")


@pytest.fixture
def site():
    with Sandbox(redirect_uris=(f"http://127.0.0.1:{free_port()}/callback",), rate_limit=None) as sandbox:
        yield sandbox


@contextlib.contextmanager
def running(folder):
    """Run ``clio-nb app`` on a sandbox; give its process, the address that it prints, and the sandbox."""
    need(find_spec("voila"), "voila is not installed")
    with Sandbox(redirect_uris=(f"http://127.0.0.1:{free_port()}/callback",), rate_limit=None) as site:
        process = subprocess.Popen(
            [*COMMAND, "--site", site.origin], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder
        )
        printed = iter(process.stdout.readline, "")
        address = next((found[0] for line in printed if (found := re.search(r"http://\S+token=\S+", line))), None)
        assert address, process.stderr.read()
        yield process, address, site
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=60)


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    with running(tmp_path_factory.mktemp("app")) as started:
        yield started


@pytest.fixture
def another_app(tmp_path):
    with running(tmp_path) as started:
        yield started


def sign_in(page, user):
    page.get_by_role("button", name="Start sign-in").click()
    with page.expect_popup() as opened:
        page.get_by_role("link", name="consent page").click()
    tab = opened.value
    tab.get_by_label("Sign in as").select_option(str(user.id))
    tab.get_by_role("button", name="Allow").click()
    expect(tab.get_by_role("heading", name="You can close this tab")).to_be_visible()
    tab.close()
    expect(page.get_by_text(f"Connected as {user.name}")).to_be_visible()


def create(page, label, target_url):
    page.get_by_role("tab", name="Create").click()
    form = page.locator(".clio-form:visible")
    form.get_by_label("Label").fill(label)
    form.get_by_label("Target URL").fill(f" {target_url} ")
    form.get_by_label("Location").select_option("Contacts (two menus)")
    form.get_by_role("button", name="Create the action").dblclick()
    expect(form.get_by_role("status").filter(has_text="Created")).to_be_visible()


def listening_to(page):
    """Return lists that get the address of each request of the page, and each frame of its websockets."""
    requests, frames = [], []

    def keep(frame):
        frames.append(frame if isinstance(frame, str) else frame.decode(errors="ignore"))

    page.context.on("request", lambda request: requests.append(request.url))
    page.on("websocket", lambda connection: (connection.on("framereceived", keep), connection.on("framesent", keep)))
    return requests, frames


def test_s9_the_page_leads_from_signing_in_to_a_proved_launch_and_holds_no_secret(app, browser, violations, tmp_path):
    _, address, site = app
    page = browser.new_context(viewport={"width": 1400, "height": 1000}).new_page()
    page.set_default_timeout(60_000)
    requests, frames = listening_to(page)
    page.goto(address)
    page.locator(".clio-workbench").wait_for()
    assert page.url == f"{address.partition('/login')[0]}/", "the token stays in no address"
    expect(page.get_by_text("This page is for you alone, on this machine")).to_be_visible()

    manifest = tmp_path / "actions.toml"
    manifest.write_text(MANIFEST)
    user = site.users[1]
    sign_in(page, user)
    page.get_by_role("tab", name="Launches").click()
    inbox = page.locator(".clio-form code:visible", has_text="/launch").first.inner_text()
    create(page, "Send for signature", inbox)
    screens = page.frame_locator("iframe[title='Screens of the embedded Clio']")
    expect(screens.get_by_text(user.name).first).to_be_visible()
    screens.get_by_role("button", name="Custom actions").first.click()
    with page.expect_popup() as opened:
        screens.get_by_role("button", name="Send for signature").first.click()
    expect(opened.value.get_by_role("heading", name="Verified")).to_be_visible()
    page.get_by_role("tab", name="Launches").click()
    expect(page.get_by_text("✓ verified").first).to_be_visible()
    page.get_by_role("tab", name="My actions").click()
    expect(page.get_by_role("row").filter(has_text="Send for signature").first).to_be_visible()

    page.get_by_role("tab", name="The firm").click()
    firm = page.locator(".clio-form:visible")
    firm.get_by_label("Manifest").fill(f"  {manifest} ")
    firm.get_by_label("Manifest").press("Enter")
    expect(firm.get_by_role("status").filter(has_text="1 change is planned")).to_be_visible()
    firm.get_by_role("button", name="Apply the plan").dblclick()
    expect(firm.get_by_role("status").filter(has_text="1 of 1 changes made")).to_be_visible()
    page.get_by_role("tab", name="My actions").click()
    expect(page.get_by_role("row").filter(has_text="Of the whole firm").first).to_be_visible()
    assert violations(page, ".clio-workbench") == []

    queries = [parse_qs(urlsplit(url).query) for url in requests]
    secrets = [value for query in queries for name in ("code", "custom_action_nonce") for value in query.get(name, [])]
    assert len(set(secrets)) >= 2, "a code and a nonce were seen on their way"
    secrets += [site.client_secret, parse_qs(urlsplit(address).query)["token"][0]]
    told = page.content() + "".join(frames)
    assert "Send for signature" in told
    assert [secret for secret in secrets if secret in told] == []
    page.context.close()


def test_s9_the_page_is_for_who_has_the_token_on_this_machine(app):
    _, address, _ = app
    parts = urlsplit(address)
    origin = f"{parts.scheme}://{parts.netloc}"
    for path in ("/", "/voila/files/clio-nb.ipynb", "/api/kernels/0-0-0-0-0"):
        answer = httpx.get(f"{origin}{path}", trust_env=False, follow_redirects=False)
        assert answer.status_code in (302, 403, 404), path
        assert "clio.forms" not in answer.text
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.2", parts.port), 5)
    with httpx.Client(trust_env=False, follow_redirects=True, timeout=60) as person:
        page = person.get(address)
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("started", "ending"),
    [("app", signal.SIGTERM), pytest.param("another_app", signal.SIGINT, marks=pytest.mark.long)],
    ids=["SIGTERM", "Ctrl-C"],
)
def test_s9_ending_it_ends_all_that_it_has_started(request, started, ending):
    process, address, _ = request.getfixturevalue(started)
    with httpx.Client(trust_env=False, follow_redirects=True, timeout=60) as person:
        person.get(address)  # now there is a kernel
    below = psutil.Process(process.pid).children(recursive=True)
    assert len(below) >= 2
    process.send_signal(ending)
    assert process.wait(60) == 0
    _, alive = psutil.wait_procs(below, timeout=60)
    assert alive == []


@pytest.mark.parametrize("theme", ["Light", pytest.param("Dark", marks=pytest.mark.long)])
def test_it_is_for_everybody_and_fits_into_a_narrow_notebook(
    lab, open_notebook, site, violations, overflows, picture, theme
):
    cells = (f"import clio_nb as clio\nsite = clio.connect({site.origin!r})", "clio.forms.workbench(site)")
    page = open_notebook(lab, *cells, theme=theme, width=1400, height=1600)
    workbench = page.locator(".clio-workbench")
    workbench.wait_for()
    sign_in(page, site.users[0])
    frame = page.frame_locator("iframe[title='Screens of the embedded Clio']")
    expect(frame.get_by_role("row").nth(2)).to_be_in_viewport()
    dark = frame.locator("html").evaluate("() => matchMedia('(prefers-color-scheme: dark)').matches")
    assert dark == (theme == "Dark")
    found = {}
    for tab in TABS:
        workbench.get_by_role("tab", name=tab).click()
        assert violations(page, ".clio-workbench") == [], tab
        for width in (1400, 900):
            page.set_viewport_size({"width": width, "height": 1600})
            found[tab, width] = overflows(page, ".clio-workbench")
        picture(workbench, f"workbench-{tab.lower().replace(' ', '-')}-{theme.lower()}")
    assert set(map(tuple, found.values())) == {()}, found
