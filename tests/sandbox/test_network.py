"""The sandbox in a network: it listens beyond this machine with a control key only, and tells the key to nobody."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

import clio_nb
from clio_nb.errors import InvalidInput
from clio_nb.http import transport
from clio_nb.sandbox import Sandbox

from ..ports import free_port
from .conftest import data

KEY = "k3y-of-a-test!"
BEARER = {"authorization": f"Bearer {KEY}"}


@pytest.fixture
def away(sandbox: Callable[..., Sandbox]) -> Sandbox:
    """A sandbox at another address of this machine, as in a network."""
    return sandbox(host="127.0.0.2", public_url="http://clio.test:8770", control_key=KEY)


@pytest.fixture
def there(away: Sandbox) -> Iterator[httpx.Client]:
    """Speak to it where it listens, by its public name."""
    port = away._server._sockets[0].getsockname()[1]
    with httpx.Client(
        base_url=f"http://127.0.0.2:{port}", headers={"host": "clio.test:8770"}, trust_env=False
    ) as client:
        yield client


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "::", "192.0.2.1", "10.0.0.7", "example.com", "127.0.0.1.evil.example"],  # noqa: S104
)
def test_s4_without_a_control_key_it_stays_on_this_machine(sandbox, host):
    with pytest.raises(ValueError, match="control key"):
        sandbox(host=host)


def test_s4_with_a_control_key_it_listens_on_all_interfaces(sandbox):
    site = sandbox(host="0.0.0.0", control_key=KEY)  # noqa: S104
    assert site.origin.startswith("http://127.0.0.1:")
    assert httpx.get(site.control_url).status_code == 403
    assert httpx.get(site.control_url, headers=BEARER).status_code == 200


@pytest.mark.parametrize("key", ["", "short", "seven77", "with space", "ümlaut-umlaut", "x" * 513, "tab\tinside"])
def test_a_key_that_cannot_be_one_is_refused(sandbox, key):
    with pytest.raises(ValueError, match="8 to 512"):
        sandbox(control_key=key)


CONTROL = [
    ("GET", "/control"),
    ("GET", "/control/"),
    ("POST", "/control/tokens"),
    ("POST", "/control/users"),
    ("DELETE", "/control/faults"),
    ("GET", "/control/world"),
    ("PUT", "/control/world"),
    ("POST", "/control/reset"),
    ("GET", "/developer"),
    ("POST", "/developer/clock"),
    ("POST", "/developer/faults"),
]


@pytest.mark.parametrize(("method", "path"), CONTROL)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"host": "127.0.0.1"},
        {"authorization": "Bearer"},
        {"authorization": f"Bearer {KEY}x"},
        {"authorization": f"Bearer {KEY[:-1]}"},
        {"authorization": f"Token {KEY}"},
        {"authorization": KEY},
        {"authorization": "Basic !!"},
        {"authorization": "Basic eDp5"},
        {"authorization": "Bearer ümlaut".encode("latin-1")},
        {"x-control-key": KEY},
    ],
)
def test_s4_control_takes_no_request_without_its_key(there, method, path, headers):
    answer = there.request(method, path, headers=headers)
    assert answer.status_code in (401, 403)
    assert "client_secret" not in answer.text
    assert KEY not in answer.text + str(answer.headers)


def test_control_takes_the_key_as_a_bearer_token_or_as_a_password(there):
    assert there.get("/control", headers=BEARER).status_code == 200
    assert there.get("/control", auth=("anybody", KEY)).status_code == 200
    assert there.get("/control", headers={**BEARER, "host": "10.1.2.3:99"}).status_code == 200


def test_the_users_token_is_not_the_key(away, there):
    token = away.token(away.users[0].id)["access_token"]
    assert there.get("/control", headers={"authorization": f"Bearer {token}"}).status_code == 403
    assert there.get("/api/v4/users", headers=BEARER).status_code == 401


@pytest.mark.parametrize(
    "extra", [{"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}]
)
@pytest.mark.parametrize("path", ["/control/reset", "/developer/clock"])
def test_a_foreign_origin_is_refused_even_with_the_key(away, there, path, extra):
    there.post("/control/clock/advance", json={"seconds": 5}, headers=BEARER).raise_for_status()
    assert there.post(path, headers={**BEARER, **extra}).status_code == 403
    assert away.now() == 1_768_496_405


def test_a_browser_is_asked_for_the_key_before_it_steers(there):
    asked = there.get("/developer")
    assert asked.status_code == 401
    assert asked.headers["www-authenticate"].startswith("Basic realm=")
    assert there.get("/developer", auth=("", KEY)).status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("clio.test:8770", 200),
        ("clio.test", 200),
        ("localhost:8770", 200),
        ("127.0.0.1", 200),
        ("evil.example", 403),
        ("clio.test.evil.example", 403),
        ("10.0.0.7", 403),
        ("", 403),
    ],
)
def test_the_screens_answer_to_the_public_name(there, host, status):
    answer = there.get("/", headers={"host": host})
    assert answer.status_code == status
    if status == 403:
        assert "clio.test" in answer.text


def test_everything_is_named_by_the_public_url(away, there):
    said = there.get("/control", headers=BEARER).json()
    assert said["base_url"] == away.origin == "http://clio.test:8770"
    assert said["control_url"] == "http://clio.test:8770/control"
    assert there.get("/openapi.json").json()["servers"] == [{"url": "http://clio.test:8770"}]
    token = away.token(away.users[0].id)["access_token"]
    page = there.get("/api/v4/users", params={"limit": 1}, headers={"authorization": f"Bearer {token}"}).json()
    assert page["meta"]["paging"]["next"].startswith("http://clio.test:8770/api/v4/users?")


@pytest.mark.parametrize(
    ("public_url", "regions", "origins"),
    [
        ("http://clio:8770", ("us", "eu"), ["http://clio:8770", "http://clio:8771"]),
        ("https://clio.example/", ("us",), ["https://clio.example"]),
        ("http://[::1]:80", ("us",), ["http://[::1]:80"]),
    ],
)
def test_further_regions_take_the_ports_after_the_public_one(sandbox, public_url, regions, origins):
    site = sandbox(public_url=public_url, regions=regions)
    assert [firm.origin for firm in site.firms] == origins


@pytest.mark.parametrize(
    "public_url",
    [
        "clio",
        "clio:8770",
        "ftp://clio",
        "http://",
        "http://clio/path",
        "http://clio?x",
        "http://clio#x",
        "http://u@clio",
        "http://clio:0",
        "http://clio:x",
        "http://[",
        "http://clio:99999",
    ],
)
def test_a_public_url_that_is_no_origin_is_refused(sandbox, public_url):
    with pytest.raises(ValueError, match="public_url is not an origin"):
        sandbox(public_url=public_url)


def test_several_regions_need_a_port_to_count_from(sandbox):
    with pytest.raises(ValueError, match="needs a port"):
        sandbox(public_url="https://clio.example", regions=("us", "eu"))


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch, sandbox: Callable[..., Sandbox]) -> Sandbox:
    """A sandbox that the library has to take for one on another machine."""
    monkeypatch.delenv("CLIO_NB_CONTROL_KEY", raising=False)
    port = free_port("127.0.0.2")
    return sandbox(host="127.0.0.2", port=port, public_url=f"http://127.0.0.2:{port}", control_key=KEY, firms=2)


def test_connect_reaches_a_sandbox_on_another_machine_with_its_key(remote, monkeypatch):
    for app in (
        clio_nb.connect(remote.origin, control_key=KEY),
        clio_nb.connect(remote.firms[1].control_url, control_key=KEY),
    ):
        assert clio_nb.login(app).user
    monkeypatch.setenv("CLIO_NB_CONTROL_KEY", KEY)
    app = clio_nb.connect(remote.origin)
    session = clio_nb.login(app, remote.users[2].id)
    assert session.user.id == remote.users[2].id
    assert clio_nb.login(remote).user.id == remote.users[0].id
    action = clio_nb.create_action(session, "Sign", "https://partner.example/launch", at="matters")
    assert action.label == "Sign"


@pytest.mark.parametrize(
    ("key", "sentence"), [(None, "needs its control key"), ("wrong-key-1", "refused this control key")]
)
def test_connect_says_that_the_key_is_missing_or_wrong(remote, key, sentence):
    with pytest.raises(InvalidInput, match=sentence) as refused:
        clio_nb.connect(remote.origin, control_key=key)
    assert "CLIO_NB_CONTROL_KEY" in str(refused.value)
    assert key is None or key not in str(refused.value)


@pytest.mark.parametrize("host", ["app.clio.com", "EU.app.clio.com", "ca.app.clio.com:443", "au.app.clio.com."])
def test_s4_the_control_key_is_never_sent_to_clio(host, monkeypatch):
    monkeypatch.setenv("CLIO_NB_CONTROL_KEY", KEY)
    monkeypatch.setattr(transport, "exchange", lambda *_, **__: pytest.fail("something was sent"))
    with pytest.raises(InvalidInput, match="give a region"):
        clio_nb.connect(f"https://{host}")


def test_a_sandbox_here_may_ask_for_its_key_too(sandbox, monkeypatch):
    monkeypatch.delenv("CLIO_NB_CONTROL_KEY", raising=False)
    site = sandbox(control_key=KEY)
    with pytest.raises(InvalidInput, match="needs its control key"):
        clio_nb.connect(site.origin)
    assert clio_nb.login(clio_nb.connect(site.origin, control_key=KEY)).user.id == site.users[0].id


def test_s2_the_control_key_is_nowhere_to_be_seen(remote, caplog, capsys, tmp_path):
    caplog.set_level(logging.DEBUG)
    app = clio_nb.connect(remote.origin, control_key=KEY)
    session = clio_nb.login(app)
    remote.save(tmp_path / "world.json")
    shown: list[Any] = [
        app,
        session,
        remote,
        remote.describe(),
        remote._world,
        remote._state,
        vars(remote._world)["_asked"],
    ]
    text = (
        "\n".join(map(repr, shown)) + caplog.text + "".join(capsys.readouterr()) + (tmp_path / "world.json").read_text()
    )
    assert KEY not in text
    assert data(
        httpx.get(
            f"{remote.api_url}/users",
            headers={"authorization": f"Bearer {remote.token(remote.users[0].id)['access_token']}"},
        )
    )
