"""The one request that carries a nonce, and Clio's answer: shared by all callers who ask at the same time.

Its deadline is the nonce's life: the timeout of one caller must not end it for the others.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

from ... import errors
from ...http import messages, timeouts
from ...models import CustomAction
from ...session import AsyncSession
from ...vocabulary import NONCE_LIFETIME
from ..report import Launch
from ..verdict import Code, State
from .known_actions import MOST, actions_cache

AGAIN: Final = "Click the action in Clio again."
ELSEWHERE: Final = f"Another process has proved this launch or does so now, and a nonce works once. {AGAIN}"
SENT_AT_MOST: Final = 3  # Clio does not carry out a request that it answers 429 or 401
PAUSE: Final = 1.0  # seconds before a connection that was refused is tried once more


class Confirmation:
    """Clio's answer to a nonce: ``state``, ``reason`` and ``code``, and when verified the ``data`` of the record."""

    def __init__(
        self,
        launch: Launch,
        session: AsyncSession,
        fields: str | None,
        arrived: float,
        first: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        self._first = first
        self.launch: Final = launch
        self._session = session
        self._arrived = arrived
        self._asked_until = timeouts.now() + timeouts.left()
        self._actions: asyncio.Task[list[CustomAction]] | None = None
        self.fields: Final = fields_with_id(fields)
        self.state: State = "unknown"
        self.reason = ""
        self.code: Code = "no-answer"
        self.noted = False  # in the history: once for all who share it
        self.data: dict[str, Any] = {}
        self.seconds_left = 0.0
        self.nonce_sent = False

    async def ask(self) -> None:
        """Send the nonce, once, with the request for the record."""
        known = actions_cache.of(self._session, self.launch.user_id)
        if known.tried >= MOST:
            self.code = "rate-limited"
            self.reason = f"Clio has refused {MOST} launches of this user within a minute. {AGAIN[:-1]} in a minute."
            return
        if self._first is not None and not await self._first():
            self.state, self.reason, self.code = "refused", ELSEWHERE, "replayed"
            return
        tried = known.note_try()
        try:
            self.data = await self._send()
        except errors.ClioError as error:
            self.state, self.reason, self.code = self._meaning(error)
            if not isinstance(error, errors.Forbidden):
                known.forget_try(tried)
            return
        known.forget_try(tried)
        asked = self.launch.subject
        if messages.record_id(self.data) != asked.record_id:
            self.state, self.code = "refused", "other-answer"
            self.reason = f"Clio answered with a different record, not {asked}. {AGAIN}"
            return
        self.state, self.code, self.seconds_left = "verified", "", max(self._left(), 0.0)
        actions_cache.of(self._session, self.launch.user_id).note_read(asked)

    async def list_actions(self) -> list[CustomAction]:
        """Read the user's actions, the nonce being spent: once for all who need them."""
        if self._actions is None:
            self._actions = timeouts.apart(self._session.list_actions())
        return await timeouts.within(asyncio.shield(self._actions), "Reading the actions")

    async def _send(self) -> dict[str, Any]:
        """Send the one request. It is sent again within the 60 s only if Clio did not carry it out."""
        subject, session = self.launch.subject, self._session
        request = messages.get_record(subject.location, subject.record_id, fields=self.fields, nonce=self.launch.nonce)
        again: set[type[errors.ClioError]] = set()
        for attempt in range(SENT_AT_MOST):
            token = await session.token()
            if self._left() <= 0:
                break
            if self._wait() <= 0:
                raise errors.NetworkError("The timeout ran out before the nonce was sent.", nothing_sent=True)
            sent_before, self.nonce_sent = self.nonce_sent, True
            try:
                return (await session.request(request, dict[str, Any], once=True, patience=self._wait())).data
            except errors.Unauthorized as error:
                if type(error) in again:
                    raise
                again.add(type(error))
                await session.renew(token)
            except errors.RateLimited as error:
                if attempt == SENT_AT_MOST - 1 or error.retry_after is None or error.retry_after >= self._wait():
                    raise
            except (errors.NetworkError, errors.InvalidInput) as error:  # the second is of how the network is set
                sent = not getattr(error, "nothing_sent", True)
                self.nonce_sent = sent_before or sent
                again_helps = getattr(error, "repeatable", False) and self._asked_until - timeouts.now() > PAUSE
                never = sent or not again_helps
                if attempt == SENT_AT_MOST - 1 or never or type(error) in again:
                    raise
                again.add(type(error))
                await timeouts.sleep(PAUSE)
        raise _TooLate

    def _left(self) -> float:
        """Seconds that the nonce can have left: it was minted before the launch came. Clio has the last word."""
        return self._arrived + NONCE_LIFETIME - timeouts.now()

    def _wait(self) -> float:
        """Seconds that the request may wait for its turn: no longer than the nonce lives or its first caller waits."""
        return min(self._left(), self._asked_until - timeouts.now())

    def _meaning(self, error: errors.ClioError) -> tuple[State, str, Code]:
        """Say what an error means for the launch."""
        if isinstance(error, _TooLate):
            return "expired", f"The launch came more than {NONCE_LIFETIME} s ago. {AGAIN}", "expired"
        if isinstance(error, errors.RateLimited):
            if self._wait() <= (error.retry_after or 0) < self._left():
                return "unknown", f"{error} {AGAIN}", "rate-limited"
            late = f"This user's rate limit is used up for longer than the nonce lives. {AGAIN}"
            return "expired", late, "rate-limited"
        code, refused = self._refusal(error)
        if refused:
            return "refused", refused, code
        if not self.nonce_sent:
            return "unknown", f"{error} The nonce did not reach Clio: the launch can still be verified.", code
        what = "No answer came, and the nonce" if isinstance(error, errors.NetworkError) else f"{error} The nonce"
        return "unknown", f"{what} may be spent. {AGAIN}", code

    def _refusal(self, error: errors.ClioError) -> tuple[Code, str]:
        """Say why it is refused; an empty text when it is not. Clio documents one body for every cause of a 403."""
        user_id, subject = self.launch.user_id, self.launch.subject
        if isinstance(error, errors.Forbidden):
            why = f"Clio refused it ({f'403 {error.type}'.strip()}): "
            why += f"the nonce is forged, used, older than {NONCE_LIFETIME} s or another user's"
            if not actions_cache.of(self._session, user_id).has_read(subject):
                why += f", or this user may not see {subject}"
                why += f", or the app or this user lacks the permission to read {subject.location.resource}"
            return "refused-by-clio", f"{why}. {AGAIN}"
        if isinstance(error, errors.NotFound):
            return "not-found", f"{subject} is deleted, or this user cannot see it (404). {AGAIN}"
        if isinstance(error, errors.NeedsLogin | errors.Unauthorized):
            return "revoked", f"The access of user {user_id} has ended. Ask this user to sign in again."
        if isinstance(error, errors.UnexpectedAnswer):
            return "other-answer", str(error)
        return "no-answer", ""


class _TooLate(errors.ClioError):
    """The nonce had expired before it could be sent."""


def fields_with_id(fields: str | None) -> str | None:
    """Ask for the id too, as the few fields do that name a record: the answer must say which record it is."""
    known = fields is None or "id" in re.sub(r"\{.*?\}", "", fields).split(",")
    return fields if known else f"id,{fields}"
