"""A whole app on ASGI, as an author writes it; the tests of production run it by the commands of the page."""

import os

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import clio_nb as clio
from clio_nb.firm.manifest import parse_manifest
from clio_nb.web.asgi import LaunchMiddleware, Onboarding, launch_of

URL, KEYS = os.environ["APP_URL"], os.environ["LAUNCH_KEY"].split(",")
MANIFEST = f"""
[app]
name = "partner-sign"

[[actions]]
key = "sign"
label = "Send for signature"
target_url = "{URL}/launch"
locations = ["matters", "documents"]
"""
vault = clio.Vault.open(os.environ["CLIO_NB_VAULT"])
onboarding = Onboarding(clio.connect(), vault, manifest=parse_manifest(MANIFEST), key=KEYS, url=f"{URL}/clio")


async def launch(request):
    return PlainTextResponse(f"Signing {(await launch_of(request).record()).title}.")


app = Starlette(routes=[Route("/launch", launch)])
app.mount("/clio", onboarding)
app.add_middleware(LaunchMiddleware, sessions=onboarding, key=KEYS, path="/launch", url=f"{URL}/launch")
