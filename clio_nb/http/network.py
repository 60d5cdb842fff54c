"""How the network is, said once for the process: proxy, certificate authorities, requests in flight, and timeouts.

The environment's proxies count only when they are asked for. A proxy's address may hold a password: it is a
:class:`Secret` until it is used.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import ipaddress
import os
import re
import ssl
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.request import getproxies, getproxies_environment

import httpx

from ..errors import InvalidInput
from ..secret import Secret
from ..tracebacks import verb

DEADLINE: Final = 30.0
"""Seconds that one request may take, and the most that can be asked for: a user's lease outlives it."""

IN_FLIGHT: Final = 50  # requests at a time, all users together; waiting for a budget does not count
TRUST_ENV: Final = "CLIO_NB_TRUST_ENV"

_YES: Final = ("1", "true", "yes", "on")
_NO: Final = ("", "0", "false", "no", "off")
_OPENSSL: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")  # OpenSSL reads them by itself, in every program
_BUNDLES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
CERTIFICATES: Final = _OPENSSL + _BUNDLES
PROXY_ADVICE: Final = "Check the proxy's address, user name and password in clio.network(proxy=...) or HTTPS_PROXY."
_FORM: Final = "Use http://host:port, with user:password@ before the host if it asks for them (percent-encoded)."


