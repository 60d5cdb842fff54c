"""Connect a user and receive a launch with each middleware, as if only the listed packages were installed.

Print which of them were used.
"""

import asyncio
import contextlib
import importlib.metadata
import json
import re
import sys
import urllib.parse
import urllib.request
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
from clio_nb.firm.manifest import parse_manifest  # noqa: E402
from clio_nb.launches._pages import Visit  # noqa: E402
from clio_nb.web import asgi, wsgi  # noqa: E402

with contextlib.suppress(VaultError):  # there is no database, but its driver is there
    clio_nb.Vault.open("postgresql://127.0.0.1:1/nothing")
vault = clio_nb.Vault.open(folder / "vault.sqlite")
app = clio_nb.connect(site)
onboarding = asgi.Onboarding(
    app,
    vault,
    manifest=parse_manifest(
        '[app]\nname = "sign"\n[[actions]]\nkey = "sign"\nlabel = "Sign"\n'
        'target_url = "https://partner.example/launch"\nlocations = ["matters"]'
    ),
    key="k" * 32,
    url="https://partner.example/clio",
    may_see_team=lambda _: clio_nb.Firm(app, vault, name=vault.firms(app)[0]),
)
user_id = urllib.parse.parse_qs(launch)["user_id"][0]


def visit(route, query="", cookie="", method="GET", body=b""):
    """Open one of the pages by which users connect."""
    here = Visit(method, "https", "partner.example", f"/clio/{route}", query, {"cookie": cookie})
    return asyncio.run(onboarding.respond(route, here, body))


def signed_in(page):
    """Press Allow at Clio, to which a page leads, and come back; return the status of the last page."""
    headers = dict(page.headers)
    with urllib.request.urlopen(headers["location"]) as shown:  # noqa: S310 -- the sandbox
        consent = re.search(rb'name="consent" value="([^"]+)"', shown.read())[1].decode()
    said = urllib.parse.urlencode({"consent": consent, "user_id": user_id, "decision": "allow"}).encode()
    with urllib.request.build_opener(Stay).open(f"{site}/oauth/authorize", said) as answer:
        back = answer.headers["location"].partition("?")[2]
    return visit("callback", back, headers["set-cookie"].partition(";")[0]).status


class Stay(urllib.request.HTTPRedirectHandler):
    """Leaves a redirect as it is."""

    def http_error_302(self, request, answer, *_):
        return answer


path, _, query = launch.removeprefix("https://partner.example").partition("?")
settings = {"key": "k" * 32, "path": "/launch"}
statuses = [signed_in(visit("connect")), visit("team").status]

environ = {"PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": "GET"}
environ |= {"wsgi.url_scheme": "https", "HTTP_HOST": "partner.example"}
application = wsgi.LaunchMiddleware(None, sessions=onboarding, **settings)
list(application(environ, lambda status, *_: statuses.append(int(status[:3]))))


async def send(message):
    statuses.extend([message["status"]] if "status" in message else [])


scope = {"type": "http", "method": "GET", "scheme": "https", "path": path, "query_string": query.encode()}
scope |= {"root_path": "", "headers": [(b"host", b"partner.example")]}
asyncio.run(asgi.LaunchMiddleware(None, sessions=onboarding, **settings)(scope, None, send))
statuses.append(signed_in(visit("disconnect", method="POST", body=b"region=us")))

used = set().union(*(owners.get(name.partition(".")[0], set()) for name in set(sys.modules) - before))
sys.stdout.write(json.dumps({"used": sorted(used & set(listed)), "statuses": statuses}))
