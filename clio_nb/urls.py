"""Reads URLs strictly: their parts as browsers send them, and a launch's parameters apart from the target's own.

Nothing is normalised into validity: a URL fits the grammar below character by character, and what is encoded is decoded
exactly once.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import quote, unquote_to_bytes

from .vocabulary import MEANINGS

URL_MAX: Final = 8192
"""Longest URL that is looked at, in characters: what web servers commonly accept as one request line."""


class Address(NamedTuple):
    """The address of a launch: the values of Clio's parameters, and apart from them the ``target`` as it stood.

    ``base`` is the target's page, ``own`` its own parameters, decoded. ``mismatch`` says in which way it does not fit
    the registered target; empty when it does, or when there is none.
    """

    base: str
    target: str
    own: tuple[tuple[str, str], ...]
    clio: dict[str, list[str]]
    mismatch: str


def read_address(url: object, target: object = None) -> Address | str:
    """Take the address of a launch apart, or say what is wrong with it."""
    head = read_url(url)
    if isinstance(head, str):
        return head
    clio, pieces = dict[str, list[str]](), list[str]()
    own = tuple(_own_parameters(head["query"] or "", clio, pieces))
    rest = ("?" + "&".join(pieces) if pieces else "") + (head["fragment"] or "")
    mismatch = "" if target is None else _mismatch(head, own, target)
    return Address(head["base"], head["base"] + rest, own, clio, mismatch)


def _own_parameters(query: str, clio: dict[str, list[str]], pieces: list[str]) -> Iterator[tuple[str, str]]:
    """Give what is not Clio's, decoded, and put it as it stands into ``pieces``; an empty piece has no name."""
    for piece in query.split("&") if query else ():
        name, _, value = piece.partition("=")
        if (name := _decode(name)) in MEANINGS:
            plain = value.replace("+", "%2B") if name == "custom_action_nonce" else value  # a space never is in one
            clio.setdefault(name, []).append(_decode(plain))
            continue
        pieces.append(piece)
        if piece:
            yield name, _decode(value)


def _decode(text: str) -> str:
    """Decode a name or value of a query, once. Bytes that are no UTF-8 become U+FFFD, which no rule accepts."""
    if "+" in text:
        text = text.replace("+", " ")
    return unquote_to_bytes(text).decode(errors="replace") if "%" in text else text


def _mismatch(head: re.Match[str], own: Iterable[tuple[str, str]], target: object) -> str:
    if not isinstance(target, str) or len(target) > URL_MAX:
        return "The target to compare with is not a URL."
    demands = _demands_of(as_sent(target))
    if isinstance(demands, str):
        return f"The target to compare with is not a URL. {demands}"
    for what, mine, theirs in zip(("scheme", "host", "port", "path"), endpoint(head), demands[0], strict=True):
        if mine != theirs:
            return f"The launch's {what} differs from the registered target's."
    sent = _by_name(own) if demands[1] else {}
    for name, values in demands[1].items():
        if sent.get(name) != values:
            return f"The registered target's own parameter {ascii(name)[1:-1]:.80} is missing, doubled or changed."
    return ""


@lru_cache(maxsize=64)
def _demands_of(target: str) -> tuple[tuple[str, ...], dict[str, list[str]]] | str:
    """Return the endpoint and the own parameters that a registered target demands of a launch."""
    head = read_url(target)
    return head if isinstance(head, str) else (endpoint(head), _by_name(_own_parameters(head["query"] or "", {}, [])))


def _by_name(own: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in own:
        values.setdefault(name, []).append(value)
    return values


@lru_cache(maxsize=4096)
def as_sent(url: str) -> str:
    """Return a URL in ASCII, as a browser sends it: an international host in punycode, other letters as %-escapes."""
    parts = re.fullmatch(r"((?i:https?)://)([^/?#]*)(.*)", url, re.DOTALL)
    if url.isascii() or parts is None:
        return url
    scheme, host, rest = parts.groups()
    try:
        if not host.isascii():
            from yarl import URL  # noqa: PLC0415 -- for the few hosts that need it

            host = URL(scheme + host).raw_authority
            if re.search(r"[^A-Za-z0-9._:-]", host):  # a letter that only looks like a slash or a dot
                return url
        return scheme + host + re.sub(r"[^\x00-\x7f]+", lambda letters: quote(letters[0]), rest)
    except ValueError:  # no such host, or half a letter
        return url


def endpoint(head: re.Match[str]) -> tuple[str, str, str, str]:
    """Return scheme, host, port and path of what :func:`read_url` matched so that two of them can be compared."""
    scheme, host = head["scheme"].lower(), head["host"].lower()
    return scheme, address(host) or host, head["port"] or _PORTS[scheme], escaped(head["path"] or "/")


def escaped(text: str) -> str:
    """Escape what RFC 3986 escapes, and nothing else."""
    return _ESCAPES.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    char = chr(int(found[1], 16)) if found[1] else found[0]
    return char if re.match(r"[A-Za-z0-9._~-]", char) else f"%{ord(char):02X}"


def read_url(url: object) -> re.Match[str] | str:
    """Match a whole http(s) URL as browsers send it, or say what is wrong with it."""
    if not isinstance(url, str):
        return f"The URL must be text, not {type(url).__name__}."
    if len(url) > URL_MAX:
        return f"The URL is longer than {URL_MAX} characters, which web servers refuse. Shorten it."
    head = None if _ODD.search(url) else _URL.fullmatch(url)
    if head is None:
        return next(sentence for pattern, sentence in _FAULTS_OF_URL if pattern.search(url))
    if int(head["port"] or 0) > 65535:
        return "The port of the URL is above 65535, the highest possible."
    return head


_ESCAPES: Final = re.compile(r"%([0-9A-Fa-f]{2})|[^A-Za-z0-9._~!$&'()*+,;=:@/?#\[\]%-]")
_ODD: Final = re.compile(r"[^!-~]|%(?![0-9A-Fa-f]{2})")
_LABEL: Final = r"[A-Za-z0-9_-]{1,63}"
_URL: Final = re.compile(
    r"(?P<base>(?P<scheme>(?i:https?))://"
    rf"(?P<host>{_LABEL}(?:\.{_LABEL})*\.?|\[[0-9A-Fa-f:.]{{2,45}}\])(?::(?P<port>[1-9][0-9]{{0,4}}))?"
    r"(?P<path>/[^?#\\]*)?)(?:\?(?P<query>[^#]*))?(?P<fragment>#.*)?"
)
_PORTS: Final = {"http": "80", "https": "443"}
_FAULTS_OF_URL: Final = (
    (re.compile(r"\A\Z"), "The URL is empty."),
    (
        re.compile(r"[^!-~]|\A[^?#]*\\"),
        "The URL has a space, backslash, control character or non-ASCII letter, which no browser sends. Encode it.",
    ),
    (_ODD, "The URL has a % without two hexadecimal digits after it. Write %25 for a plain %."),
    (re.compile(r"\A[^/?#]*//[^/?#]*@"), "The URL has a user name before its host. Remove it."),
    (re.compile(""), "Not an absolute URL: expected http(s)://host/path, with a port if there is one."),
)


def address(host: str) -> str | None:
    """Return an IP address as a browser writes it, None for a name; an empty text for what a browser would change."""
    try:
        if host.startswith("["):
            return f"[{ipaddress.IPv6Address(host[1:-1]).compressed}]"
        return str(ipaddress.IPv4Address(host))
    except ValueError:
        return "" if host.startswith("[") or re.search(r"(\A|\.)([0-9]+|0x[0-9a-f]*)\.?\Z", host) else None
