"""What is known of a firm: each user's access and actions at Clio, and which actions are ours by the journal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from ..ledger.records import ActionFields, Kept, Owned
from ..models import CustomAction, User

__all__ = ["ADVICE", "Access", "ActionFields", "Claim", "Kept", "Ledger", "Owned", "UserLedger", "UserState", "Wanted"]


class Access(StrEnum):
    """Whether a user's actions could be read, or why not. The values are the reasons that tables show."""

    SIGNED_IN = "signed in"
    NEVER_SIGNED_IN = "never signed in"
    REVOKED = "revoked"
    EXPIRED = "expired"
    DAMAGED = "damaged"
    NO_PERMISSION = "no permission"
    WRONG_REGION = "wrong region"
    DISABLED = "disabled user"
    UNREADABLE = "not readable"


ADVICE = {
    Access.SIGNED_IN: "",
    Access.NEVER_SIGNED_IN: "Ask this user to sign in.",
    Access.REVOKED: "Access was revoked. Ask this user to sign in again.",
    Access.EXPIRED: "The token has expired and cannot be renewed. Ask this user to sign in again.",
    Access.DAMAGED: "The token in the vault cannot be read. Ask this user to sign in again, or remove the token.",
    Access.NO_PERMISSION: "Give the app the custom_actions permission, then ask this user to sign in again.",
    Access.WRONG_REGION: "The token belongs to another region. Ask this user to sign in to this one.",
    Access.DISABLED: "The user is disabled in Clio. Enable the user there, or add the user to exclude in the manifest.",
    Access.UNREADABLE: "The actions could not be read. Plan again later.",
}


@dataclass(frozen=True, slots=True)
class UserState:
    """One user of the firm, and that user's actions if they could be read. ``detail`` says more about a failure."""

    user: User
    access: Access = Access.SIGNED_IN
    actions: tuple[CustomAction, ...] = ()
    detail: str = ""

    @property
    def advice(self) -> str:
        """What to do about it, in a sentence or two."""
        return " ".join(filter(None, (self.detail, ADVICE[self.access])))


@dataclass(frozen=True, slots=True)
class UserLedger:
    """What the journal knows of one user.

    ``owned`` by action id. ``claims`` are creates that were sent and whose answer was lost: the fields that were sent,
    with the manifest and key that such an action belongs to. ``kept`` is what Clio stores differently, for any user.
    """

    owned: Mapping[int, Owned] = field(default_factory=dict)
    claims: Mapping[ActionFields, tuple[str, str]] = field(default_factory=dict)
    kept: Kept = frozenset()


class Claim(NamedTuple):
    """A create that was sent for a user and whose answer was lost."""

    user_id: int
    manifest: str
    key: str
    fields: ActionFields


class Ledger:
    """What the journal knows of a firm, by user."""

    def __init__(self, owned: Iterable[Owned] = (), claims: Iterable[Claim] = (), kept: Kept = frozenset()) -> None:
        self.kept = kept
        self._owned: dict[int, dict[int, Owned]] = {}
        self._claims: dict[int, dict[ActionFields, tuple[str, str]]] = {}
        for one in owned:
            self._owned.setdefault(one.user_id, {})[one.action_id] = one
        for claim in claims:
            self._claims.setdefault(claim.user_id, {})[claim.fields] = (claim.manifest, claim.key)

    def of(self, user_id: int) -> UserLedger:
        """Return what is known of one user."""
        return UserLedger(self._owned.get(user_id, {}), self._claims.get(user_id, {}), self.kept)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One action that one user should see. ``error`` says what is wrong with it in the manifest, if anything."""

    key: str
    fields: ActionFields
    error: str = ""
