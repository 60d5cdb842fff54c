"""The sandbox's screens in a real browser: a click in each of the nine menus, and pages that everybody can use."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from queue import Queue
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from clio_nb.sandbox import Sandbox
from clio_nb.vocabulary import MENUS, Menu

from .conftest import need

TABLES = ("matters", "contacts", "activities", "documents", "folders")


class Receiver:
    """A partner's app: its launch address, and the requests for it as they arrive."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/launch?tenant=7"
        self.arrived: Queue[tuple[str, dict[str, str]]] = Queue()

    def launch(self) -> tuple[dict[str, list[str]], dict[str, str]]:
        """The parameters and the headers of the next launch."""
        path, headers = self.arrived.get(timeout=60)
        return parse_qs(urlsplit(path).query, strict_parsing=True), headers


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/launch"):
                app.arrived.put((self.path, {name.lower(): value for name, value in self.headers.items()}))
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>The partner's app</title>")

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        app = Receiver(server.server_port)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield app
        server.shutdown()


@pytest.fixture
def site() -> Iterator[Sandbox]:
    with Sandbox(rate_limit=None) as sandbox:
        yield sandbox


@pytest.fixture
def tab(browser: Any) -> Iterator[Callable[..., Any]]:
    """Give ``tab(url, scheme)``: a window with this page."""
    windows = []

    def open_it(url: str, scheme: str = "light", width: int = 1200) -> Any:
        windows.append(browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 800}))
        page = windows[-1].new_page()
        page.goto(url)
        return page

    yield open_it
    for window in windows:
        window.close()


def create(
    site: Sandbox, target_url: str, at: str, label: str = "Send for signature", user: int = 0
) -> tuple[int, str]:
    """Create a custom action of a user; returns its id and the user's token."""
    token = site.token(site.users[user].id)["access_token"]
    data = {"label": label, "target_url": target_url, "ui_reference": f"{at}/show"}
    headers = {"authorization": f"Bearer {token}"}
    response = httpx.post(f"{site.api_url}/custom_actions", json={"data": data}, headers=headers, trust_env=False)
    return response.raise_for_status().json()["data"]["id"], token


def menu_of(page: Any, menu: Menu, name: str) -> Any:
    """Open the menu of a menu as a person does, and return it."""
    if menu.name == "More Actions":
        opener = page.get_by_role("button", name="More Actions")
    else:
        opener = page.get_by_role("button", name=f"Custom actions for {name}", exact=True).first
    opener.click()
    return page.get_by_role("group", name="Custom actions")


@pytest.mark.parametrize("menu", MENUS, ids=str)
def test_a_click_opens_the_launch_in_a_new_tab(
    site: Sandbox, tab: Callable[..., Any], receiver: Receiver, menu: Menu
) -> None:
    resource = menu.location.resource
    action, token = create(site, receiver.url, resource)
    record = site.records(resource)[0]
    name = record.get("filename") or record["name"]
    path = f"/as/{site.users[0].id}/{resource}" + ("" if menu.view == "table" else f"/{record['id']}")
    page = tab(site.origin + path)
    with page.context.expect_page() as opened:
        menu_of(page, menu, name).get_by_role("button", name="Send for signature").click()
    launch, headers = receiver.launch()
    nonce = launch.pop("custom_action_nonce")
    assert launch == {
        "tenant": ["7"],
        "custom_action_id": [str(action)],
        "user_id": [str(site.users[0].id)],
        "subject_url": [record["subject_url"]],
    }
    assert {"referer", "origin"}.isdisjoint(headers)
    opened.value.wait_for_load_state()
    assert opened.value.title() == "The partner's app"
    assert opened.value.evaluate("window.opener") is None
    assert page.url == site.origin + path
    proof = httpx.get(
        site.origin + record["subject_url"],
        params={"custom_action_nonce": nonce},
        headers={"authorization": f"Bearer {token}"},
        trust_env=False,
    )
    assert proof.status_code == 200


