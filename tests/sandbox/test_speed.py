"""How fast it has to be: there at once with 5,000 users, and at least half as fast as a bare Starlette route."""

from __future__ import annotations

import asyncio
import json
import resource
import statistics
import subprocess
import sys
import time

import httpx

CONNECTIONS = 50
REQUESTS = 2000

BARE = """
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
SANDBOX = """
import json, clio_nb

site = clio_nb.sandbox(rate_limit=10**6)
print(json.dumps(site.describe()), flush=True)
site.wait()
"""


async def load(port: int, path: str, *headers: str) -> float:
    """Return the requests per second of so many GETs over 50 connections."""
    request = "\r\n".join([f"GET {path} HTTP/1.1", f"host: 127.0.0.1:{port}", *headers, "", ""]).encode()

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(REQUESTS // CONNECTIONS):
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
        writer.close()
        await writer.wait_closed()

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(CONNECTIONS)))
    return REQUESTS / (time.perf_counter() - began)


def serve(program: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)


def test_a_get_is_at_least_half_as_fast_as_a_bare_starlette_route():
    with serve(BARE) as bare, serve(SANDBOX) as sandbox:
        port = int(bare.stdout.readline())
        site = json.loads(sandbox.stdout.readline())
        token = httpx.post(f"{site['control_url']}/tokens").json()["access_token"]
        bearer = {"authorization": f"Bearer {token}"}
        values = {"label": "Send", "target_url": "https://partner.example/", "ui_reference": "matters/show"}
        made = httpx.post(f"{site['api_url']}/custom_actions", headers=bearer, json={"data": values}).json()
        path = f"/api/v4/custom_actions/{made['data']['id']}?fields=id,etag,label,target_url"
        ours = int(site["base_url"].rpartition(":")[2])
        ratios = []
        for _ in range(5):
            theirs = asyncio.run(load(port, "/one"))
            ratios.append(asyncio.run(load(ours, path, f"authorization: Bearer {token}")) / theirs)
        bare.terminate()
        sandbox.terminate()
    assert statistics.median(ratios) >= 0.5, ratios


def test_five_thousand_users_are_served_within_three_seconds_of_the_command():
    command = [sys.executable, "-c", "from clio_nb.cli import main; main()", "sandbox", "--port", "0", "--json"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with subprocess.Popen([*command, "--users", "5000"], stdout=subprocess.PIPE, text=True) as process:
        site = json.loads(process.stdout.readline())
        assert httpx.get(f"{site['api_url']}/users").status_code == 401
        process.terminate()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert len(site["users"]) == 5000
    # processor time: the start waits for nothing, and a busy machine must not decide this test
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 3
