"""What the control endpoints are sent: the bodies of their requests, with the ids that stand in the path."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType


class ForUser(msgspec.Struct, forbid_unknown_fields=True):
    """A user; the account owner when left out."""

    user_id: int | None = None


class Click(msgspec.Struct, forbid_unknown_fields=True):
    """A click on an action of a user, on a record such as ``/api/v4/matters/1``."""

    user_id: int
    custom_action_id: int
    subject_url: str


class Step(msgspec.Struct, forbid_unknown_fields=True):
    """A step of the clock."""

    seconds: float


class Hire(msgspec.Struct, forbid_unknown_fields=True):
    """A new user; without an email the firm gives one."""

    name: str
    email: str | None = None


class UserChange(msgspec.Struct, forbid_unknown_fields=True):
    """What is to change of a user."""

    user_id: int
    name: str | None = None
    email: str | None = None
    enabled: bool | None = None


class OneUser(msgspec.Struct, forbid_unknown_fields=True):
    """One user."""

    user_id: int


class ClosedMatter(msgspec.Struct, forbid_unknown_fields=True):
    """A matter, and the users to whom it is closed; none opens it again."""

    matter_id: int
    user_ids: list[int]


class AppChange(msgspec.Struct, forbid_unknown_fields=True):
    """What is to change of the app's registration: its permissions in this region, its addresses for this firm."""

    permissions: list[str] | None = None
    deauthorization_url: str | UnsetType | None = UNSET
    add_to_clio_url: str | UnsetType | None = UNSET


class Nothing(msgspec.Struct):
    """A request without a body."""
