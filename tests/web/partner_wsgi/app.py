"""A whole app on WSGI, as an author writes it; the tests of production run it by the commands of the page."""

import os

from flask import Flask, request
from werkzeug.middleware.dispatcher import DispatcherMiddleware

import clio_nb as clio
from clio_nb.firm.manifest import parse_manifest
from clio_nb.web.wsgi import LaunchMiddleware, Onboarding, launch_of

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
app = Flask("partner")


@app.get("/launch")
def launch():
    return f"Signing {launch_of(request).record().title}."


app.wsgi_app = LaunchMiddleware(
    DispatcherMiddleware(app.wsgi_app, {"/clio": onboarding}),
    sessions=onboarding,
    key=KEYS,
    path="/launch",
    url=f"{URL}/launch",
)
