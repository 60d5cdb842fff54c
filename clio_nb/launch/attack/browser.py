"""A browser as far as a launch needs one: it opens an address, keeps cookies and follows redirects on the same host."""

from __future__ import annotations

import http.client
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin, urlsplit

PATIENCE: Final = 40.0
"""Seconds that a receiver may take for an answer."""

_HOPS: Final = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver answered in the end.

    ``status`` 0 is no answer; ``path`` is where the browser was led to, without its query: that may hold a secret.
    """

    status: int
    path: str = ""

    @property
    def shape(self) -> Answer:
        """The answer without the numbers in its path, which differ from record to record."""
        return Answer(self.status, re.sub(r"\d+", "0", self.path))

    def __str__(self) -> str:
        return f"{self.status or 'no answer'}{' at ' if self.path else ''}{self.path}"


class Browser:
    """One person's browser. It blocks: call it in a thread."""

    def __init__(self) -> None:
        self._cookies: dict[str, str] = {}

    def open(self, url: str, method: str = "GET") -> Answer:
        """Open an address on this machine and return the last answer."""
        home, led_to = urlsplit(url)[:2], ""
        for _ in range(_HOPS):
            parts = urlsplit(url)
            connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE)
            try:
                headers = {"accept": "text/html,*/*", "cookie": "; ".join(f"{k}={v}" for k, v in self._cookies.items())}
                connection.request(method, f"{parts.path or '/'}?{parts.query}", headers=headers)
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                return Answer(0, led_to)
            finally:
                connection.close()
            for line in answer.headers.get_all("set-cookie", ()):
                name, _, value = line.partition(";")[0].partition("=")
                self._cookies[name.strip()] = value.strip()
            location = answer.headers.get("location")
            if location is None or not 300 <= answer.status < 400:
                return Answer(answer.status, led_to)
            url = urljoin(url, location)
            parts = urlsplit(url)
            if parts[:2] != home:
                return Answer(answer.status, f"{parts.scheme}://{parts.netloc}{parts.path}")
            led_to = parts.path
        return Answer(0, led_to)
