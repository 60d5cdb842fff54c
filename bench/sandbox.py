"""Start the sandbox; read one action over 50 connections, against a bare Starlette route on the same server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from functools import partial
from statistics import median
from typing import Any, Final

import httpx

from .processes import said, sandbox, started
from .rounds import ratio, rounds
from .table import Row

CONNECTIONS: Final = 50
FIELDS: Final = "id,etag,label,target_url"
_BARE: Final = """
import socket, uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

async def one(request):
    return JSONResponse({"data": {"id": 1, "etag": "x", "label": "Send", "target_url": "https://partner.example/"}})

listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
listener.bind(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
app = Starlette(routes=[Route("/one", one)])
uvicorn.Server(uvicorn.Config(app, loop="asyncio", log_config=None)).run(sockets=[listener])
"""
_START: Final = """
import sys, time

began = time.perf_counter()
import clio_nb

with clio_nb.sandbox(users=int(sys.argv[1])):
    print(time.perf_counter() - began)
"""


def rows(*, smoke: bool) -> Iterator[Row]:
    """Measure the start in fresh processes, then the requests a second of both servers in turn."""
    for users in (5, 5000):
        took = median(rounds({"start": partial(_start, users)}, 1 if smoke else 5)["start"])
        work = f"start it with {users:,} users, import included"
        yield Row("sandbox", work, f"{took:.2f} s", goal="≤ 1 s", met=took <= 1)
    count, times = (200, 1) if smoke else (5000, 7)
    with started("-c", _BARE) as bare, sandbox(rate_limit=None) as about:
        loads = {
            "ours": partial(_load, int(about["base_url"].rpartition(":")[2]), count, *_one_action(about)),
            "bare": partial(_load, int(said(bare)), count, "/one"),
        }
        rates = rounds({name: lambda load=load: asyncio.run(load()) for name, load in loads.items()}, times)  # type: ignore[misc]
    share = ratio(rates["ours"], rates["bare"])
    ours, plain = (f"{median(rates[name]):,.0f} a second" for name in ("ours", "bare"))
    work = f"GETs of one action, {CONNECTIONS} connections"
    yield Row("sandbox", work, ours, f"bare Starlette route {plain}", f"{share:.2f} x", "≥ 0.50 x", share >= 0.5)


def _start(users: int) -> float:
    with started("-c", _START, str(users)) as process:
        return float(said(process))


def _one_action(about: dict[str, Any]) -> tuple[str, str]:
    """Make an action, and return the path and the header that read it."""
    token = httpx.post(f"{about['control_url']}/tokens").json()["access_token"]
    values = {"label": "Send", "target_url": "https://partner.example/", "ui_reference": "matters/show"}
    bearer = {"authorization": f"Bearer {token}"}
    made = httpx.post(f"{about['api_url']}/custom_actions", headers=bearer, json={"data": values}).json()
    return f"/api/v4/custom_actions/{made['data']['id']}?fields={FIELDS}", f"authorization: Bearer {token}"


async def _load(port: int, count: int, path: str, *headers: str) -> float:
    """Return how many GETs a second are answered over all connections."""
    request = "\r\n".join([f"GET {path} HTTP/1.1", f"host: 127.0.0.1:{port}", *headers, "", ""]).encode()

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(count // CONNECTIONS):
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(head.decode())
            await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]))
        writer.close()
        await writer.wait_closed()

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
    return count / (time.perf_counter() - began)
