"""``clio-nb login`` in a terminal of its own: it waits for the browser and for what is pasted, at the same time."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

import clio_nb

from ..ports import free_port

pty = pytest.importorskip("pty", reason="there are no terminals of this kind on Windows")
COMMAND = [sys.executable, "-c", "from clio_nb.cli import main; main()", "login", "--site"]


@pytest.fixture
def site():
    with clio_nb.sandbox(redirect_uris=[f"http://127.0.0.1:{free_port()}/callback"]) as sandbox:
        yield sandbox


@pytest.fixture(autouse=True)
def _own_folders(tmp_path, monkeypatch):
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.setenv("TERM", "dumb")
    for name in ("CLIO_NB_SITE", "CLIO_NB_VAULT", "BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)


def allowed(url, user, decision="allow"):
    """Do what a person does on the consent page; return where the browser is sent."""
    with httpx.Client(trust_env=False) as browser:
        page = browser.get(url)
        consent = re.search(r'name="consent" value="([^"]+)"', page.text)[1]
        pressed = {"consent": consent, "user_id": user.id, "decision": decision}
        return browser.post(str(page.url.copy_with(query=None)), data=pressed).headers["location"]


OWN = """import os, sys, fcntl, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY)
os.execv(sys.argv[1], sys.argv[1:])"""


class Terminal:
    """Somebody in front of a command in a terminal of its own: what it has said so far, and what is typed."""

    def __init__(self, *command):
        self._fd, theirs = pty.openpty()
        started = [sys.executable, "-c", OWN, *command]
        self.process = subprocess.Popen(started, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        self.said = ""

    def until(self, words):
        while not re.search(words, self.said):
            assert self._read(), f"no {words!r} in: {self.said}"
        return self

    def _read(self):
        read = ""
        with contextlib.suppress(OSError):  # it has ended
            read = os.read(self._fd, 4096).decode()
        self.said += read
        return read

    def type(self, text):
        os.write(self._fd, text.encode())

    def end(self):
        """Read to the end, and return the exit code."""
        while self._read():
            pass
        os.close(self._fd)
        return self.process.wait(60)

    @property
    def link(self):
        return re.search(r"http://\S+/oauth/authorize\S+", self.said)[0]


@pytest.fixture
def terminal(site):
    return Terminal(*COMMAND, site.origin).until("press Enter")


def test_it_says_what_it_waits_for_and_the_browser_comes_back(site, terminal):
    assert "Waiting 5 minutes for the browser to come back." in terminal.said
    assert "paste its address or the code here" in terminal.said
    assert httpx.get(allowed(terminal.link, site.users[1]), trust_env=False).status_code == 200
    assert terminal.end() == 0
    assert f"{site.users[1].name} ({site.users[1].id}) is signed in." in terminal.said


def test_a_code_is_taken_while_it_listens_and_not_shown(site, terminal):
    code = parse_qs(urlsplit(allowed(terminal.link, site.users[2])).query)["code"][0]
    terminal.type(f"  {code} \n")
    assert terminal.end() == 0
    assert f"{site.users[2].name} ({site.users[2].id}) is signed in." in terminal.said
    assert code not in terminal.said


def test_what_was_pasted_by_mistake_does_not_end_the_wait_for_the_right_address(site, terminal):
    terminal.type("\n   \nls -l\n")
    terminal.until("Paste the code that Clio shows, or the whole address")
    terminal.type("no-such-code\n")
    terminal.until("Clio refused the code")
    terminal.type(f"{site.redirect_uri}?code=x&state=of-another-login\n")
    terminal.until("belongs to another login")
    terminal.type(allowed(terminal.link, site.users[0]) + "\n")
    assert terminal.end() == 0


def test_declining_ends_it_in_one_sentence(site, terminal):
    httpx.get(allowed(terminal.link, site.users[0], "decline"), trust_env=False)
    assert terminal.end() == 1
    assert "clio-nb: The user declined." in terminal.said


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_wait_and_leaves_the_terminal_as_it_was(site, ending):
    import termios

    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    with subprocess.Popen([*COMMAND, site.origin], stdin=theirs, stdout=subprocess.PIPE) as process:
        assert any(b"press Enter" in line for line in iter(process.stdout.readline, b""))
        assert termios.tcgetattr(theirs) != before
        process.send_signal(ending)
        assert process.wait(60) == 130
    assert termios.tcgetattr(theirs) == before
    os.close(ours)
    os.close(theirs)


def test_a_port_that_another_program_has_leaves_pasting(site):
    with socket.create_server(("127.0.0.1", urlsplit(site.redirect_uri).port)):
        terminal = Terminal(*COMMAND, site.origin).until("press Enter").until("is in use by another program")
        terminal.type(allowed(terminal.link, site.users[0]) + "\n")
        assert terminal.end() == 0


def test_a_code_can_be_piped_in_where_the_browser_cannot_come_back():
    with clio_nb.sandbox() as near, clio_nb.sandbox(redirect_uris=[f"{near.origin}/oauth/approval"]) as far:
        piped = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        with subprocess.Popen([*COMMAND, far.origin], **piped) as process:
            link, waits = process.stdout.readline().split()[-1], process.stdout.readline()
            assert "for the code that Clio shows" in waits
            code = parse_qs(urlsplit(allowed(link, far.users[1])).query)["code"][0]
            out, err = process.communicate(code)  # without a line break at its end
        assert process.returncode == 0, err
        assert f"{far.users[1].name} ({far.users[1].id}) is signed in." in out
        with subprocess.Popen([*COMMAND, far.origin], **piped) as process:
            _, err = process.communicate("")
        assert process.returncode == 1
        assert err == "clio-nb: There is nothing to read the code from: run this in a terminal.\n"


def test_without_anything_to_read_it_still_waits_for_the_browser(site):
    nothing = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([*COMMAND, site.origin], **nothing) as process:
        link = process.stdout.readline().split()[-1]
        httpx.get(allowed(link, site.users[1]), trust_env=False)
        assert "is signed in" in process.communicate()[0]
    assert process.returncode == 0


def test_it_opens_the_browser_where_there_is_one(site, tmp_path, monkeypatch):
    opener = tmp_path / "browser"
    opener.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    opener.chmod(0o700)
    monkeypatch.setenv("BROWSER", str(opener))
    terminal = Terminal(*COMMAND, site.origin).until("press Enter")
    assert "Clio's consent page is open in your browser:" in terminal.said
    assert (tmp_path / "opened").read_text().strip() == terminal.link
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.end() == 130


@pytest.mark.parametrize(
    ("environ", "there"),
    [
        ({}, False),
        ({"DISPLAY": ":0"}, True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, True),
        ({"DISPLAY": ":0", "SSH_CONNECTION": "x"}, False),
        ({"DISPLAY": ":0", "JUPYTERHUB_SERVICE_PREFIX": "/user/someone/"}, False),
        ({"BROWSER": "a-helper", "SSH_CONNECTION": "x"}, True),
    ],
)
def test_a_browser_is_opened_only_where_the_person_sits(environ, there, monkeypatch):
    from clio_nb.http.hub import has_browser

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "environ", environ)
    assert has_browser() is there


def test_in_the_background_it_leaves_the_terminal_alone(site):
    """As ``clio-nb login &``: a shell would stop a program that reads from its terminal or changes it."""
    shell = Terminal("/bin/bash", "--norc", "-i")
    shell.type(f"PS1=; {sys.executable} -c '{COMMAND[2]}' login --site {site.origin} & wait $!; echo code=$?\n")
    shell.until("press Enter")
    answer = threading.Thread(target=lambda: httpx.get(allowed(shell.link, site.users[0]), trust_env=False))
    answer.start()
    shell.until(r"code=\d")
    answer.join()
    assert "code=0" in shell.said
    assert "Stopped" not in shell.said
    shell.type("exit\n")
    shell.end()
