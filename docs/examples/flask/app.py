"""A whole app on Flask: users connect at /clio/connect, and their clicks arrive at /launch.

All settings come from the environment. Run it: ``gunicorn --threads 8 app:app``.
"""

import os

from flask import Flask, Response, request
from werkzeug.middleware.dispatcher import DispatcherMiddleware

import clio_nb as clio
from clio_nb.firm.manifest import parse_manifest
from clio_nb.web.wsgi import LaunchMiddleware, Onboarding, launch_of

URL = os.environ["APP_URL"].rstrip("/")
KEYS = os.environ["LAUNCH_KEY"].split(",")  # NEW,OLD while it is replaced
MANIFEST = f"""
[app]
name = "partner-sign"

[[actions]]
key = "sign"
label = "Send for signature"
target_url = "{URL}/launch"
locations = ["matters", "documents"]
"""
onboarding = Onboarding(
    clio.connect(), clio.Vault.open(), manifest=parse_manifest(MANIFEST), key=KEYS, url=f"{URL}/clio", timeout=20
)
app = Flask(__name__)
guarded = LaunchMiddleware(app.wsgi_app, sessions=onboarding, key=KEYS, path="/launch", url=f"{URL}/launch", timeout=10)
app.wsgi_app = DispatcherMiddleware(guarded, {"/clio": onboarding})


@app.get("/launch")
def launch() -> Response:
    """Answer a click that Clio has confirmed. No other request comes here."""
    launch = launch_of(request)
    try:
        text, status = f"{launch.session.user.name} wants to sign {launch.record().title}.", 200
    except clio.ClioError as error:  # the record is deleted, or Clio does not answer
        text, status = str(error), 502
    return Response(text, status, content_type="text/plain; charset=utf-8")
