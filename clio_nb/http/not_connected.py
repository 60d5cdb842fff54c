"""Why no connection came about, in words: what the library's own engines know of requests that were never sent."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Final, Literal

import httpx

CLOCK: Final = "Check the date and time of this machine."
ANOTHER: Final = "Another machine answers in its place: check the address and the network."
AUTHORITY: Final = (
    "For a firewall or private certificate authority, name its certificate in SSL_CERT_FILE or clio.network(ca=...)."
)
_THE_PROXYS: Final = "the proxy's"
_ADVICE: Final = {9: CLOCK, 10: CLOCK, 62: ANOTHER, 64: ANOTHER}  # by OpenSSL's X509_V_ERR_* numbers


class NotConnected(httpx.ConnectError):
    """No byte of the request was sent: refused, the name not found, or what it names failed: ``tls`` or the ``proxy``.

    Only an engine that this library made is ``sure`` of that. ``advice`` is the way out of a failure of TLS.
    """

    def __init__(
        self, why: str, *, of: Literal["tls", "proxy", ""] = "", advice: str = AUTHORITY, sure: bool = True
    ) -> None:
        super().__init__(why)
        self.of: Final = of
        self.advice: Final = advice
        self.sure: Final = sure


def tls_failed(error: BaseException, *, proxy: bool = False, sure: bool = True) -> NotConnected | None:
    """Return the failure of TLS that an error stands for, with Clio or with the ``proxy``; None for any other."""
    for cause in _chain(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            why = f"{_THE_PROXYS if proxy else 'its'} certificate is not trusted: {cause.verify_message}"
            return NotConnected(why, of="tls", advice=_ADVICE.get(cause.verify_code, AUTHORITY), sure=sure)
        if isinstance(cause, ssl.SSLError):
            why = f"the handshake{' with the proxy' if proxy else ''} failed: {cause.reason or 'the connection broke'}"
            return NotConnected(why, of="tls", sure=sure)
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Give an error and what it came from, without what aiohttp wraps around it."""
    error = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
