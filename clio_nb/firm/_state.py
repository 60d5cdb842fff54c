"""What is known of a firm: each user's access and actions at Clio, and which actions are ours by the journal."""

from __future__ import annotations

import datetime as dt
import operator
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, TypeAlias

import msgspec

from ..action_rules import as_shown, same_label, same_url
from ..models import CustomAction, User

Kept: TypeAlias = AbstractSet[tuple[str, str]]
"""What Clio changed when it stored it: a label or target URL as it was sent, and as Clio answered."""


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


class ActionFields(msgspec.Struct, frozen=True):
    """What a user sees of an action: its label, target URL and location."""

    label: str | None
    target_url: str | None
    ui_reference: str | None

    @classmethod
    def of(cls, action: CustomAction) -> ActionFields:
        """Return the fields of an action."""
        return cls(action.label, action.target_url, action.ui_reference)

    def differing(self, asked: ActionFields, kept: Kept = frozenset()) -> tuple[str, ...]:
        """Return which fields differ from ``asked``, except where Clio is known to store that value this way."""
        if self == asked:
            return ()
        pairs = {name: (getattr(asked, name), getattr(self, name)) for name in self.__struct_fields__}
        alike = {"label": same_label, "target_url": same_url, "ui_reference": operator.eq}
        return tuple(name for name, pair in pairs.items() if pair not in kept and not alike[name](*pair))

    def kept_for(self, asked: ActionFields | None) -> list[tuple[str, str]]:
        """Return the label and the target URL that Clio stored differently, each as sent and as stored."""
        pairs = [] if asked is None else [(asked.label, self.label), (asked.target_url, self.target_url)]
        return [(sent, kept) for sent, kept in pairs if sent and kept and sent != kept]

    @property
    def slot(self) -> tuple[str | None, str | None]:
        """Location and label as shown: Clio lets a user have each pair once (reference, "Links are unique across")."""
        return self.ui_reference, as_shown(self.label or "")


class Owned(NamedTuple):
    """An action that a manifest of this app made or adopted, as it was when last written."""

    user_id: int
    action_id: int
    manifest: str
    key: str
    fields: ActionFields
    created_at: dt.datetime | None = None

    def is_same(self, action: CustomAction) -> bool:
        """Whether an action with this id is still the one that was made."""
        return self.created_at is None or action.created_at is None or self.created_at == action.created_at


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