def test_the_keyboard_alone_opens_a_menu_leaves_it_and_launches(
    site: Sandbox, tab: Callable[..., Any], receiver: Receiver
) -> None:
    create(site, receiver.url, "matters")
    page = tab(f"{site.origin}/as/{site.users[0].id}/matters")
    menu = page.get_by_role("group", name="Custom actions")
    opener = page.get_by_role("button", name="Custom actions for").first
    for _ in range(30):
        page.keyboard.press("Tab")
        if opener.evaluate("button => button === document.activeElement"):
            break
    page.keyboard.press("Enter")
    menu.wait_for()
    page.keyboard.press("Escape")
    menu.wait_for(state="hidden")
    assert opener.evaluate("button => button === document.activeElement")
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    with page.context.expect_page():
        page.keyboard.press("Enter")
    assert receiver.launch()[0]["user_id"] == [str(site.users[0].id)]


def test_two_tabs_are_two_users(site: Sandbox, tab: Callable[..., Any]) -> None:
    create(site, "https://partner.example/a", "matters", "Mine", user=0)
    create(site, "https://partner.example/b", "matters", "Yours", user=1)
    for user, label in ((0, "Mine"), (1, "Yours"), (0, "Mine")):
        page = tab(site.origin)
        page.get_by_role("link", name=f"Sign in as {site.users[user].name}").click()
        page.get_by_role("button", name="Custom actions for").first.click()
        (item,) = page.get_by_role("group", name="Custom actions").get_by_role("button").all()
        assert item.inner_text().startswith(label)


def test_a_hostile_label_runs_nothing(site: Sandbox, tab: Callable[..., Any]) -> None:
    label = "<img src=x onerror=alert(1)>"
    create(site, "https://partner.example/launch", "matters", label)
    page = tab(f"{site.origin}/as/{site.users[0].id}/matters")
    page.on("dialog", lambda dialog: pytest.fail("a label ran as a script"))
    page.get_by_role("button", name="Custom actions for").first.click()
    assert page.get_by_role("button", name=label).is_visible()
    assert page.locator("img").count() == 0


def test_a_menu_stays_inside_the_window(site: Sandbox, tab: Callable[..., Any]) -> None:
    create(site, "https://partner.example/launch", "matters")
    for width in (1200, 420):
        page = tab(f"{site.origin}/as/{site.users[0].id}/matters", width=width)
        for opener in (page.locator(".arrow").first, page.locator(".arrow").last):
            opener.click()
            box = page.get_by_role("group", name="Custom actions").bounding_box()
            assert box
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
            assert 0 <= box["y"] <= 800 - box["height"]
            page.keyboard.press("Escape")


def test_a_switch_and_the_clock_are_turned_by_a_person(site: Sandbox, tab: Callable[..., Any]) -> None:
    page = tab(f"{site.origin}/developer")
    page.get_by_role("switch", name="An HTML page instead of JSON", checked=False).click()
    page.get_by_role("switch", name="An HTML page instead of JSON", checked=True).wait_for()
    assert httpx.get(f"{site.api_url}/users", trust_env=False).status_code == 502
    before = site.now()
    page.get_by_role("button", name="+61 s").click()
    page.get_by_text("2026-01-15 17:01:01 UTC").wait_for()
    assert site.now() == before + 61


