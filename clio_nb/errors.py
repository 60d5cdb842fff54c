"""Everything that can go wrong, as one tree.

ClioError
├── InvalidInput            what you passed cannot be right; nothing was sent
│   ├── InvalidAction       a label, target URL or location that Clio would refuse
│   └── ManifestError       a manifest that cannot be read: names the file, the entry in it and the nearest right word
├── LoginError              signing a user in did not work
│   ├── LoginDeclined       the user said no
│   ├── LoginTimeout        the user did not come back in time
│   ├── StateMismatch       the answer belongs to another login, or is forged
│   ├── GrantRefused        the code or refresh token is expired, used or revoked
│   └── ClientRefused       Clio does not know this app: wrong id, secret or region
├── NeedsLogin              this user's access is gone; only a new login helps
├── VaultError              the token store cannot be opened, read or written; no token was lost
├── NotAdmitted             a page asks for a launch at an address that no middleware guards
├── RunInProgress           another run is changing this firm at the moment
├── PortBusy                a port on this machine cannot be had: taken, or forbidden
├── ApiError                Clio answered, and the answer is no
│   ├── BadRequest          400
│   ├── Unauthorized        401
│   ├── Forbidden           403
│   ├── NotFound            404
│   ├── VersionGone         410
│   ├── Conflict            409, 412
│   ├── RecordInvalid       422
│   │   └── ActionExists    422, and this user has that label in that location already
│   ├── RateLimited         429
│   ├── ServerError         5xx
│   └── UnexpectedAnswer    not an answer of Clio's API: HTML, a redirect, cut-off JSON, another record
└── NetworkError            no answer; unless it says that nothing was sent, Clio may have seen the request
    ├── TlsFailed           no secure connection, so nothing was sent; never tried again by itself
    └── ProxyRefused        the proxy asks for a password or lets nothing through; never tried again by itself

Every message is one or two sentences: what happened, to whom, what to do next. None holds a token, code or nonce.
"""

from __future__ import annotations

from typing import Final


class ClioError(Exception):
    """Base of every error that clio_nb raises on purpose. ``user`` names the user it is about, where that is known.

    Examples:
        >>> try:
        ...     clio.create_action(session, "", "https://partner.example/launch", at="matters")
        ... except clio.ClioError as error:
        ...     print(type(error).__name__)
        InvalidAction
    """

    user: str = ""

    def __str__(self) -> str:
        return f"{self.user}: {super().__str__()}" if self.user else super().__str__()


class InvalidInput(ClioError, ValueError):
    """A value that cannot be right, found before anything was sent. ``field`` names the argument."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field: Final = field


class InvalidAction(InvalidInput):
    """A label or target URL that Clio would refuse, or whose launches could not be verified."""


class ManifestError(InvalidInput):
    """A manifest that cannot be read. The message names the file, the entry in it and the nearest right word."""


class LoginError(ClioError):
    """Signing a user in did not work. The message says why and what to do."""


class LoginDeclined(LoginError):
    """The user was asked and said no."""


class LoginTimeout(LoginError):
    """The user did not come back from Clio's consent page in time."""


class StateMismatch(LoginError):
    """The answer carries the state of another login, or none: it may be forged and is not used."""


class GrantRefused(LoginError):
    """Clio refused the code or refresh token (``invalid_grant``): expired, used, revoked, or for another redirect."""


class ClientRefused(LoginError):
    """Clio refused the app (``invalid_client``): wrong client id or secret, or an app of another region."""


class NeedsLogin(ClioError):
    """A user's access has ended (revoked, or never granted). Ask that user to sign in again."""


class VaultError(ClioError):
    """The token store cannot be opened, read or written. What it held before, it still holds."""


class NotAdmitted(ClioError):
    """A page asks for the launch that led to it, and no middleware guards its address: nothing was proved."""


class RunInProgress(ClioError):
    """Another run is changing the same firm at the moment; two at once would write twice."""


class PortBusy(ClioError):
    """A port on this machine cannot be listened on: another program has it, or the system forbids it.

    ``why`` says which, and ``port`` the number.
    """

    def __init__(self, why: str, advice: str, *, port: int) -> None:
        super().__init__(f"{why} {advice}")
        self.why: Final = why
        self.port: Final = port


class ApiError(ClioError):
    """Clio answered with an error.

    ``status`` is the HTTP status, ``type`` Clio's own word for it (``"RecordInvalid"``, may be empty), ``request`` the
    method and path without its query, such as ``"POST /api/v4/custom_actions"``.
    """

    def __init__(self, message: str, *, status: int, type: str = "", request: str = "") -> None:
        super().__init__(message)
        self.status: Final = status
        self.type: Final = type
        self.request: Final = request


class BadRequest(ApiError):
    """400: a field or value that Clio does not know."""


class Unauthorized(ApiError):
    """401: the access token is missing, expired, revoked, or of another region."""


class Forbidden(ApiError):
    """403: the app or the user lacks the permission, or a nonce was refused."""


class NotFound(ApiError):
    """404: no such record, or none that this user can see."""


class VersionGone(ApiError):
    """410: the API version asked for is unknown or retired."""


class Conflict(ApiError):
    """409 or 412: somebody else changed the record since it was read."""


class RecordInvalid(ApiError):
    """422: Clio checked the values and refused them."""


class ActionExists(RecordInvalid):
    """This user has an action with that label in that location already; ``action_id`` is its id."""

    def __init__(self, message: str, *, status: int, action_id: int, type: str = "", request: str = "") -> None:
        super().__init__(message, status=status, type=type, request=request)
        self.action_id: Final = action_id


class _Later(ApiError):
    """``retry_after`` is the wait in seconds that Clio asks for, if it named one."""

    def __init__(
        self, message: str, *, status: int, retry_after: float | None = None, type: str = "", request: str = ""
    ) -> None:
        super().__init__(message, status=status, type=type, request=request)
        self.retry_after: Final = retry_after


class RateLimited(_Later):
    """429: too many requests with this token. ``retry_after``: the wait in seconds that Clio asks for, if it did."""


class ServerError(_Later):
    """5xx: Clio itself has a problem. ``retry_after`` as in :class:`RateLimited`."""


class UnexpectedAnswer(ApiError):
    """An answer that Clio's API does not give: HTML, a redirect, unreadable JSON, or another record than asked for."""


class NetworkError(ClioError):
    """No answer came: no network, a timeout, or a broken connection.

    ``nothing_sent`` is true when no byte of the request can have reached Clio: the connection was refused, the name was
    not found, TLS failed, or the time was up before. Otherwise Clio may or may not have seen the request.
    ``repeatable`` is false where a second try would fail as well.
    """

    repeatable: bool = True

    def __init__(self, message: str, *, nothing_sent: bool = False) -> None:
        super().__init__(message)
        self.nothing_sent: Final = nothing_sent


class TlsFailed(NetworkError):
    """No secure connection came about: an untrusted certificate, or a failed handshake."""

    repeatable = False


class ProxyRefused(NetworkError):
    """The proxy on the way wants another user name and password, or does not let the request through."""

    repeatable = False
