"""A receiver of launches on WSGI, with nothing installed but what ``clio_nb/web/requirements.txt`` lists.

Run it: ``python app.py PORT`` with CLIO_NB_SITE (a region, or a sandbox's address), CLIO_CLIENT_ID and
CLIO_CLIENT_SECRET, LAUNCH_KEY, CLIO_NB_VAULT and CLIO_NB_KEY set.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any
from wsgiref.simple_server import make_server

import clio_nb as clio
from clio_nb.web.wsgi import LaunchMiddleware, launch_of

site = clio.connect()
firm = clio.Firm(site, clio.Vault.open(os.environ["CLIO_NB_VAULT"]))


def pages(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer a click that Clio has confirmed. No other request comes here."""
    launch = launch_of(environ)
    title = launch.record().title
    start_response("200 OK", [("content-type", "text/plain; charset=utf-8")])
    return [f"{launch.session.user.name} wants to sign {title}.".encode()]


application = LaunchMiddleware(pages, sessions=firm, key=os.environ["LAUNCH_KEY"], path="/launch")

if __name__ == "__main__":
    if site.control_url:
        firm.sign_in_everyone()  # only a sandbox does this; at Clio each user signs in
    with make_server("127.0.0.1", int(sys.argv[1]), application) as server:
        sys.stdout.write(f"receiving launches at http://127.0.0.1:{server.server_port}/launch\n")
        sys.stdout.flush()
        server.serve_forever()
