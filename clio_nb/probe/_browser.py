"""A browser as far as a launch needs one: it opens an address, keeps cookies and follows redirects on the same host."""

from __future__ import annotations

import contextlib
import http.client
import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urljoin, urlsplit

RECEIVER_TIMEOUT: Final = 40.0  # seconds that a receiver may take for an answer

_HOPS: Final = 6
_LONGEST: Final = 1 << 20  # of a page: what comes after it is not compared


@dataclass(frozen=True, slots=True)
class BrowserAnswer:
    """What a receiver answered in the end.

    ``status`` 0 is no answer. ``led_to`` is where it redirected the browser, empty for nowhere; its query may hold a
    secret and is never shown. ``words`` are those of this address, of the page, and the names of the cookies.
    """

    status: int
    led_to: str = field(default="", repr=False)
    words: frozenset[str] = field(default=frozenset(), repr=False)

    @property
    def form(self) -> tuple[int, bool]:
        """The status, and whether the browser was redirected."""
        return self.status, bool(self.led_to)

    def __str__(self) -> str:
        path = re.split(r"[?#]", self.led_to)[0]
        return f"{self.status or 'no answer'}{' at ' if path else ''}{path}"


def words_of(text: str) -> frozenset[str]:
    """Return the words of a text, in lower case, without those that hold a digit: ids, dates, hex, most tokens."""
    return frozenset(run.lower() for run in re.findall(r"[\w-]{2,}", text) if not re.search(r"\d", run))


class Browser:
    """One person's browser. It blocks: call it in a thread."""

    def __init__(self) -> None:
        self._cookies: dict[str, str] = {}

    def open(self, url: str, method: str = "GET") -> BrowserAnswer:
        """Open an address on this machine and return the last answer."""
        home, status, led_to, page = urlsplit(url)[:2], 0, "", ""
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError):  # ValueError: led to no address
            for _ in range(_HOPS):
                answered, page, location = self._ask(url, method)
                redirected = location is not None and 300 <= answered < 400
                if redirected:
                    parts = urlsplit(url := urljoin(url, location or ""))
                    led_to = url if parts[:2] != home else parts._replace(scheme="", netloc="").geturl()
                if not redirected or parts[:2] != home:
                    status = answered
                    break
        cookies = frozenset(f"{name}=" for name, value in self._cookies.items() if value)
        return BrowserAnswer(status, led_to, words_of(f"{led_to} {page}") | cookies)

    def step(self, url: str, form: str = "") -> tuple[int, str, str]:
        """Open an address without following a redirect, or send a form there; return status, page and location."""
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
            status, page, location = self._ask(url, "POST" if form else "GET", form)
            return status, page, urljoin(url, location or "")
        return 0, "", ""

    def _ask(self, url: str, method: str, form: str = "") -> tuple[int, str, str | None]:
        """Send one request and keep its cookies; return status, page and location."""
        parts = urlsplit(url)
        with contextlib.closing(
            http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=RECEIVER_TIMEOUT)
        ) as line:
            headers = {"accept": "text/html,*/*", "cookie": "; ".join(f"{k}={v}" for k, v in self._cookies.items())}
            if form:
                headers["content-type"] = "application/x-www-form-urlencoded"
            line.request(method, f"{parts.path or '/'}?{parts.query}", form or None, headers)
            answer = line.getresponse()
            page = answer.read(_LONGEST).decode(errors="replace")
        for cookie in answer.headers.get_all("set-cookie", ()):
            name, _, value = cookie.partition(";")[0].partition("=")
            self._cookies[name.strip()] = value.strip()
        return answer.status, page, answer.headers.get("location")
