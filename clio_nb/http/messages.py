"""What goes over the wire to Clio's API and what comes back, as pure functions: no sockets, no clock, no tokens."""

from __future__ import annotations

import email.utils
import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypedDict, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from .. import errors
from ..models import Id, whole_letters
from ..secret import Secret
from ..vocabulary import Location
from . import odd_answers

T = TypeVar("T")

API: Final = "/api/v4"
PAGE_LIMIT: Final = 200  # the most that Clio gives on a page, and its default (reference, "limit")
ACTION_FIELDS: Final = "id,etag,label,target_url,ui_reference,created_at,updated_at"
USER_FIELDS: Final = "id,name,email,enabled,subscription_type,roles"


@dataclass(frozen=True, slots=True)
class Request:
    """One request, without origin and token. ``nonce`` travels in the query and is shown nowhere."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    data: Mapping[str, str] | None = None
    if_match: str | None = None
    nonce: Secret | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def target(self) -> str:
        """Path and query as they are sent."""
        query = _encoded(self.query)
        if self.nonce is not None:
            query += ("&" if query else "") + urlencode({"custom_action_nonce": self.nonce.reveal()})
        return f"{self.path}?{query}" if query else self.path

    def url(self, origin: str) -> str | Secret:
        """Where it is sent; secret with a nonce in it."""
        return origin + self.target if self.nonce is None else Secret(origin + self.target)

    @property
    def body(self) -> bytes | None:
        """The JSON body in Clio's ``data`` wrapper, or None."""
        return None if self.data is None else msgspec.json.encode({"data": self.data})

    @property
    def repeatable(self) -> bool:
        """Whether sending it twice is the same as sending it once."""
        return self.method == "GET" and self.nonce is None


@functools.lru_cache(maxsize=256)
def _encoded(query: tuple[tuple[str, str], ...]) -> str:
    """Encode a query once: a thousand users ask for the same fields."""
    return urlencode(query)


def list_actions() -> Request:
    """Ask for all custom actions of the token's user; there is no way to ask for another user's."""
    return Request("GET", f"{API}/custom_actions", (("fields", ACTION_FIELDS),))


def get_action(action_id: int) -> Request:
    """Ask for one custom action."""
    return Request("GET", f"{API}/custom_actions/{action_id:d}", (("fields", ACTION_FIELDS),))


def create_action(label: str, target_url: str, location: Location) -> Request:
    """Make a custom action for the token's user."""
    data = {"label": label, "target_url": target_url, "ui_reference": location.value}
    return Request("POST", f"{API}/custom_actions", (("fields", ACTION_FIELDS),), data)


def update_action(action_id: int, changes: Mapping[str, str], etag: str | None = None) -> Request:
    """Change an action; with an etag Clio answers 412 if it was changed since."""
    return Request("PATCH", f"{API}/custom_actions/{action_id:d}", (("fields", ACTION_FIELDS),), changes, etag)


def delete_action(action_id: int) -> Request:
    """Delete an action. Clio's reference has no If-Match here."""
    return Request("DELETE", f"{API}/custom_actions/{action_id:d}")


def who_am_i() -> Request:
    """Ask for the user of the token, with the firm's id and name."""
    return Request("GET", f"{API}/users/who_am_i", (("fields", f"{USER_FIELDS},account{{id,name}}"),))


def list_users() -> Request:
    """Ask for the users of the firm that the token's user may see."""
    return Request("GET", f"{API}/users", (("fields", USER_FIELDS),))


def get_record(
    location: Location, record_id: int, *, fields: str | None = None, nonce: Secret | None = None
) -> Request:
    """Ask for one record; with a nonce, the request that proves a launch (guide, "Confirming a User's Action")."""
    if fields is not None and fields != whole_letters(fields):
        raise errors.InvalidInput("The fields have half a character in them. Remove it.", field="fields")
    query = (("fields", fields or title_fields(location)),)
    return Request("GET", f"{API}/{location.resource}/{record_id:d}", query, nonce=nonce)


