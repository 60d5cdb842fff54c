"""Receive one launch with each middleware, as if only the listed packages were installed; print which were used."""

import asyncio
import contextlib
import importlib.metadata
import json
import sys
from pathlib import Path

listed, site, launch, folder = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4])
owners: dict[str, set[str]] = {}
for top, packages in importlib.metadata.packages_distributions().items():
    owners[top] = {package.lower().replace("_", "-") for package in packages}
    if not owners[top] & {"clio-nb", *listed}:
        sys.modules[top] = None  # type: ignore[assignment]  # which makes importing it fail
before = set(sys.modules)

import clio_nb  # noqa: E402
from clio_nb.errors import VaultError  # noqa: E402
from clio_nb.web import asgi, wsgi  # noqa: E402

with contextlib.suppress(VaultError):  # there is no database, but its driver is there
    clio_nb.Vault.open("postgresql://127.0.0.1:1/nothing")
firm = clio_nb.Firm(clio_nb.connect(site), clio_nb.Vault.open(folder / "vault.sqlite"))
firm.sign_in_everyone()
path, _, query = launch.removeprefix("https://partner.example").partition("?")
settings = {"key": "k" * 32, "path": "/launch"}
statuses = []

environ = {"PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": "GET"}
environ |= {"wsgi.url_scheme": "https", "HTTP_HOST": "partner.example"}
application = wsgi.LaunchMiddleware(None, sessions=firm, **settings)
list(application(environ, lambda status, *_: statuses.append(int(status[:3]))))


async def send(message):
    statuses.extend([message["status"]] if "status" in message else [])


scope = {"type": "http", "method": "GET", "scheme": "https", "path": path, "query_string": query.encode()}
scope |= {"root_path": "", "headers": [(b"host", b"partner.example")]}
asyncio.run(asgi.LaunchMiddleware(None, sessions=firm.aio, **settings)(scope, None, send))

used = set().union(*(owners.get(name.partition(".")[0], set()) for name in set(sys.modules) - before))
sys.stdout.write(json.dumps({"used": sorted(used & set(listed)), "statuses": statuses}))
