"""One token's requests: paced by its budget, renewed when it ends, repeated where that is safe, read page by page."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from typing import Final, TypeVar

from .. import errors
from ..models import Clock, Site, Token, User, visible
from ..secret import Secret
from . import messages, timeouts, transport
from .pace import Pace
from .retry import repeat
from .sync_and_async import on_loop
from .tokens import OwnToken, TokenSource

T = TypeVar("T")
E = TypeVar("E", bound=errors.ClioError)

fence: Final[ContextVar[Callable[[], Awaitable[None]] | None]] = ContextVar("clio_nb.fence", default=None)
"""Awaited just before each request that changes something; what it raises keeps that request from being sent."""

MARGIN: Final = 60.0  # seconds before its end at which a token is renewed beforehand: a nonce must not meet a 401

_log: Final = logging.getLogger("clio_nb")
_NOT_WHOLE: Final = "The list is not whole, because Clio sent unexpected values in its rows: {}. Try again later."


class Rows(list[T]):
    """The rows of a list. ``left_out`` has the paths of what keeps it from being whole."""

    def __init__(self) -> None:
        super().__init__()
        self.left_out: list[str] = []


def warn_of_rows(request: messages.Request, left_out: Sequence[str]) -> None:
    """Log the paths of what keeps a list from being whole, if there are any."""
    if left_out:
        _log.warning("%s: %s", request, _NOT_WHOLE.format(_some(left_out)))


def not_whole(rows: list[T]) -> str:
    """Say why the rows that a session has listed are not all that there are; an empty text when they are."""
    left_out = rows.left_out if isinstance(rows, Rows) else ()
    return _NOT_WHOLE.format(_some(left_out)) if left_out else ""


def whole(rows: list[T]) -> list[T]:
    """Return the rows that a session has listed. Raises :class:`errors.UnexpectedAnswer` when they are not all."""
    if said := not_whole(rows):
        raise errors.UnexpectedAnswer(said, status=200)
    return rows


class Client:
    """Sends the requests of one user, who is named in errors where that is known."""

    def __init__(self, site: Site, token: Token | Secret | str | TokenSource, user: User | None) -> None:
        self.site = site
        self._user = user
        self._clock: Clock | None = getattr(site, "clock", None)
        self._tokens = OwnToken(site, Token.of(token)) if isinstance(token, Token | Secret | str) else token
        self._pace = Pace()
        self._paced: Secret | None = None  # the access token that the pace counts for

    @on_loop
    async def request(
        self, request: messages.Request, shape: type[T], *, once: bool = False, patience: float = math.inf
    ) -> messages.Answer[T]:
        """Send a request with this user's token and return its data in the given shape.

        With ``once`` it is sent exactly once and every failure is raised; if the user's budget of requests would make
        it wait ``patience`` seconds or more, it is not sent, which is :class:`errors.RateLimited`. Otherwise a 401
        renews the token, a 429 waits (neither was carried out), and a read is repeated within bounds after a 5xx or a
        lost answer.
        """
        if once:
            return await self._send(request, shape, await self.token(), patience)
        renewed: Token | None = None

        async def attempt() -> messages.Answer[T]:
            nonlocal renewed
            token = await self.token()
            try:
                return await self._send(request, shape, token)
            except errors.Unauthorized:
                if renewed is not None:
                    raise
                renewed = await self.renew(token)
                return await self._send(request, shape, renewed)

        try:
            return await attempt()
        except (errors.RateLimited, errors.ServerError, errors.NetworkError) as failure:
            return await repeat(request, attempt, failure, self._clock)

    @on_loop
    async def token(self) -> Token:
        """Return the token in use, renewed beforehand when it is about to end."""
        token = await self._tokens.current()
        return await self._tokens.renew(token) if token.refresh and token.ends_within(MARGIN) else token

    @on_loop
    async def renew(self, stale: Token) -> Token:
        """Return a newer token than ``stale``. Raises :class:`errors.NeedsLogin` when there can be none."""
        try:
            return await self._tokens.renew(stale)
        except errors.NeedsLogin as error:
            raise self._named(error) from error.__cause__

    async def _data(self, request: messages.Request, shape: type[T]) -> T:
        return (await self.request(request, shape)).data

    async def _pages(self, first: messages.Request, shape: type[list[T]]) -> Rows[T]:
        """Read all pages. A page that comes twice is an error: otherwise reading would never end."""
        rows = Rows[T]()
        following: messages.Request | None = first
        read = set()
        while following is not None:
            if following in read:
                raise errors.UnexpectedAnswer(
                    f"{first}: Clio's next page is one that was already read. Try again.",
                    status=200,
                    request=str(first),
                )
            read.add(following)
            answer = await self.request(following, shape)
            rows += answer.data
            rows.left_out += answer.left_out
            following = answer.next
        return rows

    async def _send(
        self, request: messages.Request, shape: type[T], token: Token, patience: float = math.inf
    ) -> messages.Answer[T]:
        pace = await self._turn(request, token, patience)
        window, rate, sent = pace.window, None, self._now()
        headers: dict[str, str | Secret] = {"accept": "application/json"}
        headers["authorization"] = Secret(f"Bearer {token.access.reveal()}")
        if request.data is not None:
            headers["content-type"] = "application/json"
        if request.if_match is not None:
            headers["if-match"] = request.if_match
        try:
            raw = await transport.exchange(
                request.method,
                request.url(self.site.origin),
                headers=headers,
                content=request.body or b"",
                before=None if request.method == "GET" else fence.get(),
            )
            rate = messages.rate(raw.headers)
        finally:
            # a clock that others move does not say when the answer was made; it was when this was sent
            then = timeouts.now() if self._clock is None else sent
            pace.answered(window, then, rate)
        try:
            answer = messages.decipher(request, raw.status, raw.headers, raw.body, shape)
        except errors.RateLimited as error:
            pace.refused(then, error.retry_after)
            raise self._named(error) from None
        except errors.ApiError as error:
            raise self._named(error) from error.__cause__
        if answer.ignored:
            _log.warning("%s: Clio sent unexpected values, which were ignored: %s", request, _some(answer.ignored))
        warn_of_rows(request, answer.left_out)
        return answer

    async def _turn(self, request: messages.Request, token: Token, patience: float) -> Pace:
        """Wait until the token's budget allows one more request, unless that takes ``patience`` seconds or more."""
        if token.access != self._paced:  # Clio counts per access token
            self._pace, self._paced = Pace(), token.access
        while wait := self._pace.take(now := self._now()):
            if wait >= min(patience, timeouts.left()):
                raise errors.RateLimited(
                    f"{request} was not sent: this user's rate limit is used up. Try again in {wait:.0f} s.",
                    status=429,
                    retry_after=wait,
                    request=str(request),
                )
            if self._clock is not None and self._pace.in_flight:  # their answers first: they say more of the budget
                await asyncio.sleep(0.001)
            else:
                await timeouts.rest(wait, self._clock, now + wait)
        return self._pace

    def _now(self) -> float:
        return timeouts.now() if self._clock is None else self._clock.now()

    def _named(self, error: E) -> E:
        error.user = str(self._user) if self._user else ""
        return error


def _some(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return ", ".join(visible(path)[:80] for path in paths[:3]) + more