def record_id(data: Mapping[str, Any]) -> int | None:
    """Return the id in a record's data, also of an id as text; None where there is none."""
    try:
        return msgspec.convert(data.get("id"), Id, strict=False)
    except msgspec.ValidationError:
        return None


def list_records(location: Location) -> Request:
    """Ask for the records of one kind that the token's user may see."""
    return Request("GET", f"{API}/{location.resource}", (("fields", title_fields(location)),))


def title_fields(location: Location) -> str:
    """Return the ``fields`` that name a record of this kind."""
    own = {Location.ACTIVITIES: "id,type,date,note", Location.MATTERS: "id,display_number,description"}
    return own.get(location, "id,name")


@dataclass(frozen=True, slots=True)
class Rate:
    """What Clio said of the token's budget: ``remaining`` of ``limit`` requests for ``resets_in`` seconds."""

    limit: int
    remaining: int
    resets_in: float


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """A good answer: its data, and the request for the next page if there is one.

    ``ignored`` has the paths of values that could not be read, ``left_out`` those of rows that are not in ``data``.
    """

    data: T
    next: Request | None = None
    ignored: Sequence[str] = ()
    left_out: Sequence[str] = ()


class _Paging(msgspec.Struct):
    next: str | None = None


class _Meta(msgspec.Struct):
    paging: _Paging | None = None


class _Envelope(msgspec.Struct, Generic[T]):
    data: T
    meta: _Meta | None = None


class _Fault(msgspec.Struct):
    error: Any = ""
    error_description: Any = ""


_fault = msgspec.json.Decoder(_Fault)
_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}


def rate(headers: Mapping[str, str]) -> Rate | None:
    """Read the three rate headers, or None when they are missing or no numbers (reference, "Rate Limiting").

    ``X-RateLimit-Reset`` is a time by Clio's clock, so it is compared with the answer's own ``Date``. Without one the
    whole window is assumed to be ahead.
    """
    try:
        limit, remaining, resets_at = (
            float(headers[f"x-ratelimit-{name}"]) for name in ("limit", "remaining", "reset")
        )
        sent_at = _http_date(headers.get("date"))
        left = 60.0 if sent_at is None else max(int(resets_at) - sent_at, 0.0)
        return Rate(int(limit), int(remaining), left)
    except (KeyError, ValueError, OverflowError):
        return None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a 429 or 503 asks to wait: a number or an HTTP date (RFC 9110, 10.2.3); None for anything else."""
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]+(\.[0-9]*)?", text):  # some gateways send fractions
        return float(text[:9])
    moment, sent_at = _http_date(text), _http_date(headers.get("date"))
    return None if moment is None or sent_at is None else max(moment - sent_at, 0.0)


def decipher(request: Request, status: int, headers: Mapping[str, str], body: bytes, shape: type[T]) -> Answer[T]:
    """Turn an HTTP answer into its data, or raise the error it stands for.

    ``headers`` has lower-case names; ``shape`` is the type of ``data``. Raises a subclass of :class:`errors.ApiError`.
    """
    if status == 204 and shape is type(None):
        return Answer(None)
    if 200 <= status < 300:
        return _read(request, status, headers, body, shape)
    raise _error(request, status, headers, body)


def _read(request: Request, status: int, headers: Mapping[str, str], body: bytes, shape: type[T]) -> Answer[T]:
    decoder = _decoders.get(shape)
    if decoder is None:
        decoder = _decoders[shape] = msgspec.json.Decoder(_Envelope[shape])  # type: ignore[valid-type]
    try:
        envelope = decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as cause:
        return _read_in_part(request, status, headers, body, shape, cause)
    paging = envelope.meta and envelope.meta.paging
    return Answer(envelope.data, _follow(request, paging.next) if paging and paging.next else None)


def _read_in_part(
    request: Request, status: int, headers: Mapping[str, str], body: bytes, shape: type[T], cause: Exception
) -> Answer[T]:
    try:
        taken = odd_answers.take(body, shape)
    except odd_answers.Uncertain as where:
        raise errors.UnexpectedAnswer(
            f"{request}: Clio sent an unexpected value in {where}. Try again; if it happens again, update clio-nb.",
            status=status,
            request=str(request),
        ) from None
    if taken is None:
        kind = headers.get("content-type", "no content type").split(";")[0][:60]
        raise errors.UnexpectedAnswer(
            f"{request} was answered {status} with something that Clio's API does not send "
            f"({kind}, {len(body)} bytes). Try again; if it happens again, a proxy may have answered instead of Clio.",
            status=status,
            request=str(request),
        ) from cause
    following = _follow(request, taken.next) if taken.next else None
    return Answer(taken.data, following, taken.ignored, taken.left_out)


def _follow(request: Request, url: str) -> Request:
    """Rebuild the next page's request from its query alone: the token goes to no other host, path or collection."""
    try:
        parts = urlsplit(url)
    except ValueError:  # such as an address in brackets that is none
        parts = urlsplit("")
    if parts.path.removesuffix(".json") != request.path:
        raise errors.UnexpectedAnswer(
            f"{request} was answered with a next page outside this collection; it was not followed. Try again.",
            status=200,
            request=str(request),
        )
    return Request("GET", request.path, tuple(parse_qsl(parts.query)))


