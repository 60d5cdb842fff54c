"""A whole app on Django: users connect at /clio/connect, and their clicks arrive at /launch.

All settings come from the environment. Run it: ``gunicorn --threads 8 app:app``.
"""

import os
from urllib.parse import urlsplit

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

import clio_nb as clio
from clio_nb.firm.manifest import parse_manifest
from clio_nb.web.django import Onboarding, launch_of

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
settings.configure(
    ALLOWED_HOSTS=[urlsplit(URL).hostname],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["clio_nb.web.django.LaunchMiddleware"],
    CLIO_NB={"sessions": onboarding, "key": KEYS, "path": "/launch", "url": f"{URL}/launch", "timeout": 10},
)


def launch(request: HttpRequest) -> HttpResponse:
    """Answer a click that Clio has confirmed. No other request comes here."""
    launch = launch_of(request)
    try:
        text, status = f"{launch.session.user.name} wants to sign {launch.record().title}.", 200
    except clio.ClioError as error:  # the record is deleted, or Clio does not answer
        text, status = str(error), 502
    return HttpResponse(text, "text/plain; charset=utf-8", status)


urlpatterns = [path("clio/", include(onboarding.urls)), path("launch", launch)]
app = get_wsgi_application()
