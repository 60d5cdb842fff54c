"""The pytest plugin: an embedded Clio for your tests, and what its users do there.

Options go on a marker: ``@pytest.mark.clio_sandbox(users=20, rate_limit=None)``.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import pytest

if TYPE_CHECKING:
    import httpx

    from ..firm import Firm
    from ..firm.manifest import Manifest
    from ..sandbox import Sandbox


class HasId(Protocol):
    """A user of the sandbox."""

    @property
    def id(self) -> int:
        """Clio's id of the user."""


@dataclass(frozen=True)
class SignedInUser:
    """A user of the demo firm who has allowed the app, with the tokens of that."""

    id: int
    name: str
    email: str
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", "clio_sandbox(**options): options of the sandbox that clio_sandbox starts")


@pytest.fixture
def _clio_port() -> Iterator[socket.socket]:
    """Hold a port for the app: not one that a system gives to whoever asks for any, while the app is being started."""
    for _ in range(100):
        address = ("127.0.0.1", secrets.choice(range(20_000, 32_000)))  # whatever seed the tests give to random
        with contextlib.suppress(OSError), socket.create_server(address) as held:
            yield held
            return


@pytest.fixture
def clio_sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """Start an embedded Clio on a free port of this machine, fresh for each test."""
    from ..sandbox import Sandbox  # noqa: PLC0415 - only where it is used

    marker = request.node.get_closest_marker("clio_sandbox")
    options = dict(marker.kwargs) if marker else {}
    if "clio_app" in request.fixturenames:
        port: socket.socket = request.getfixturevalue("_clio_port")
        options.setdefault("redirect_uris", [f"{_url(port)}/clio/callback"])
    with Sandbox(**options) as site:
        yield site


@pytest.fixture
def clio_user(clio_sandbox: Sandbox) -> SignedInUser:
    """Give the account owner of the demo firm, signed in."""
    user = clio_sandbox.users[0]
    tokens = clio_sandbox.token(user.id)
    return SignedInUser(user.id, user.name, user.email, tokens["access_token"], tokens["refresh_token"])


@pytest.fixture
def clio_click(clio_sandbox: Sandbox, clio_user: SignedInUser) -> Callable[..., str]:
    """Give ``click(target_url, at="matters", user=...)``: the launch URL that your app gets when somebody clicks.

    Without ``user`` it is the account owner who clicks.
    """

    def click(target_url: str, at: str = "matters", record: int = 0, *, user: HasId | None = None) -> str:
        url: str = clio_sandbox.click_on((user or clio_user).id, target_url, at, record)
        return url

    return click


@pytest.fixture
def clio_connect(clio_sandbox: Sandbox) -> Callable[[str, HasId], httpx.Response]:
    """Give ``connect(link, user)``: follow your app's link to Clio, press *Allow*, and come back, as a browser does.

    The link is your app's own, such as ``"http://127.0.0.1:8000/clio/connect"`` or an invitation. What is given is the
    page at which the browser ends up. With ``decision="decline"`` the user presses *Decline*.
    """
    import httpx  # noqa: PLC0415 - only where it is used

    def connect(link: str, user: HasId, decision: Literal["allow", "decline"] = "allow") -> httpx.Response:
        with httpx.Client(follow_redirects=True, trust_env=False, timeout=60) as browser:
            page = browser.get(link)
            consent = re.search(r'name="consent" value="([^"]+)"', page.text)
            if not str(page.url).startswith(clio_sandbox.origin) or consent is None:
                raise AssertionError(f"{link} did not lead to the consent page of {clio_sandbox.origin}: {page}")
            said = {"consent": consent[1], "user_id": str(user.id), "decision": decision}
            return browser.post(f"{clio_sandbox.origin}/oauth/authorize", data=said)

    return connect


@pytest.fixture
def clio_firm(clio_sandbox: Sandbox) -> Callable[[Manifest | Path | str], Firm]:
    """Give ``firm(manifest)``: the demo firm, in which everyone has signed in and has what the manifest says."""
    from ..firm import Firm  # noqa: PLC0415 - only where it is used

    def equipped(manifest: Manifest | Path | str) -> Firm:
        firm = Firm(clio_sandbox)
        firm.sign_in_everyone()
        firm.apply(firm.plan(manifest), progress=False)
        return firm

    return equipped


@pytest.fixture
def clio_app(
    request: pytest.FixtureRequest, clio_sandbox: Sandbox, _clio_port: socket.socket, tmp_path: Path
) -> Iterator[Callable[[str], str]]:
    """Give ``start(command)``: your app in a process of its own, with the sandbox as its Clio. It returns the URL.

    The command, such as ``"uvicorn app:app --port {port}"``, runs in the folder of your test, with ``CLIO_NB_SITE``,
    ``CLIO_CLIENT_ID``, ``CLIO_CLIENT_SECRET``, ``APP_URL``, ``LAUNCH_KEY``, ``CLIO_NB_VAULT`` and ``CLIO_NB_KEY`` in
    its environment. The sandbox sends users back to ``/clio/callback``, if its marker names no other redirect URI.
    Started again, the app is killed first: vault and keys stay.
    """
    from ..vault.keys import new_key  # noqa: PLC0415 - only where it is used

    url = _url(_clio_port)
    settings = {
        "CLIO_NB_SITE": clio_sandbox.origin,
        "CLIO_CLIENT_ID": clio_sandbox.client_id,
        "CLIO_CLIENT_SECRET": clio_sandbox.client_secret,
        "APP_URL": url,
        "LAUNCH_KEY": new_key().reveal(),
        "CLIO_NB_VAULT": str(tmp_path / "vault.sqlite"),
        "CLIO_NB_KEY": new_key().reveal(),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
    }
    running = contextlib.ExitStack()

    def start(command: str) -> str:
        running.close()
        _clio_port.close()
        process = subprocess.Popen(  # noqa: S603 - what the test says
            shlex.split(command.replace("{port}", url.rpartition(":")[2])),
            cwd=request.path.parent,
            env={**os.environ, **settings},
            start_new_session=True,
        )
        running.callback(_kill, process, url)
        _wait(url, lambda listens: listens or process.poll() is not None)
        if process.poll() is not None:
            pytest.fail(
                f"{command} ended with exit code {process.returncode}; what it printed says why.", pytrace=False
            )
        return url

    with running:
        yield start


def _url(port: socket.socket) -> str:
    return f"http://127.0.0.1:{port.getsockname()[1]}"


def _kill(process: subprocess.Popen[bytes], url: str) -> None:
    """Kill an app with its workers, and wait until none of them has the port any more."""
    if sys.platform == "win32":
        process.kill()
    else:
        with contextlib.suppress(ProcessLookupError):  # it has ended by itself
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    _wait(url, lambda listens: not listens)


def _wait(url: str, until: Callable[[bool], bool], seconds: float = 120) -> None:
    """Wait until it is as wanted whether somebody listens at an address."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with socket.socket() as asking:
            if until(asking.connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))) == 0):
                return
        time.sleep(0.05)
    pytest.fail(f"Nothing has changed at {url} for {seconds:g} seconds.", pytrace=False)
