"""The pages of onboarding for servers that run in processes of their own."""

from __future__ import annotations

import os

import clio_nb as clio
from clio_nb.web.asgi import Onboarding

from ..launches.conftest import KEY

pages = Onboarding(
    clio.connect(os.environ["SITE"]),
    clio.Vault.open(os.environ["VAULT"]),
    manifest=os.environ["MANIFEST"],
    key=KEY,
    url=os.environ["URL"],
)


async def app(scope, receive, send):
    if scope["type"] == "http":
        await pages({**scope, "root_path": "/clio"}, receive, send)