class _About(TypedDict):
    status: int
    type: str
    request: str


def _error(request: Request, status: int, headers: Mapping[str, str], body: bytes) -> errors.ApiError:
    kind, detail = _fault_of(body)
    said = f' Clio says: "{detail}".' if detail else ""
    about = _About(status=status, type=kind, request=str(request))
    if status == 429:
        wait = retry_after(headers)
        again = f"in {wait:.0f} s" if wait is not None else "in a minute"
        return errors.RateLimited(
            f"{request}: too many requests with this user's token. Try again {again}.", **about, retry_after=wait
        )
    if status >= 500:
        wait = retry_after(headers)
        return errors.ServerError(
            f"{request}: Clio has a problem ({status}).{said} Try again later.", **about, retry_after=wait
        )
    if 300 <= status < 400:
        return errors.UnexpectedAnswer(
            f"{request} was answered with a redirect ({status}), which is never followed with a token.", **about
        )
    error, advice = _REFUSALS.get(status, (errors.ApiError, ""))
    return error(f"{request}: refused ({status}{' ' + kind if kind else ''}).{said}{advice}", **about)


_REFUSALS: Final[dict[int, tuple[type[errors.ApiError], str]]] = {
    400: (errors.BadRequest, " Check the fields and values of the request."),
    401: (
        errors.Unauthorized,
        " The access token is expired, revoked, or of another region: sign in again, and check the region.",
    ),
    403: (errors.Forbidden, " Check the app's access permissions and what this user may see."),
    404: (errors.NotFound, " It is deleted, or this user cannot see it."),
    409: (errors.Conflict, " Read it again before changing it."),
    410: (errors.VersionGone, " The API version is unknown or retired: update clio_nb."),
    412: (errors.Conflict, " Somebody changed it since it was read: read it again before changing it."),
    422: (errors.RecordInvalid, ""),
}


def _fault_of(body: bytes) -> tuple[str, str]:
    """Return Clio's code for an error and its message. ``error`` is an object, or for a bad token a text (RFC 6750)."""
    try:
        fault = _fault.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "", ""
    if isinstance(fault.error, dict):
        kind, detail = fault.error.get("type"), fault.error.get("message")
    else:
        kind, detail = fault.error, fault.error_description
    return _line(kind, 60), _line(detail, 300)


def _line(text: object, longest: int) -> str:
    """Text of the server on one line, printable and bounded, for an error message."""
    return "".join(char if char.isprintable() else " " for char in text[:longest]) if isinstance(text, str) else ""


@functools.lru_cache(maxsize=16)
def _http_date(text: str | None) -> float | None:
    if not text:
        return None
    try:
        return email.utils.parsedate_to_datetime(text).timestamp()
    except ValueError:
        return None
