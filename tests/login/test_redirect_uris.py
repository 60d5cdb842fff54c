"""Redirect URIs as people register them: what leads back here, what is pasted, and what is refused at once."""

from __future__ import annotations

import dataclasses
import os
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest

import clio_nb
from clio_nb import errors
from clio_nb.http import hub, loop, loopback
from clio_nb.http.oauth import Authorization
from clio_nb.login import Login, connect
from clio_nb.login import _callback as callback
from clio_nb.login.redirect_uri import way_back
from clio_nb.vocabulary import Region

from ..ports import free_port
from .test_login import browser, redirect_of, waiting

__all__ = ["browser"]

ANSWERED = [
    "http://127.0.0.1:{port}",
    "http://127.0.0.1:{port}/",
    "http://127.0.0.1:{port}/callback",
    "http://127.0.0.1:{port}/callback/",
    "http://127.0.0.1:{port}/oauth/callback",
    "http://127.0.0.1:{port}/call%20back",
    "http://127.0.0.1:{port}/caf%C3%A9",
    "http://127.0.0.1:{port}/a%2Fb",
    "http://127.0.0.1:{port}/a+b",
    "http://127.0.0.1:{port}/callback?firm=1&x=%20",
    "http://127.0.0.1:{port}?firm=1",
    "HTTP://127.0.0.1:{port}/callback",
    "http://localhost:{port}",
    "http://localhost:{port}/callback",
    "http://LocalHost:{port}/callback",
    "http://[::1]:{port}/callback",
]


@pytest.fixture
def port():
    return free_port()


def site_with(redirect_uri, port):
    with socket.create_server(("127.0.0.1", port)):  # or the sandbox could be given the same port
        return clio_nb.sandbox(redirect_uris=(redirect_uri,))


@pytest.mark.parametrize("form", ANSWERED)
def test_n2_the_browser_comes_back_to_every_form_of_an_address_here(port, browser, form):
    redirect_uri = form.format(port=port)
    with site_with(redirect_uri, port) as site:
        attempt = Login(site)
        with waiting(attempt) as future:
            back = redirect_of(browser, attempt.authorization_url, site.users[1])
            assert back.lower().startswith(redirect_uri.lower())
            assert browser.get(urljoin(back, "/another")).status_code == 404
            assert browser.get(back).status_code == 200
            assert future.result(20).user.id == site.users[1].id


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_n2_without_a_port_the_browser_leaves_it_out_of_its_host(port, browser, host):
    way = dataclasses.replace(way_back(f"http://{host}/callback"), port=port)
    with clio_nb.sandbox() as site:
        grant = Authorization(site, f"http://{host}/callback")

        async def visit():
            async with callback.listen(grant, way) as answered, httpx.AsyncClient(trust_env=False) as client:
                query = f"code=x&state={grant.state.reveal()}"
                for name in ("evil.example", f"{host}:81", f"{host}"):
                    page = await client.get(f"http://127.0.0.1:{port}/callback?{query}", headers={"host": name})
                    assert answered.answer.done() == (name == host)
                return page.status_code

        assert loop.run(visit) == 200
    assert way_back(f"http://{host}:80/callback") == way_back(f"http://{host}/callback") or host in way.hosts


REFUSED = [
    "http://127.0.0.1:0/callback",
    "http://127.0.0.1:99999/callback",
    "http://127.0.0.1:port/callback",
    "http://127.0.0.1:8765/call back",
    "http://127.0.0.1:8765/callback#done",
    "http://127.0.0.1:8765/caf\N{LATIN SMALL LETTER E WITH ACUTE}",
    "http://ann@127.0.0.1:8765/callback",
    "http://[::1:8765/callback",
    "http:///callback",
    "http:127.0.0.1:8765/callback",
    "https://partner.example/callback#done",
    "127.0.0.1:8765/callback",
    "localhost:8765",
    "localhost/callback",
    "[::1]:8765/callback",
]


@pytest.mark.parametrize("redirect_uri", REFUSED)
def test_n2_what_no_app_can_register_is_refused_at_once_with_what_to_register(redirect_uri):
    for give in (
        lambda: connect("eu", client_id="key", client_secret="secret", redirect_uri=redirect_uri),
        lambda: Login(clio_nb.App(Region.EU, "key", clio_nb.Secret("secret"), redirect_uri)),
        lambda: Login(clio_nb.App(Region.EU, "key", clio_nb.Secret("secret")), redirect_uri=redirect_uri),
    ):
        with pytest.raises(errors.InvalidInput, match=r"http://127\.0\.0\.1:8765/callback") as caught:
            give()
        assert caught.value.field == "redirect_uri"


PASTED = [
    "https://127.0.0.1:8765/callback",
    "https://localhost/callback",
    "https://[::1]:8765/callback",
    "https://eu.app.clio.com/oauth/approval",
    "https://partner.example/callback",
    "http://192.168.1.5:8765/callback",
    "http://localhost.example/callback",
    "urn:ietf:wg:oauth:2.0:oob",
    "com.partner.app:/callback",
]


