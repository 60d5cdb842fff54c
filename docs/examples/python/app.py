"""A partner's whole app: it connects users, puts an action into their menus, and receives the launches.

Run it: ``python app.py`` with CLIO_REGION, CLIO_CLIENT_ID, CLIO_CLIENT_SECRET and LAUNCH_KEY set.
"""

from __future__ import annotations

import os
import secrets
from html import escape
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

import clio_nb as clio
from clio_nb import aio
from clio_nb.firm.manifest import parse_manifest
from clio_nb.web.asgi import LaunchMiddleware, launch_of

MANIFEST = """
[app]
name = "example"

[[actions]]
key = "sign"
label = "Send for signature"
target_url = "{url}/launch"
locations = ["matters", "documents"]
"""


def create_app(site: clio.App, vault: clio.Vault, *, key: str, url: str) -> Starlette:
    """Return the app. ``key`` signs its cookies, ``url`` is its public address."""
    firm = aio.Firm(site, vault)
    manifest = parse_manifest(MANIFEST.format(url=url))
    under_way: dict[str, aio.Login] = {}  # sign-ins; in several processes: where all of them look

    async def connect(_: Request) -> Response:
        """Send a user to Clio's consent page."""
        login, mark = aio.Login(site, redirect_uri=f"{url}/callback"), secrets.token_urlsafe(32)
        under_way[mark] = login
        answer = RedirectResponse(login.authorization_url, status_code=303)
        answer.set_cookie("sign_in", mark, max_age=600, httponly=True, samesite="lax", secure=url.startswith("https:"))
        return answer

    async def callback(request: Request) -> Response:
        """Keep the user's token, and put the action into that user's menus."""
        login = under_way.pop(request.cookies.get("sign_in", ""), None)
        if login is None:
            return page(400, "Not connected", "This sign-in is not yours. Start again.")
        try:
            session = await login.finish(str(request.url))
            user = await firm.add(session)
            done = await firm.apply(await firm.plan(manifest, users=user.id))
        except clio.ClioError as error:
            return page(400, "Not connected", str(error))
        return page(200, "Connected", f"{user.name} has the action now." if done else done.failed[0].message)

    async def launch(request: Request) -> Response:
        """Answer a click that Clio has confirmed. No other request comes here."""
        launch = launch_of(request)
        record = await launch.record()
        return page(200, "Ready to sign", f"The {launch.subject.location.record_type} is {record.title}.")

    return Starlette(
        routes=[Route("/connect", connect), Route("/callback", callback), Route("/launch", launch)],
        middleware=[Middleware(LaunchMiddleware, sessions=firm, key=key, path="/launch", connect_url=f"{url}/connect")],
    )


def page(status: int, title: str, text: str) -> Response:
    """Return a page with a heading and a sentence."""
    return HTMLResponse(f"<!doctype html><title>{escape(title)}</title><h1>{escape(title)}</h1>{escape(text)}", status)


if __name__ == "__main__":
    url = os.environ.get("APP_URL", "http://127.0.0.1:8000")
    app = create_app(
        clio.connect(
            os.environ["CLIO_REGION"], redirect_uri=f"{url}/callback"
        ),  # id and secret: CLIO_CLIENT_ID, ..._SECRET
        clio.Vault.open(),
        key=os.environ["LAUNCH_KEY"],
        url=url,
    )
    uvicorn.run(app, host="127.0.0.1", port=urlsplit(url).port or 8000)