class _OfTheParent(httpx.AsyncBaseTransport):
    """Stands for a transport of the process that this one was forked from: its connections are not to be shared."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise InvalidInput(
            "The transport given to clio.network() belongs to the process that this one was forked from. "
            "Call clio.network() again in this one, with a transport of its own.",
            field="transport",
        )


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Network:
    """What :func:`network` was told, with what the environment says: the names of variables, or schemes, and values.

    One object stands for the same settings, so that they share an engine without being compared at each request.
    """

    proxy: Secret | None = None
    trust_env: bool | None = None
    ca: str = ""
    in_flight: int = IN_FLIGHT
    request_timeout: float = DEADLINE
    transport: httpx.AsyncBaseTransport | None = None
    proxies: tuple[tuple[str, Secret], ...] = ()
    certificates: tuple[tuple[str, str], ...] = ()

    def proxy_for(self, url: httpx.URL) -> Secret | None:
        """Return the address of the proxy for a request, None to go straight there. Loopback is always direct."""
        if (self.proxy is None and not self.proxies) or is_here(url.host):
            return None
        by_scheme = dict(self.proxies)
        if "no" in by_scheme and _listed(url, by_scheme["no"].reveal()):
            return None
        if self.proxy is not None:
            return self.proxy
        return by_scheme.get(url.scheme, by_scheme.get("all"))

    def tls(self) -> ssl.SSLContext:
        """Return what certificates are checked with: public authorities, this machine's, and those that were named.

        Raises :class:`InvalidInput` when a named one cannot be read.
        """
        context = httpx.create_ssl_context(trust_env=False)
        context.load_default_certs()  # of this machine, and SSL_CERT_FILE and SSL_CERT_DIR
        named = [("ca", self.ca)] if self.ca else []
        for name, path in named + [each for each in self.certificates if each[0] in _BUNDLES]:
            load_authority(context, path, name)
        if self.ca or self.certificates:
            # Python 3.13 asks a form of certificates that many private authorities do not have; 3.11 and 3.12 do not
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context


_made: Final = functools.cache(Network)
_state: Final = {"network": _made()}


def _after_fork() -> None:
    if _state["network"].transport is not None:
        _state["network"] = dataclasses.replace(_state["network"], transport=_OfTheParent())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@verb
def network(
    *,
    proxy: Secret | str | None = None,
    trust_env: bool | None = None,
    ca: str | os.PathLike[str] | None = None,
    in_flight: int = IN_FLIGHT,
    request_timeout: float = DEADLINE,
    transport: httpx.AsyncBaseTransport | None = None,
) -> None:
    """Say how this process reaches Clio, for all its sessions. Requests that begin afterwards go that way.

    Each call says all of it anew: what is left out is as it was at the beginning. This machine (a sandbox on
    127.0.0.1) is always reached directly.

    Args:
        proxy: The address of the proxy for everything else: ``"http://proxy.firm.example:3128"``, with
            ``user:password@`` before the host where it asks for them (percent-encoded). ``https://`` and, with the
            package ``socksio``, ``socks5://`` are possible too.
        trust_env: True to use the proxies of the environment or system (``HTTPS_PROXY``, ``ALL_PROXY``, ``NO_PROXY``)
            and its ``REQUESTS_CA_BUNDLE``. Left out, ``CLIO_NB_TRUST_ENV=1`` says so. ``SSL_CERT_FILE`` always counts.
        ca: A file or folder with certificates of authorities to trust besides the usual ones: a firewall's, a firm's.
        in_flight: How many requests may be under way at a time, for all users, firms and runs of this process.
        request_timeout: Seconds that one request may take, up to 30. :func:`clio_nb.timeout` bounds all of a verb.
        transport: An httpx transport to send everything with, such as ``httpx.AsyncHTTPTransport(...)``. Proxy and
            authorities are then its own.

    Raises:
        errors.InvalidInput: One of these cannot be right; nothing was changed.

    Examples:
        >>> clio.network(proxy="http://proxy.firm.example:3128", in_flight=20)
        >>> clio.network()
    """
    if transport is not None and not isinstance(transport, httpx.AsyncBaseTransport):
        raise InvalidInput(
            "transport must be an httpx.AsyncBaseTransport, such as httpx.AsyncHTTPTransport().", field="transport"
        )
    if transport is not None and (proxy or ca or trust_env):
        raise InvalidInput("A transport has its own proxy and certificates: pass them to it.", field="transport")
    if type(in_flight) is not int or in_flight < 1:
        raise InvalidInput("in_flight must be a whole number from 1.", field="in_flight")
    if not (isinstance(request_timeout, int | float) and 0 < request_timeout <= DEADLINE):
        raise InvalidInput(f"request_timeout must be seconds, up to {DEADLINE:.0f}.", field="request_timeout")
    if trust_env not in (None, True, False):
        raise InvalidInput("trust_env must be True, False, or left out.", field="trust_env")
    if ca is not None:
        load_authority(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ca, "ca")
    _state["network"] = _made(
        checked_proxy(proxy, "proxy") if proxy else None,
        trust_env,
        "" if ca is None else str(Path(ca).expanduser().absolute()),
        in_flight,
        float(request_timeout),
        transport,
    )


def current() -> Network:
    """Return how the network is now. What the environment says is read each time: it may change in a notebook.

    Raises :class:`InvalidInput` when the environment names no proxy where it should.
    """
    said = _state["network"]
    trusted = _asked_to_trust() if said.trust_env is None else said.trust_env
    names = CERTIFICATES if trusted else _OPENSSL
    certificates = tuple((name, path) for name in names if (path := os.environ.get(name)))
    if said.transport is not None or not (trusted or certificates):
        return said
    return _with_environment(said, tuple(_of_environment().items()) if trusted else (), certificates)


@functools.cache
def _with_environment(
    said: Network, proxies: tuple[tuple[str, Secret], ...], certificates: tuple[tuple[str, str], ...]
) -> Network:
    return dataclasses.replace(said, proxies=proxies, certificates=certificates)


def _of_environment() -> dict[str, Secret]:
    found = {name: value for name, value in getproxies().items() if name in ("http", "https", "all", "no") and value}
    proxies = {name: checked_proxy(value, f"{name.upper()}_PROXY") for name, value in found.items() if name != "no"}
    return proxies | ({"no": Secret(found["no"])} if "no" in found else {})


def is_here(host: str) -> bool:
    """Whether a host is this machine by its name: nothing asks a proxy for it."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    return host == "localhost" or host.endswith(".localhost")


