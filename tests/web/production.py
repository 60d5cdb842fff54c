"""An app in production: run by a command of the page "Deploy", and walked through by a person at its public address."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
from urllib.parse import parse_qsl, urlsplit

from clio_nb.vault.keys import new_key

from ..docs.page import ROOT, blocks_of
from .servers import wait_for

PAGE = ROOT / "docs" / "how-to" / "deploy.md"
EXAMPLES = {"asgi": ROOT / "docs" / "examples" / "fastapi", "wsgi": ROOT / "docs" / "examples" / "flask"}


def commands_with(words):
    """The commands of the page in which these words stand."""
    lines = [line for block in blocks_of(PAGE) if block.language == "console" for line in block.text.splitlines()]
    found = [line.removeprefix("$ ") for line in lines if words in line]
    assert found, f"{PAGE} has no command with {words}"
    return found


def settings_of(site, vault, public, **changed):
    """What every process of the app gets."""
    return {
        "CLIO_NB_SITE": site.origin,
        "CLIO_CLIENT_ID": site.client_id,
        "CLIO_CLIENT_SECRET": site.client_secret,
        "APP_URL": public,
        "LAUNCH_KEY": "k" * 43,
        "CLIO_NB_VAULT": str(vault),
        "CLIO_NB_KEY": new_key().reveal(),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        "PYTHONDONTWRITEBYTECODE": "1",
        **changed,
    }


@contextlib.contextmanager
def started(command, settings, log, *, port, workers=1):
    """Run a server by a command of the page, on this port, until the block ends."""
    words = shlex.split(command.replace("8000", str(port)).replace("--workers 4", f"--workers {workers}"))
    kind = "wsgi" if words[0] == "gunicorn" else "asgi"
    with (
        log.open("a") as out,
        subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=EXAMPLES[kind],
            env={**os.environ, **settings},
            stdout=out,
            stderr=out,
            start_new_session=True,
        ) as process,
    ):
        try:
            wait_for(port, process, log)
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


class Person:
    """Somebody with a browser. ``at`` turns public addresses into those of this machine, for one visit."""

    def __init__(self, site, user, browser, public, at=lambda url: (url, {})):
        self.site, self.user, self.browser, self.public, self.at = site, user, browser, public, at
        self.secrets = []  # what an address has held that must stand in no log

    def get(self, url, at=None):
        where, more = (at or self.at)(url)
        return self.browser.get(where, follow_redirects=False, **more)

    def begin(self, at=None):
        """Open the link and press Allow at Clio; return where that sends the browser."""
        begun = self.get(f"{self.public}/clio/connect", at)
        assert begun.status_code == 303, begun.text
        page = self.browser.get(begun.headers["location"])
        said = {"consent": re.search(r'name="consent" value="([^"]+)"', page.text)[1], "decision": "allow"}
        answer = self.browser.post(f"{self.site.origin}/oauth/authorize", data={**said, "user_id": self.user.id})
        return self._noted(answer.headers["location"])

    def connect(self, at=None):
        page = self.get(self.begin(at), at)
        assert page.status_code == 200, page.text
        assert "<h1>Connected" in page.text

    def click(self):
        return self._noted(self.site.click_on(self.user.id, f"{self.public}/launch"))

    def open(self, launch, at=None, then=None):
        """Open a launch at one process, and the page that it leads to at the same, or another one."""
        moved = self.get(launch, at)
        assert moved.status_code == 303, moved.text
        query = moved.headers["location"].partition("?")[2]
        return self.get(f"{self.public}/launch?{query}", then or at)

    def _noted(self, url):
        held = dict(parse_qsl(urlsplit(url).query))
        self.secrets += [held[name] for name in ("code", "state", "custom_action_nonce") if name in held]
        return url
