"""The proof of one launch, step by step: whose token, which action, and one request that carries the nonce.

Which of the user's actions are ours is taken from what this process has read before. When it has not, the nonce goes
first and the list is read afterwards: Clio asks for the nonce in "your next request to the API", and it lives 60 s.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Final, Literal, Protocol, TypeVar

from ... import errors, events
from ...http import timeouts
from ...models import CustomAction, Record, Subject, User
from ...session import AsyncSession, known_user
from ...vocabulary import NONCE_LIFETIME
from ..recording import Recording
from ..report import Launch, LaunchReport
from ..verdict import CLIO_ANSWERED, HAS_TOKEN, KNOWN_ACTION, PARSED, STEPS, Code, State, Step, Verdict
from .confirmation import AGAIN, Confirmation, fields_with_id
from .known_actions import CAREFUL, actions_cache
from .sessions import Sessions, app_of, sessions_of
from .used_nonces import Asker, used_nonces

T = TypeVar("T")
Actions = Literal["known", "any"] | Iterable[CustomAction]


class Said(Protocol):
    """What a launch says, whether it was proved or not."""

    @property
    def custom_action_id(self) -> int:
        """The action."""

    @property
    def user_id(self) -> int:
        """The user."""

    @property
    def subject(self) -> Subject:
        """The record."""


class _Ended(Exception):
    """The proof ended: in this state, at this step, for this reason, which has a code."""

    def __init__(self, state: State, step: str, reason: str, code: Code) -> None:
        super().__init__(reason)
        self.state: Final[State] = state
        self.code: Final[Code] = code
        self.step: Final = step
        self.reason: Final = reason


async def prove(
    report: LaunchReport,
    sessions: Sessions,
    *,
    asker: Asker | None = None,
    fields: str | None = None,
    actions: Actions = "known",
    arrived: float | None = None,
    first: Callable[[], Awaitable[bool]] | None = None,
    recording: Recording | None = None,
) -> tuple[Verdict, AsyncSession | None]:
    """Prove a launch that came at ``arrived`` by the library's stopwatch, or now, once in this process.

    All who ask before Clio's answer is known share it; the rules of each are applied for each. ``first`` says before
    the nonce is sent whether no other process has it, ``recording`` notes what came of it. Returns the verdict, and the
    session that has proved the launch.
    """
    started = timeouts.now()
    if recording is not None:
        recording.begin()
    proof = None if report.launch is None else _Proof(report.launch)
    cut_off = "The proof was cut off before it had an answer."
    verdict = Verdict("unknown", cut_off, (), report.launch, code="no-answer")
    try:
        if proof is None:
            reason = " ".join(report.reasons)
            steps = (Step(name, ok=False, detail=reason) if name == PARSED else Step(name) for name in STEPS)
            verdict = Verdict("refused", reason, tuple(steps), code="malformed")
        else:
            verdict = await proof.carried_out(sessions, asker, fields, actions, arrived, first)
        return verdict, proof.session if verdict and proof is not None else None
    finally:
        seconds = timeouts.now() - started
        _tell(verdict, seconds)
        if recording is not None and (proof is None or proof.note_once()):
            recording.note(verdict, None if proof is None else proof.session, seconds)


def _tell(verdict: Verdict, seconds: float) -> None:
    """Log what came of a launch."""
    said = verdict.reason
    words: dict[str, object] = {"state": verdict.state, "milliseconds": round(seconds * 1000)}
    if launch := verdict.launch:
        words |= {"user_id": launch.user_id, "action_id": launch.custom_action_id}
        words |= {"location": launch.subject.location.value, "record_id": launch.subject.record_id}
        said = f"user {launch.user_id}, action {launch.custom_action_id}, {launch.subject}"  # a reason may have a name
    if verdict:
        events.tell("proof", f"launch verified: {said}", **words)
    else:
        said = f"launch {verdict.state}: {verdict.code}. {said}"
        events.tell("proof", said, True, reason=verdict.code, **words)


class _Proof:
    """The proof for one caller, and what it has found so far."""

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._user: User | None = None
        self._action: CustomAction | None = None
        self._nonce_sent: bool | None = False
        self._confirmation: Confirmation | None = None
        self.session: AsyncSession | None = None
        self._details = {PARSED: f"user {launch.user_id}, action {launch.custom_action_id}, {launch.subject}"}

    async def carried_out(
        self,
        sessions: Sessions,
        asker: Asker | None,
        fields: str | None,
        actions: Actions,
        arrived: float | None,
        first: Callable[[], Awaitable[bool]] | None,
    ) -> Verdict:
        """Go step by step, and return the verdict."""
        asker = asker or used_nonces.join(self._launch)
        arrived = timeouts.now() if arrived is None else arrived
        try:
            session = self.session = await self.find_session(sessions)
            judged = await self.judge_action_beforehand(session, actions)
            confirmation = await self.ask_clio(asker, session, fields, arrived, first)
            if not judged:
                await self.judge_action_afterwards(session, confirmation)
            record = await self.record_of(session, confirmation, fields)
        except _Ended as end:
            return self.verdict(end.state, end.reason, end.step, end.code)
        who = known_user(session) or f"user {self._launch.user_id}"
        reason = (
            f"Clio confirmed that {who} clicked. The action and the record ({self._launch.subject}) are what the "
            "browser said."
        )
        return self.verdict("verified", reason, record=record, left=confirmation.seconds_left)

    def note_once(self) -> bool:
        """Whether nobody who shares Clio's answer has noted this launch in the history yet."""
        if self._confirmation is None:
            return True
        noted, self._confirmation.noted = self._confirmation.noted, True
        return not noted

    def verdict(
        self,
        state: State,
        reason: str,
        failed: str = "",
        code: Code = "",
        *,
        record: Record | None = None,
        left: float | None = None,
    ) -> Verdict:
        """Return the verdict with every step as it was judged."""
        steps = tuple(
            Step(name, ok=False, detail=reason)
            if name == failed
            else Step(name, ok=True if name in self._details else None, detail=self._details.get(name, ""))
            for name in STEPS
        )
        return Verdict(
            state, reason, steps, self._launch, record, self._user, self._action, left, self._nonce_sent, code
        )

    async def find_session(self, sessions: Sessions) -> AsyncSession:
        """Find the session of the user whom the launch names, without sending the nonce anywhere."""
        user_id = self._launch.user_id
        try:
            several = await sessions_of(user_id, sessions)
            session = await self._tell_apart(several) if len(several) > 1 else next(iter(several), None)
        except errors.NeedsLogin as error:
            raise _Ended("refused", HAS_TOKEN, str(error), "no-token") from None
        except errors.ClioError as error:
            raise _Ended("unknown", HAS_TOKEN, f"{error} Nothing was sent; try again.", "no-answer") from None
        if session is None:
            missing = f"There is no token for user {user_id}. Ask that user to sign in."
            raise _Ended("refused", HAS_TOKEN, missing, "no-token")
        self._user = known_user(session)
        self._details[HAS_TOKEN] = f"{self._user or f'user {user_id}'} at {session.site.origin}"
        return session

    async def _tell_apart(self, several: list[AsyncSession]) -> AsyncSession:
        """Return the session of the region or app that a launch comes from: the one whose user has its action."""
        having = []
        for session in several:
            known = actions_cache.of(session, self._launch.user_id)
            if known.action(self._launch.custom_action_id) is None:
                await known.list_again(session)
            if not fault_of(self._launch, known.action(self._launch.custom_action_id)):
                having.append(session)
        if len(having) != 1:
            raise _Ended(
                "refused",
                HAS_TOKEN,
                f"User {self._launch.user_id} is known at {' and '.join(one.site.origin for one in several)}, and "
                f"action {self._launch.custom_action_id} does not tell which it is. Give each a path of its own.",
                "ambiguous",
            )
        return having[0]

    async def judge_action_beforehand(self, session: AsyncSession, actions: Actions) -> bool:
        """Judge the action by what is known already. Returns whether that was enough.

        Once Clio has refused some launches of a user, no nonce is sent for an action that is not known to be hers.
        """
        if actions == "any":
            self._details[KNOWN_ACTION] = "not checked, as asked"
            return True
        action = action_of(self._launch, session, actions)
        if isinstance(actions, str) and fault_of(self._launch, action):
            known = actions_cache.of(session, self._launch.user_id)
            if known.tried < CAREFUL:
                return False  # perhaps changed since
            await self._reading(known.list_again(session))
            action = known.action(self._launch.custom_action_id)
        self._judge(action)
        return True

    async def ask_clio(
        self,
        asker: Asker,
        session: AsyncSession,
        fields: str | None,
        arrived: float,
        first: Callable[[], Awaitable[bool]] | None,
    ) -> Confirmation:
        """Have Clio confirm the nonce, or share the answer to another caller who asks at the same time."""
        mine = Confirmation(self._launch, session, fields, arrived, first)
        shared = used_nonces.share(asker, app_of(session), mine)
        if shared is None:
            again = f"This launch was used here before, and a nonce works once. {AGAIN}"
            raise _Ended("refused", CLIO_ANSWERED, again, "replayed")
        self._confirmation = shared.confirmation
        try:
            await shared.answer()
        except errors.NetworkError:  # this caller's timeout is over; for the others, Clio is asked all the same
            self._nonce_sent = shared.confirmation.nonce_sent or None
            late = f"No answer came within the timeout, and the nonce may be spent. {AGAIN}"
            if self._nonce_sent is None:
                late = "The nonce was not sent within the timeout, but it may still be. Verify the launch again."
            raise _Ended("unknown", CLIO_ANSWERED, late, "no-answer") from None
        confirmation = shared.confirmation
        self._nonce_sent = confirmation.nonce_sent
        if confirmation.state != "verified":
            raise _Ended(confirmation.state, CLIO_ANSWERED, confirmation.reason, confirmation.code)
        left = f"{confirmation.seconds_left:.0f} of {NONCE_LIFETIME} s left"
        self._details[CLIO_ANSWERED] = f"confirmed, with {left}"
        return confirmation

    async def judge_action_afterwards(self, session: AsyncSession, confirmation: Confirmation) -> None:
        """Read the user's actions and judge the action by them, the nonce being spent."""
        known = actions_cache.of(session, self._launch.user_id)
        known.learn(await self._reading(confirmation.list_actions(), "Clio confirmed the user, but "))
        self._judge(known.action(self._launch.custom_action_id))

    async def _reading(self, reading: Awaitable[T], but: str = "") -> T:
        try:
            return await reading
        except errors.ClioError as error:
            said = f"{but}the user's actions could not be read. {error}"
            raise _Ended("unknown", KNOWN_ACTION, said[0].upper() + said[1:], "no-answer") from None

    def _judge(self, action: CustomAction | None) -> None:
        if fault := fault_of(self._launch, action):
            raise _Ended("refused", KNOWN_ACTION, fault, "misplaced" if action else "unknown-action")
        assert action is not None  # noqa: S101 -- for mypy
        self._action = action
        self._details[KNOWN_ACTION] = f"{action.label or action.id}, on {self._launch.subject.location.resource}"

    async def record_of(self, session: AsyncSession, confirmation: Confirmation, fields: str | None) -> Record:
        """Return the record that came with the nonce; read it again when another caller asked for other fields."""
        subject = self._launch.subject
        wanted = fields_with_id(fields)
        if wanted == confirmation.fields:
            return Record(subject, confirmation.data)
        try:
            return await session.record(subject, fields=wanted)
        except errors.ClioError as error:
            reason = f"Clio confirmed the user, but the record could not be read. {error}"
            raise _Ended("unknown", CLIO_ANSWERED, reason, "no-answer") from None


def check_actions(actions: object) -> None:
    """Raise :class:`InvalidInput` unless these say which actions count as ours."""
    if actions not in ("known", "any") and (isinstance(actions, str) or not isinstance(actions, Iterable)):
        raise errors.InvalidInput(
            "actions must be 'known', 'any', or a list of actions such as list_actions(session) returns.",
            field="actions",
        )


def action_of(launch: Said, session: AsyncSession, actions: Actions) -> CustomAction | None:
    """Find the action of a launch in a collection, or among those that Clio listed for this user not long ago."""
    if isinstance(actions, str):
        return actions_cache.of(session, launch.user_id).action(launch.custom_action_id)
    return next((one for one in actions if one.id == launch.custom_action_id), None)


def fault_of(launch: Said, action: CustomAction | None) -> str:
    """Say why a launch cannot be of this action; an empty text when it can."""
    if action is None:
        return (
            f"User {launch.user_id} has no action {launch.custom_action_id} of this app. "
            "If it was created a moment ago, click it again."
        )
    if action.location is launch.subject.location:
        return ""
    location = launch.subject.location
    return f"Action {action.id} belongs to {action.ui_reference}, not to {location}: no click sends such a launch."
