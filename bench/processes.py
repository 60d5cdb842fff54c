"""Processes that a bench starts: the server, and clients that compete. Each ends with the block that began it."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

ROOT = Path(__file__).parent.parent


@contextmanager
def started(*command: str, python: Path | str = sys.executable) -> Iterator[subprocess.Popen[str]]:
    """Start Python with these arguments in the project's folder, and end it."""
    with subprocess.Popen(  # noqa: S603 -- our own modules
        [str(python), *command],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str]) -> str:
    """Return the next line that a process prints."""
    line = cast("IO[str]", process.stdout).readline()
    if not line:
        raise RuntimeError(f"{process.args!r} ended without an answer; run it by hand to see why")
    return line


class Score(NamedTuple):
    """What a piece of work took: seconds on the clock, and processor seconds of the client's own process."""

    seconds: float
    cpu: float


class Client:
    """One of ``bench.clients`` in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def do(self, work: str = "rollout") -> Score:
        """Have a piece of work done."""
        into = cast("IO[str]", self._process.stdin)
        into.write(f"{work}\n")
        into.flush()
        return Score(**json.loads(said(self._process)))


@contextmanager
def client(name: str, origin: str, users: int, python: Path | str = sys.executable) -> Iterator[Client]:
    """Start one of ``bench.clients``."""
    with started("-m", f"bench.clients.{name}", origin, str(users), python=python) as process:
        yield Client(process)


class Server(NamedTuple):
    """The bench's server."""

    origin: str

    def reset(self) -> None:
        """Have it forget all actions and counts."""
        urllib.request.urlopen(urllib.request.Request(f"{self.origin}/reset", method="POST")).close()  # noqa: S310

    def counts(self) -> dict[str, int]:
        """Return how many requests of each kind came, and how many actions there are, and twice."""
        with urllib.request.urlopen(f"{self.origin}/counts") as answer:  # noqa: S310 -- our own process
            return cast("dict[str, int]", json.load(answer))


@contextmanager
def server(latency_ms: float, users: int) -> Iterator[Server]:
    """Start the bench's server."""
    with started("-m", "bench.server", str(latency_ms), str(users)) as process:
        yield Server(f"http://127.0.0.1:{said(process).strip()}")


_SANDBOX = """
import json, sys, clio_nb

site = clio_nb.sandbox(**json.loads(sys.argv[1]))
print(json.dumps(site.describe()), flush=True)
site.wait()
"""


@contextmanager
def sandbox(**options: object) -> Iterator[dict[str, Any]]:
    """Start a sandbox in a process of its own, and give what it says of itself."""
    with started("-c", _SANDBOX, json.dumps(options)) as process:
        yield json.loads(said(process))