def test_axe_finds_nothing_wrong_on_any_page_and_nothing_is_cut_off_where_there_is_little_room(
    site: Sandbox,
    tab: Callable[..., Any],
    violations: Callable[..., list[str]],
    overflows: Callable[..., list[str]],
) -> None:
    user, record = site.users[0].id, {name: site.records(name)[0]["id"] for name in TABLES}
    for at in TABLES:
        action, _ = create(site, "https://partner.example/launch", at)
    dead, _ = create(site, "https://partner.example/launch", "matters", "No web address")
    site._state.actions.of(user)[dead].data["target_url"] = "javascript:alert(1)"
    site.click(user, action, site.records("folders")[0]["subject_url"])
    site.fault("html", path="/nowhere")
    me = f"/as/{user}"
    paths = [
        "/",
        "/?find=nobody",
        "/developer",
        f"{me}/developer",
        *(f"{me}/{name}" for name in TABLES),
        *(f"{me}/{name}/{record[name]}" for name in TABLES[:4]),
        f"{me}/documents?folder={record['folders']}",
        f"{me}/apps",
        f"{me}/app_integrations",
        "/app_integrations_callback",
        f"/as/{site.users[1].id}/apps?revoked",
        f"/as/{site.users[1].id}/matters",
        "/as/0/matters",
        f"/oauth/authorize?response_type=code&client_id={site.client_id}&redirect_uri={site.redirect_uri}",
        "/oauth/approval?code=demo",
    ]
    page = tab(f"{site.origin}/")
    for path in paths:
        page.emulate_media(color_scheme="light")
        page.goto(site.origin + path)
        assert "This is not Clio" in page.get_by_role("complementary", name="What this is").inner_text()
        for opener in page.locator(".arrow, button[popovertarget='menu'], summary").all()[:1]:
            opener.click()
        assert violations(page, "html") == [], path
        for width in (900, 600 if path.startswith("/oauth") else 480):  # only screens are shown in frames
            page.set_viewport_size({"width": width, "height": 800})
            assert overflows(page, "body") == [], (path, width)
        assert violations(page, "html") == [], path
        page.set_viewport_size({"width": 1200, "height": 800})
        page.emulate_media(color_scheme="dark")
        assert violations(page, "html", "color-contrast") == [], path


def test_axe_finds_nothing_wrong_where_there_are_several_firms(
    tab: Callable[..., Any], violations: Callable[..., list[str]]
) -> None:
    with Sandbox(firms=3, users=20, add_to_clio_url="http://127.0.0.1:3000/connect") as site:
        second = site.firms[1]
        user = second.users[0].id
        second.token(user)
        asked = f"response_type=code&client_id={site.client_id}&redirect_uri={site.redirect_uri}"
        page = tab(f"{site.origin}/")
        for path in (
            "/",
            f"/?firm={second.account_id}&page=2",
            f"/as/{user}/app_integrations",
            f"/as/{user}/developer",
            f"/oauth/authorize?{asked}",
        ):
            page.goto(site.origin + path)
            assert violations(page, "html") == [], path


def test_the_app_opens_in_a_new_window_and_the_sign_in_ends_in_clio(
    site: Sandbox, tab: Callable[..., Any], receiver: Receiver
) -> None:
    site.add_to_clio_url = receiver.url
    page = tab(f"{site.origin}/as/{site.users[0].id}/app_integrations")
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Add to Clio").click()
    window = opened.value
    window.goto(f"{site.origin}/app_integrations_callback")
    window.get_by_role("heading", name="The app is added").wait_for()
    window.close()
    site.token(site.users[0].id)
    page.reload()
    page.get_by_text("Connected for you", exact=True).wait_for()


def test_the_screens_work_behind_jupyter_server_proxy(
    site: Sandbox, tab: Callable[..., Any], receiver: Receiver, request: pytest.FixtureRequest
) -> None:
    need(find_spec("jupyter_server_proxy"), "jupyter-server-proxy is not installed")
    hub = request.getfixturevalue("hub")
    create(site, receiver.url, "matters")
    page = tab(f"{hub.origin}{hub.prefix}api/status?token=letmein")
    page.goto(f"{hub.origin}{hub.prefix}proxy/{urlsplit(site.origin).port}/")
    page.get_by_role("link", name=f"Sign in as {site.users[0].name}").click()
    page.get_by_role("link", name=site.records("matters")[0]["name"]).click()
    page.get_by_role("button", name="More Actions").click()
    with page.context.expect_page():
        page.get_by_role("button", name="Send for signature").click()
    assert receiver.launch()[0]["subject_url"] == [site.records("matters")[0]["subject_url"]]
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Developer").click()
    page.get_by_role("button", name="+61 s").click()
    page.get_by_text("2026-01-15 17:01:01 UTC").wait_for()
    assert page.url.startswith(f"{hub.origin}{hub.prefix}proxy/")
