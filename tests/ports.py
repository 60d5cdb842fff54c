"""Ports for servers that are told their port before they listen."""

from __future__ import annotations

import random
import socket

_CHOICE = random.SystemRandom()


def free_port(host: str = "127.0.0.1") -> int:
    """Return a free port of this machine, of those that no connection and no ``port=0`` is ever given.

    A port that the system has chosen, and that is let go of until the server listens, may be somebody else's by then.
    """
    while True:
        port = _CHOICE.randrange(
            10_000, 32_000
        )  # below the lowest port that Linux, macOS and Windows give by themselves
        try:
            socket.create_server((host, port)).close()
        except OSError:
            continue
        return port
