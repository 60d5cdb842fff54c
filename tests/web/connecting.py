"""A partner's app with the pages by which users connect, and people who walk through them as browsers do."""

from __future__ import annotations

import re
from functools import partial
from typing import Any, NamedTuple

import clio_nb as clio
from clio_nb.web import asgi, wsgi

from ..launches.conftest import KEY, new_browser

MANIFEST = """[app]
name = "partner-sign"

[[actions]]
key = "sign"
label = "Send for signature"
target_url = "{base}/launch"
locations = ["matters", "documents"]

[[actions]]
key = "accounts"
label = "Send to accounts"
target_url = "{base}/launch"
locations = ["activities"]
who = {{ roles = ["admin"] }}
"""


class Partner:
    """One app on one or several servers that share a vault; ``told`` is what its hooks heard."""

    def __init__(self, serve, folder, kind="asgi", *, vault=None, workers=1, site=None, **sandbox):
        self.kind, self.told, self.browsers = kind, [], []
        self.manifest = folder / "actions.toml"
        self.vaults = [vault() if vault else clio.Vault() for _ in range(workers)]
        self.origins, self.pages = [], []
        self._apps = [_Late() for _ in range(workers)]
        self.origins = [serve(app if kind == "asgi" else app.wsgi, kind) for app in self._apps]
        self.base = self.origins[0]
        self.manifest.write_text(MANIFEST.format(base=self.base))
        uris = [f"{origin}/clio/callback" for origin in self.origins]
        self.site = clio.sandbox(redirect_uris=uris, deauthorization_url=f"{self.base}/clio/deauthorized", **sandbox)

    def open(self, sites=None, **options):
        """Mount the pages on every server; all believe that they are reached at the first one's address."""
        made = {"asgi": asgi.Onboarding, "wsgi": wsgi.Onboarding}[self.kind]
        hooks = {name: partial(self._hear, name) for name in ("connected", "declined", "disconnected", "failed")}
        given = {"manifest": self.manifest, "key": KEY, "url": f"{self.base}/clio", **hooks, **options}
        self.pages = [made(sites or self.site, vault, **given) for vault in self.vaults]
        for app, pages in zip(self._apps, self.pages, strict=True):
            app.pages = pages
        return self

    def _hear(self, name, *said):
        self.told.append((name, *said))

    @property
    def names(self):
        return [name for name, *_ in self.told]

    def close(self):
        for browser in self.browsers:
            browser.close()
        for vault in self.vaults:
            vault.close()
        self.site.close()

    def firm(self, worker=0):
        return clio.Firm(self.site, self.vaults[worker], name=str(self.site.account_id))

    def actions(self, user):
        """What stands in the user's menus, as Clio has it."""
        session = clio.Session(self.site, self.site.token(user.id)["access_token"])
        return sorted((one.label, one.location.resource) for one in session.list_actions())


class _Late:
    """An app that is made after its address is known: the pages under ``/clio``, launches at ``/launch``."""

    pages = None

    async def __call__(self, scope, receive, send):
        if scope["path"] == "/launch":
            await asgi.LaunchMiddleware(_shown, sessions=self.pages, key=KEY)(scope, receive, send)
        else:
            await self.pages({**scope, "root_path": "/clio"}, receive, send)

    def wsgi(self, environ, start_response):
        if environ["PATH_INFO"] == "/launch":
            return wsgi.LaunchMiddleware(_shown_wsgi, sessions=self.pages, key=KEY)(environ, start_response)
        path = environ["PATH_INFO"].removeprefix("/clio")
        return self.pages({**environ, "SCRIPT_NAME": "/clio", "PATH_INFO": path}, start_response)


async def _shown(scope, receive, send):
    launch = asgi.launch_of(Request(scope))
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
    await send({"type": "http.response.body", "body": _page_of(launch.user_id, (await launch.record()).title)})


def _shown_wsgi(environ, start_response):
    launch = wsgi.launch_of(environ)
    start_response("200 OK", [("content-type", "text/html")])
    return [_page_of(launch.user_id, launch.record().title)]


def _page_of(user_id, title):
    return f"<!doctype html><title>{title}</title>user {user_id}".encode()


class Request(NamedTuple):
    """What a page of Starlette is called with."""

    scope: Any


class Visitor:
    """A browser in which one person signs in at Clio."""

    def __init__(self, partner):
        self.partner = partner
        self.browser = new_browser()
        partner.browsers.append(self.browser)

    def begin(self, query="", worker=0, path="connect"):
        """Open the link; return the address of Clio's consent page."""
        answer = self.browser.get(f"{self.partner.origins[worker]}/clio/{path}{query}")
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    def decide(self, consent, user, decision="allow"):
        """Press Allow or Decline at Clio; return the address to which it sends the browser back."""
        page = self.browser.get(consent)
        hidden = re.search(r'name="consent" value="([^"]+)"', page.text)[1]
        said = {"consent": hidden, "user_id": user.id, "decision": decision}
        answer = self.browser.post(f"{consent.split('/oauth/')[0]}/oauth/authorize", data=said)
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]

    def back(self, address, worker=0):
        """Follow Clio's redirect, to whichever worker answers."""
        return self.browser.get(address.replace(self.partner.base, self.partner.origins[worker], 1))

    def connect(self, user, query="", decision="allow"):
        return self.back(self.decide(self.begin(query), user, decision))