@pytest.mark.parametrize("redirect_uri", PASTED)
def test_n2_where_no_listener_can_answer_pasting_is_offered_at_once(browser, redirect_uri):
    with clio_nb.sandbox(redirect_uris=(redirect_uri,)) as site:
        attempt = Login(site)
        assert attempt.port is None
        with pytest.raises(errors.InvalidInput, match="paste") as caught:
            attempt.wait(1)
        assert ("https" in str(caught.value)) == (way_back(redirect_uri).why != way_back("http://far.example").why)
        if "partner.app" not in redirect_uri and "urn" not in redirect_uri:
            back = redirect_of(browser, attempt.authorization_url, site.users[1])
            assert attempt.finish(back).user.id == site.users[1].id


# Ports.


def test_n2_a_forbidden_port_is_not_called_busy_and_pasting_still_works(port, browser, monkeypatch):
    class Forbidden(socket.socket):
        def bind(self, address):
            raise PermissionError(13, "Permission denied")

    redirect_uri = f"http://127.0.0.1:{port}/callback"
    with site_with(redirect_uri, port) as site:
        monkeypatch.setattr(loopback.socket, "socket", Forbidden)
        attempt, met = Login(site), []
        with pytest.raises(errors.PortBusy, match="forbidden") as caught:
            attempt.wait(1)
        assert "in use" not in str(caught.value)
        assert "pasting" in str(caught.value)
        monkeypatch.undo()
        back = redirect_of(browser, attempt.authorization_url, site.users[1])
        monkeypatch.setattr(loopback.socket, "socket", Forbidden)

        async def ask(problem):
            met.append(problem.why)
            monkeypatch.undo()
            return back

        assert attempt.wait(20, ask=ask).user.id == site.users[1].id
        assert met == [f"Port {port} is forbidden to programs of this user."]


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can become another user")
def test_n2_a_low_port_is_forbidden_to_a_user_without_rights():
    start = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
    if not start.exists() or int(start.read_text()) <= 80:
        pytest.skip("this system lets every user listen on port 80")
    code = """if True:
        import os
        from clio_nb.http import loopback
        os.setuid(65534)
        loopback.listeners("127.0.0.1", 80, advice="Paste.")
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert "Port 80 is forbidden to programs of this user (ports below 1024 often are). Paste." in done.stderr


def test_n2_localhost_is_refused_when_another_program_has_either_of_its_addresses(port):
    with socket.create_server(("::1", port), family=socket.AF_INET6), pytest.raises(errors.PortBusy, match="in use"):
        loopback.listeners("localhost", port, advice="Paste.")
    socket.create_server(("127.0.0.1", port)).close()  # nothing was left open


def test_n2_localhost_works_on_a_machine_without_the_newer_protocol(port, monkeypatch):
    class Older(socket.socket):
        def bind(self, address):
            if self.family == socket.AF_INET6:
                raise OSError(99, "Cannot assign requested address")
            super().bind(address)

    monkeypatch.setattr(loopback.socket, "socket", Older)
    (only,) = loopback.listeners("localhost", port, advice="Paste.")
    with only:
        assert only.getsockname() == ("127.0.0.1", port)


@pytest.mark.parametrize("which", ["login and inbox", "sandbox"])
def test_n2_on_windows_no_second_listener_may_share_the_port(which):
    """By the options that are set: there, SO_REUSEADDR would let another program listen on the same port."""
    code = f"""if True:
        import socket
        said = []
        class Told(socket.socket):
            def setsockopt(self, *option):
                said.append(option[1])
        socket.SO_EXCLUSIVEADDRUSE, socket.socket = ~socket.SO_REUSEADDR, Told
        if {which == "sandbox"}:
            from clio_nb.sandbox.server.server import listen
            listen("127.0.0.1", 0).close()
        else:
            from clio_nb.http.loopback import listeners
            [one.close() for one in listeners("localhost", 0, advice="")]
        assert said and set(said) == {{socket.SO_EXCLUSIVEADDRUSE}}, said
    """
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_n2_a_second_listener_is_refused_here_too(port):
    (first,) = loopback.listeners("127.0.0.1", port, advice="")
    with first, pytest.raises(errors.PortBusy, match="in use"):
        loopback.listeners("127.0.0.1", port, advice="")


# Kernels far away.

FAR = {
    "Codespaces": "CODESPACES",
    "Colab": "COLAB_RELEASE_TAG",
    "Databricks": "DATABRICKS_RUNTIME_VERSION",
    "Deepnote": "DEEPNOTE_PROJECT_ID",
    "Kaggle": "KAGGLE_KERNEL_RUN_TYPE",
    "SageMaker": "SAGEMAKER_APP_TYPE",
    "SSH": "SSH_CONNECTION",
}


@pytest.mark.parametrize("place", FAR)
def test_n2_on_a_kernel_far_away_the_way_back_is_clios_own_page(place, monkeypatch):
    monkeypatch.setattr(os, "environ", {FAR[place]: "x", "DISPLAY": ":0"})
    assert hub.redirect_uri_here(Region.EU) == "https://eu.app.clio.com/oauth/approval"
    assert not hub.has_browser()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_n2_a_timeout_says_that_one_can_paste(port, host):
    """A container or a notebook service need not say that it is one: so every timeout says it."""
    with (
        site_with(f"http://{host}:{port}/callback", port) as site,
        pytest.raises(errors.LoginTimeout, match=r"paste the address of that page.*finish\(\)"),
    ):
        Login(site).wait(0.05)
