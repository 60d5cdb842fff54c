"""The way to Clio: a proxy, certificates, an answer, and Clio's clock beside this machine's."""

from __future__ import annotations

import email.utils
import os
import ssl
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx

from ..errors import InvalidInput, NetworkError, TlsFailed
from ..http import loop, messages, transport
from ..http.network import CERTIFICATES, TRUST_ENV, current, is_here
from ..http.sandbox_control import Control
from ..models import Site
from .check import NOT_CHECKED, Check, failed

PART: Final = "The network"
PATIENCE: Final = 10.0  # seconds to wait for an answer
SKEW: Final = 30.0  # seconds by which two clocks may differ

Answer = transport.Raw | NetworkError | InvalidInput
_NONE: Final = (NetworkError, InvalidInput)  # what the environment says of the network may be wrong


def checks(site: Site) -> Iterator[Check]:
    """Ask Clio for something that it gives to nobody without a token, and look at the way and at the answer."""
    answer = _answer(site)
    yield _proxy(site, answer)
    yield _certificates(site, answer)
    yield _clio(site, answer)
    yield _clock(site, answer)


def _answer(site: Site) -> Answer:
    url = messages.who_am_i().url(site.origin)
    try:
        return loop.run(transport.exchange, "GET", url, headers={"accept": "application/json"}, deadline=PATIENCE)
    except _NONE as error:
        return error


def _proxy(site: Site, answer: Answer) -> Check:
    url, reached = httpx.URL(site.origin), not isinstance(answer, _NONE)
    if is_here(url.host):
        return Check(PART, "proxy", True, "Not needed: the sandbox is on this machine.")
    try:
        used = current().proxy_for(url)
    except InvalidInput as error:
        return failed(PART, "proxy", error)
    if used is not None:
        said = f"Clio is asked through {_without_password(used.reveal())}."
        return Check(PART, "proxy", reached, said, "" if reached else "Check this address, its user and its password.")
    return _unused_proxy(url, reached=reached)


def _unused_proxy(url: httpx.URL, *, reached: bool) -> Check:
    proxies = urllib.request.getproxies()
    if not (proxy := proxies.get(url.scheme) or proxies.get("all")):
        return Check(PART, "proxy", True, "None is set: Clio is asked directly.")
    if urllib.request.proxy_bypass(url.host):
        return Check(PART, "proxy", True, "NO_PROXY says that Clio is asked directly.")
    shown = _without_password(proxy)
    if reached:
        said = f"{shown} is set and not used, and Clio answers without it."
        return Check(PART, "proxy", None, said, f"To use it, set {TRUST_ENV}=1.")
    return Check(PART, "proxy", False, f"{shown} is set and not used.", f"Set {TRUST_ENV}=1 to go through it.")


def _without_password(proxy: str) -> str:
    try:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
    except ValueError:
        return "a proxy whose address cannot be read"


def _certificates(site: Site, answer: Answer) -> Check:
    for name in CERTIFICATES:
        if (value := os.environ.get(name, "")) and (wrong := _unusable(Path(value))):
            fix = f"Correct {name}, or unset it."
            return Check(PART, "certificates", False, f"{name} names {value}, {wrong}.", fix)
    if isinstance(answer, TlsFailed):
        return failed(PART, "certificates", answer)
    if urlsplit(site.origin).scheme == "http":
        return Check(PART, "certificates", True, "Not needed: the sandbox speaks http.")
    if isinstance(answer, _NONE):
        return Check(PART, "certificates", None, f"{NOT_CHECKED}: no connection came about.")
    named = [name for name in CERTIFICATES if os.environ.get(name)]
    return Check(PART, "certificates", True, f"Clio's is trusted{' (' + ', '.join(named) + ')' if named else ''}.")


def _unusable(path: Path) -> str:
    """Say why there are no certificates at a path; nothing where there are some."""
    try:
        if path.is_dir():
            return "" if any(path.iterdir()) else "an empty folder"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(path)
    except ssl.SSLError:
        return "which holds no certificates (PEM)"
    except OSError as error:
        return f"which cannot be read ({error.strerror})"
    return "" if context.cert_store_stats()["x509"] else "which holds no certificates (PEM)"


def _clio(site: Site, answer: Answer) -> Check:
    if isinstance(answer, TlsFailed):
        return Check(PART, "Clio", None, f"{NOT_CHECKED}: there is no secure connection.")
    if isinstance(answer, _NONE):
        return failed(PART, "Clio", answer)
    if answer.status in (401, 429):  # what Clio says to whoever shows no token
        return Check(PART, "Clio", True, f"{site.origin} answers.")
    if answer.status >= 500:
        said = f"{site.origin} has a problem ({answer.status})."
        return Check(PART, "Clio", False, said, "Try again later.")
    said = f"{site.origin} answered as Clio does not ({answer.status})."
    return Check(PART, "Clio", False, said, "A proxy or a sign-in page of your network may have answered: look there.")


def _clock(site: Site, answer: Answer) -> Check:
    now = time.time()
    if isinstance(answer, _NONE) or not (said := answer.headers.get("date")):
        return Check(PART, "clock", None, f"{NOT_CHECKED}: Clio did not say what time it is.")
    if site.control_url is not None and loop.run(Control(site).has_own_clock):
        return Check(PART, "clock", True, "The sandbox has a clock of its own.")
    try:
        skew = now - email.utils.parsedate_to_datetime(said).timestamp()
    except ValueError:
        return Check(PART, "clock", None, f"{NOT_CHECKED}: the time in Clio's answer cannot be read.")
    if abs(skew) <= SKEW:
        return Check(PART, "clock", True, "This machine's clock agrees with Clio's.")
    off = f"{_duration(abs(skew))} {'ahead of' if skew > 0 else 'behind'} Clio's"
    fix = "Set it by the network (NTP): tokens would be taken for valid or expired at the wrong time."
    return Check(PART, "clock", False, f"This machine's clock is {off}.", fix)


def _duration(seconds: float) -> str:
    for unit, length in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"
