"""The proof of one launch, step by step: whose token, which action, and one request that carries the nonce.

Which of the user's actions are ours is taken from what this process has read before. When it has not, the nonce goes
first and the list is read afterwards: Clio asks for the nonce in "your next request to the API", and it lives 60 s.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, Literal

from .. import errors, portal, wire
from ..client import AsyncSession, known_user, title_fields
from ..models import CustomAction, Record, User
from ..places import NONCE_LIFETIME, Location
from .known import known
from .lookup import Sessions, session_for
from .report import Launch
from .seen import seen
from .verdict import CLIO_ANSWERED, HAS_TOKEN, KNOWN_ACTION, PARSED, STEPS, State, Step, Verdict

AGAIN: Final = "Click the action in Clio again."
ATTEMPTS: Final = 3  # answers of 429 and 401, neither of which carries the request out

Actions = Literal["known", "any"] | Iterable[CustomAction]


class _Ended(Exception):
    """The proof ends here: in this state, at this step, for this reason."""

    def __init__(self, state: State, step: str, reason: str) -> None:
        super().__init__(reason)
        self.state: Final[State] = state
        self.step: Final = step
        self.reason: Final = reason


async def prove(
    launch: Launch, sessions: Sessions, *, fields: str | None = None, actions: Actions = "known", arrived: float
) -> Verdict:
    """Prove a well-formed launch that came at ``arrived`` by the library's stopwatch, once in this process."""
    proof = _Proof(launch, arrived)
    try:
        session = await proof.find_session(sessions)
    except _Ended as end:
        return proof.verdict(end.state, end.reason, end.step)
    app = f"{session.site.origin} {session.site.client_id}"
    how = actions if isinstance(actions, str) else f"by {id(actions)}"
    verdict = await seen.once(launch, app, how, lambda: proof.run(session, fields, actions))
    if verdict is None:
        again = f"This launch was used here before, and a nonce works once. {AGAIN}"
        return proof.verdict("refused", again, CLIO_ANSWERED)
    return verdict


