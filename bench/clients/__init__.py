"""Clients that do the rollout's work, each a process of its own, so that the processor time of one is its own.

Started as ``python -m bench.clients.NAME ORIGIN USERS``. Each line on standard input names a piece of work; the client
does it and prints a line of JSON: the seconds that it took, and the processor seconds of its process.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Final

IN_FLIGHT: Final = 50
LABEL: Final = "Send for signature"
TARGET: Final = "https://partner.example/launch"
LOCATIONS: Final = ("activities/show", "contacts/show", "documents/show", "folders/show", "matters/show")
FIELDS: Final = "id,etag,label,target_url,ui_reference,created_at,updated_at"


def token_of(user: int) -> str:
    """Return the access token of a user of the bench's server, which takes any."""
    return f"token-of-{user}"


def arguments() -> tuple[str, int]:
    """Return the server's origin and the number of users."""
    return sys.argv[1], int(sys.argv[2])


def compete(**works: Callable[[], object]) -> None:
    """Do the work that each line names, and say what it took."""
    said, sys.stdout = sys.stdout, sys.stderr  # some clients chat
    for line in sys.stdin:
        began, busy = time.perf_counter(), time.process_time()
        works[line.strip()]()
        said.write(json.dumps({"seconds": time.perf_counter() - began, "cpu": time.process_time() - busy}) + "\n")
        said.flush()
