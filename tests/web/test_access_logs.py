"""Promise D2: with the commands and the proxy of the page, no nonce, code or state stands in any log."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import ssl
import subprocess
from urllib.parse import quote

import httpx
import pytest

import clio_nb as clio

from ..docs.page import blocks_of
from ..ports import free_port
from .production import PAGE, Person, commands_with, settings_of, started
from .servers import wait_for

SERVERS = ("uvicorn", "granian", "hypercorn", "gunicorn")
PUBLIC = "https://app.example"


def walk(person):
    """Both journeys, a reload, a replay and a callback that comes twice."""
    callback = person.begin()
    assert person.get(callback).status_code == 200
    assert person.get(callback).status_code == 400
    launch = person.click()
    assert person.open(launch).status_code == 200
    for _ in range(2):
        person.get(launch)
    assert len(person.secrets) == 3


def found(secrets, *logs):
    text = "\n".join(log.read_text() for log in logs)
    return [one for one in secrets if one in text or quote(one, safe="") in text]


@pytest.fixture
def on_a_server(tmp_path):
    """Walk through both journeys at a server; give what it wrote, and the secrets."""

    def walked(command):
        port = free_port()
        base = f"http://127.0.0.1:{port}"
        with (
            clio.sandbox(redirect_uris=[f"{base}/clio/callback"]) as site,
            httpx.Client(trust_env=False, timeout=60) as browser,
        ):
            person = Person(site, site.users[0], browser, base)
            vault = tmp_path / "data" / "vault.sqlite"
            with started(command, settings_of(site, vault, base), tmp_path / "log", port=port):
                walk(person)
                callback = person.begin()
                vault.rename(vault.with_name("moved"))  # what goes wrong is logged, too
                assert [person.get(url).status_code for url in (callback, person.click())] == [503, 403]
        return tmp_path / "log", person.secrets

    return walked


@pytest.mark.parametrize("server", SERVERS)
def test_d2_each_server_keeps_nonces_codes_and_states_out_of_its_log(on_a_server, server):
    (command,) = commands_with(f"$ {server} ")
    log, secrets = on_a_server(command)
    assert found(secrets, log) == []
    assert ("/launch" in log.read_text()) is (server != "uvicorn")  # the others still say which pages were asked for


@pytest.mark.long
@pytest.mark.parametrize(
    "left_as_it_is", ["uvicorn app:app --port 8000", "gunicorn app:app --bind 127.0.0.1:8000 --access-logfile -"]
)
def test_d2_what_the_page_says_of_servers_left_as_they_are_is_so(on_a_server, left_as_it_is):
    log, secrets = on_a_server(left_as_it_is)
    assert found(secrets, log) == secrets


@contextlib.contextmanager
def nginx(folder, configuration, upstream):
    """Run nginx with the configuration of the page; gives its port and a browser that resolves app.example to it."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        asked = os.environ.get("CLIO_NB_REQUIRE", "")
        (pytest.fail if asked == "all" or "nginx" in asked else pytest.skip)("there is no nginx on this machine")
    port = free_port()
    pem = folder / "app.example.pem"
    certificate = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=app.example"]
    more = ["-addext", "subjectAltName=DNS:app.example", "-keyout", str(folder / "app.example.key"), "-out", str(pem)]
    subprocess.run([*certificate, *more], check=True, capture_output=True)
    configuration = configuration.replace("/etc/ssl", str(folder)).replace("/var/log/nginx", str(folder))
    configuration = configuration.replace("443 ssl", f"127.0.0.1:{port} ssl").replace("8000", str(upstream))
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/main.log; events {{}}\n"
        f"http {{ client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;\n"
        f"uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5; {configuration} }}"
    )
    with subprocess.Popen([program, "-c", str(folder / "nginx.conf"), "-e", str(folder / "main.log")]) as process:
        try:
            wait_for(port, process, folder / "main.log")
            with httpx.Client(trust_env=False, verify=ssl.create_default_context(cafile=pem), timeout=30) as browser:
                yield port, browser
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


@pytest.mark.parametrize("careless", [False, True], ids=["as in the page", "left as it is"])
def test_d2_behind_nginx_both_journeys_work_and_its_logs_hold_no_query_also_when_the_app_is_down(tmp_path, careless):
    (configuration,) = [block.text for block in blocks_of(PAGE) if block.language == "nginx"]
    if careless:
        configuration = configuration.replace(" no_query;", ";").replace(" crit;", ";")
    port, logs = free_port(), [tmp_path / "app.log", tmp_path / "app.error.log"]
    with (
        clio.sandbox(redirect_uris=[f"{PUBLIC}/clio/callback"]) as site,
        nginx(tmp_path, configuration, port) as (proxy, browser),
    ):

        def at(url):
            here = {"headers": {"host": "app.example"}, "extensions": {"sni_hostname": "app.example"}}
            return url.replace(PUBLIC, f"https://127.0.0.1:{proxy}"), here

        person = Person(site, site.users[0], browser, PUBLIC, at)
        (command,) = commands_with("$ uvicorn ")
        settings = settings_of(site, tmp_path / "vault.sqlite", PUBLIC)
        with started(command, settings, tmp_path / "log", port=port):
            walk(person)
            assert {(one.secure, one.path) for one in browser.cookies.jar} == {(True, "/launch")}
            assert person.get(f"{PUBLIC}/clio/healthz").status_code == 200
        assert person.get(person.click()).status_code == 502  # nobody is behind the proxy
    assert (found(person.secrets, *logs) == []) is not careless
    if careless:
        assert all(found(person.secrets[-1:], log) for log in logs)
    else:
        assert "GET /launch 303" in logs[0].read_text()
        assert "GET /launch 502" in logs[0].read_text()
