"""The apps for servers that run in processes of their own. The environment says which, and where Clio and vault are."""

from __future__ import annotations

import json
import os

import clio_nb as clio

from . import apps

firm = clio.Firm(clio.connect(os.environ["SITE"]), clio.Vault.open(os.environ["VAULT"]))
app = getattr(apps, os.environ["APP"])(firm, **json.loads(os.environ.get("OPTIONS", "{}")))
