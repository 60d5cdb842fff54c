"""What Clio shows of each user of a firm: the access, and the actions; and what the user should see."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..ledger.records import ActionFields
from ..models import CustomAction, User


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
    LEDGER_DAMAGED = "damaged in the ledger"


ADVICE = {
    Access.SIGNED_IN: "",
    Access.NEVER_SIGNED_IN: "Ask this user to sign in.",
    Access.REVOKED: "Access was revoked. Ask this user to sign in again.",
    Access.EXPIRED: "The token has expired and cannot be renewed. Ask this user to sign in again.",
    Access.DAMAGED: "The token in the vault cannot be read. Ask this user to sign in again, or remove the token.",
    Access.NO_PERMISSION: "Give the app the custom_actions permission, then ask this user to sign in again.",
    Access.WRONG_REGION: "The token belongs to another region. Ask this user to sign in to this one.",
    Access.DISABLED: "The user is disabled in Clio. Enable the user there, or add the user to exclude in the manifest.",
    Access.LEDGER_DAMAGED: "Nothing is changed for this user until then.",
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
class Wanted:
    """One action that one user should see. ``error`` says what is wrong with it in the manifest, if anything."""

    key: str
    fields: ActionFields
    error: str = ""