def advice(url: httpx.URL) -> str:
    """Return what to do when a host cannot be reached: a network may let nothing out but through its proxy."""
    known = current()
    if known.transport is not None or known.proxy_for(url) is not None or is_here(url.host):
        return "Check the network, then try again."
    if getproxies_environment().keys() & {url.scheme, "all"}:
        return (
            f"The environment names a proxy that is not used: set {TRUST_ENV}=1, or call clio.network(trust_env=True)."
        )
    return "Check the network, then try again; if it needs a proxy, name it: clio.network(proxy=...)."


def unread() -> str:
    """Say which variable names certificates that are not there: OpenSSL passes it over in silence."""
    missing = [name for name in _OPENSSL if (path := os.environ.get(name)) and not Path(path).exists()]
    return f" {missing[0]} is set, but what it names is not there." if missing else ""


def checked_proxy(said: Secret | str, name: str) -> Secret:
    """Return the address of a proxy with its scheme. Raises :class:`InvalidInput` that names where it was said."""
    scheme, _, rest = Secret(said).reveal().strip().rpartition("://") if isinstance(said, str | Secret) else [""] * 3
    scheme = scheme.lower() or "http"
    scheme = "socks5" if scheme == "socks" else scheme  # as desktops write it
    with contextlib.suppress(httpx.InvalidURL, TypeError):
        url = httpx.URL(whole := f"{scheme}://{rest}")
        fits = url.host and not re.search(r"\s", rest) and (url.port or 0) <= 65535
        if scheme in ("http", "https", "socks5", "socks5h") and fits:
            if scheme.startswith("socks") and find_spec("socksio") is None:
                raise InvalidInput(
                    f"{name} is a SOCKS proxy: python -m pip install socksio, then try again.", field=name
                )
            return Secret(whole)
    raise InvalidInput(f"{name} is not the address of a proxy. {_FORM}", field=name)


def load_authority(context: ssl.SSLContext, said: str | os.PathLike[str], name: str) -> None:
    """Trust the authorities of a file (PEM, or one certificate in DER) or folder. ``name`` is where it was said."""
    try:
        path = Path(said).expanduser()
        if path.is_dir():
            context.load_verify_locations(capath=path)
        elif b"-----BEGIN" in (held := path.read_bytes()):
            context.load_verify_locations(cafile=path)
        else:
            context.load_verify_locations(cadata=held)
    except (
        OSError,
        TypeError,
        ValueError,
        RuntimeError,
    ):  # what ssl raises is the first, an unknown user's home the last
        raise InvalidInput(
            f"{name} must name a file of certificates (PEM or DER) that can be read, not {said!r:.200}.", field=name
        ) from None


def _asked_to_trust() -> bool:
    said = os.environ.get(TRUST_ENV, "").strip().lower()
    if said not in _YES + _NO:
        raise InvalidInput(f"{TRUST_ENV} must be 1 or 0, not {said!r:.40}.", field=TRUST_ENV)
    return said in _YES


def _listed(url: httpx.URL, no_proxy: str) -> bool:
    """Whether NO_PROXY names a host: itself or a domain above it, with a port or without, an address or its network."""
    host, port = url.host.lower(), url.port or {"http": 80, "https": 443}.get(url.scheme)
    for entry in re.split(r"[\s,]+", no_proxy.lower()):
        with contextlib.suppress(ValueError):
            network_of = ipaddress.ip_network(entry.strip("[]"), strict=False)
            with contextlib.suppress(ValueError):
                if ipaddress.ip_address(host) in network_of:
                    return True
            continue
        name, _, only = entry.partition("://")[2].partition(":") if "://" in entry else entry.partition(":")
        name = name.lstrip("*.")
        if entry == "*" or (name and only in ("", str(port)) and f".{host}".endswith(f".{name}")):
            return True
    return False