class _Proof:
    """A proof under way, and what it has found so far."""

    def __init__(self, launch: Launch, arrived: float) -> None:
        self._launch = launch
        self._arrived = arrived
        self._user: User | None = None
        self._action: CustomAction | None = None
        self._nonce_sent = False
        self._seconds_left: float | None = None
        self._details = {PARSED: f"user {launch.user_id}, action {launch.custom_action_id}, {launch.subject}"}

    def verdict(self, state: State, reason: str, failed: str = "", *, record: Record | None = None) -> Verdict:
        """Return the verdict with every step as it was judged."""
        steps = tuple(
            Step(name, ok=False, detail=reason)
            if name == failed
            else Step(name, ok=True if name in self._details else None, detail=self._details.get(name, ""))
            for name in STEPS
        )
        left = self._seconds_left if record else None
        return Verdict(state, reason, steps, self._launch, record, self._user, self._action, left, self._nonce_sent)

    async def run(self, session: AsyncSession, fields: str | None, actions: Actions) -> Verdict:
        """Judge the action and send the nonce, and return the verdict."""
        try:
            judged = self.judge_action_beforehand(session, actions)
            record = await self.ask_clio(session, fields)
            if not judged:
                await self.judge_action_afterwards(session)
        except _Ended as end:
            return self.verdict(end.state, end.reason, end.step)
        return self.verdict("verified", f"Clio confirmed the click on {self._launch.subject}.", record=record)

    async def find_session(self, sessions: Sessions) -> AsyncSession:
        """Find the session of the user whom the launch names, without sending the nonce anywhere."""
        user_id = self._launch.user_id
        try:
            session = await session_for(user_id, sessions)
        except errors.NeedsLogin as error:
            raise _Ended("refused", HAS_TOKEN, str(error)) from None
        except errors.ClioError as error:
            raise _Ended("unknown", HAS_TOKEN, f"{error} Nothing was sent; try again.") from None
        if session is None:
            raise _Ended("refused", HAS_TOKEN, f"There is no token of user {user_id}. Ask that user to sign in.")
        self._user = known_user(session)
        self._details[HAS_TOKEN] = f"{self._user or f'user {user_id}'} at {session.site.origin}"
        return session

    def judge_action_beforehand(self, session: AsyncSession, actions: Actions) -> bool:
        """Judge the action by what is known already; returns whether that was enough."""
        if actions == "any":
            self._details[KNOWN_ACTION] = "not checked, as asked"
            return True
        if isinstance(actions, str):
            action = known.of(session, self._launch.user_id).action(self._launch.custom_action_id)
            if action is None or self._misfit(action):
                return False  # perhaps changed since
        else:
            action = next((one for one in actions if one.id == self._launch.custom_action_id), None)
        self._judge(action)
        return True

    async def judge_action_afterwards(self, session: AsyncSession) -> None:
        """Read the user's actions and judge the action by them, the nonce being spent."""
        knowledge = known.of(session, self._launch.user_id)
        try:
            knowledge.learn(await session.list_actions())
        except errors.ClioError as error:
            raise _Ended(
                "unknown", KNOWN_ACTION, f"The click is genuine, but the user's actions could not be read. {error}"
            ) from None
        self._judge(knowledge.action(self._launch.custom_action_id))

    def _judge(self, action: CustomAction | None) -> None:
        if action is None:
            raise _Ended(
                "refused",
                KNOWN_ACTION,
                f"Action {self._launch.custom_action_id} is none of this app's actions of user {self._launch.user_id}. "
                "If it was made a moment ago, click it again.",
            )
        if misfit := self._misfit(action):
            raise _Ended("refused", KNOWN_ACTION, misfit)
        self._action = action
        self._details[KNOWN_ACTION] = f"{action.label or action.id}, on {self._launch.subject.location.resource}"

    def _misfit(self, action: CustomAction) -> str:
        location = self._launch.subject.location
        if action.location is location:
            return ""
        return f"Action {action.id} belongs to {action.ui_reference}, not to {location}: the launch was put together."

    async def ask_clio(self, session: AsyncSession, fields: str | None) -> Record:
        """Send the nonce, once, with the request for the record; return the record that Clio confirms."""
        try:
            data = await self._send_nonce(session, fields)
        except errors.NetworkError:
            raise _Ended("unknown", CLIO_ANSWERED, f"No answer came, and the nonce may be spent. {AGAIN}") from None
        except errors.RateLimited:
            reason = f"This user's budget of requests is used up for longer than the nonce lives. {AGAIN}"
            raise _Ended("expired", CLIO_ANSWERED, reason) from None
        except errors.Forbidden:
            raise _Ended("refused", CLIO_ANSWERED, self._why_forbidden(session)) from None
        except errors.NotFound:
            reason = f"{self._launch.subject} is deleted, or this user cannot see it (404). {AGAIN}"
            raise _Ended("refused", CLIO_ANSWERED, reason) from None
        except errors.UnexpectedAnswer as error:
            raise _Ended("refused", CLIO_ANSWERED, str(error)) from None
        except (errors.NeedsLogin, errors.Unauthorized):
            reason = f"The access of user {self._launch.user_id} has ended. Ask that user to sign in again."
            raise _Ended("refused", CLIO_ANSWERED, reason) from None
        except errors.ClioError as error:
            raise _Ended("unknown", CLIO_ANSWERED, f"{error} The nonce may be spent. {AGAIN}") from None
        record_id = data.get("id")
        if isinstance(record_id, bool) or record_id != self._launch.subject.record_id:
            raise _Ended("refused", CLIO_ANSWERED, f"The answer is another record than {self._launch.subject}. {AGAIN}")
        self._seconds_left = max(self._left(), 0.0)
        self._details[CLIO_ANSWERED] = f"confirmed, with {self._seconds_left:.0f} of {NONCE_LIFETIME} s left"
        known.of(session, self._launch.user_id).readable.add(self._launch.subject.location)
        return Record(self._launch.subject, data)

    async def _send_nonce(self, session: AsyncSession, fields: str | None) -> dict[str, Any]:
        """Send the one request. Only a 401 or a 429, which carry nothing out, lets it be sent again inside the 60 s."""
        subject = self._launch.subject
        request = wire.get_record(
            subject.location, subject.record_id, fields=_with_id(fields, subject.location), nonce=self._launch.nonce
        )
        renewed = False
        for attempt in range(ATTEMPTS):
            token = await session.token()
            if self._left() <= 0:
                break
            self._nonce_sent = True
            try:
                return (await session.request(request, dict[str, Any], once=True, patience=self._left())).data
            except errors.Unauthorized:
                if renewed:
                    raise
                renewed = True
                await session.renew(token)
            except errors.RateLimited as error:
                if attempt == ATTEMPTS - 1 or error.retry_after is None or error.retry_after >= self._left():
                    raise
        raise _Ended("expired", CLIO_ANSWERED, f"The launch came more than {NONCE_LIFETIME} s ago. {AGAIN}")

    def _left(self) -> float:
        """Seconds that the nonce can have left: it was minted before the launch came. Clio has the last word."""
        return self._arrived + NONCE_LIFETIME - portal.now()

    def _why_forbidden(self, session: AsyncSession) -> str:
        """Say what a 403 can mean. Clio documents one body for all of its causes, so some can only be ruled out."""
        resource = self._launch.subject.location.resource
        why = f"Clio refused it (403): the nonce is forged, used, older than {NONCE_LIFETIME} s or another user's"
        if self._launch.subject.location not in known.of(session, self._launch.user_id).readable:
            why += f", or the app or this user lacks the permission to read {resource}"
        return f"{why}. {AGAIN}"


def _with_id(fields: str | None, location: Location) -> str:
    """Ask for the id too: the answer must say which record it is."""
    if fields is None:
        return title_fields(location)
    return fields if "id" in re.sub(r"\{.*?\}", "", fields).split(",") else f"id,{fields}"
