"""What the ledger holds: runs, their items and how each ended, and which actions are ours. No secret is among it."""

from __future__ import annotations

import datetime as dt
import operator
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol, TypeAlias

import msgspec

from ..action_rules import as_shown, same_label, same_url
from ..models import CustomAction

Kept: TypeAlias = AbstractSet[tuple[str, str]]
"""What Clio changed when it stored it: a label or target URL as it was sent, and as Clio answered."""


PLANNED: Final = "planned"
SENT: Final = "sent"
SETTLED: Final = "settled"  # a newer plan has read this user, and shows whether it was made


class Kind(StrEnum):
    """What a plan says of one action of one user."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    OK = "ok"
    DUPLICATE = "duplicate"
    ORPHAN = "orphan"
    FOREIGN = "foreign"
    BLOCKED = "blocked"


class Outcome(StrEnum):
    """How one item of a run ended."""

    DONE = "done"
    CONFLICT = "conflict"
    FAILED = "failed"
    UNKNOWN = "unknown"
    NOT_SENT = "not sent"


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
    """An action that this app made or adopted, as it was when last written. ``key`` is empty without a manifest."""

    user_id: int
    action_id: int
    manifest: str
    key: str
    fields: ActionFields
    created_at: dt.datetime | None = None

    def is_same(self, action: CustomAction) -> bool:
        """Whether an action with this id is still the one that was made."""
        return self.created_at is None or action.created_at is None or self.created_at == action.created_at


class Lost(NamedTuple):
    """A create that was sent for a user and whose answer was lost."""

    user_id: int
    manifest: str
    key: str
    fields: ActionFields


@dataclass(frozen=True, slots=True)
class UserRecord:
    """What the ledger knows of one user.

    ``owned`` by action id. ``lost`` are creates that were sent and whose answer was lost: the fields that were sent,
    with the manifest and key that such an action belongs to. ``kept`` is what Clio stores differently, for any user.
    ``writes`` grows with everything that is written for the user, by whichever process. ``problem`` says what could not
    be read, in a sentence: then the rest is not all that is known.
    """

    owned: Mapping[int, Owned] = field(default_factory=dict)
    lost: Mapping[ActionFields, tuple[str, str]] = field(default_factory=dict)
    kept: Kept = frozenset()
    writes: int = 0
    problem: str = ""

    @property
    def is_blank(self) -> bool:
        """Whether this ledger has never heard of the user."""
        return not (self.owned or self.lost or self.writes or self.problem)


class Known:
    """What the ledger knows of several users. ``notes`` name the damaged rows of which the user is unknown too."""

    def __init__(
        self,
        owned: Iterable[Owned] = (),
        lost: Iterable[Lost] = (),
        kept: Kept = frozenset(),
        writes: Mapping[int, int] = MappingProxyType({}),
        problems: Mapping[int, str] = MappingProxyType({}),
        notes: Sequence[str] = (),
    ) -> None:
        self.kept = kept
        self.notes = tuple(notes)
        self._writes = writes
        self._problems = problems
        self._owned: dict[int, dict[int, Owned]] = {}
        self._lost: dict[int, dict[ActionFields, tuple[str, str]]] = {}
        for one in owned:
            self._owned.setdefault(one.user_id, {})[one.action_id] = one
        for create in lost:
            self._lost.setdefault(create.user_id, {})[create.fields] = (create.manifest, create.key)

    def of(self, user_id: int) -> UserRecord:
        """Return what is known of one user."""
        return UserRecord(
            self._owned.get(user_id, {}),
            self._lost.get(user_id, {}),
            self.kept,
            self._writes.get(user_id, 0),
            self._problems.get(user_id, ""),
        )

    @property
    def user_ids(self) -> frozenset[int]:
        """The users of whom anything is known to be ours."""
        return frozenset((*self._owned, *self._lost, *self._problems))


class ItemRow(Protocol):
    """What the ledger keeps of an item of a plan."""

    @property
    def user_id(self) -> int: ...  # noqa: D102 -- as in firm.item
    @property
    def user(self) -> str: ...  # noqa: D102
    @property
    def kind(self) -> Kind: ...  # noqa: D102
    @property
    def key(self) -> str: ...  # noqa: D102
    @property
    def action_id(self) -> int | None: ...  # noqa: D102
    @property
    def before(self) -> ActionFields | None: ...  # noqa: D102
    @property
    def after(self) -> ActionFields | None: ...  # noqa: D102


class NewRun(NamedTuple):
    """A run that is about to begin.

    ``owner`` holds its leases. ``run`` names the interrupted run with which it goes on. ``seen`` are the users whose
    actions were read for it, each with the ``writes`` known *before* reading. ``as_wanted`` is what was found there
    to be ours and as the manifest wants it, ``differing`` what was found to be ours and is otherwise: that keeps the
    fields that we gave it.
    """

    owner: str
    app: str
    purpose: str
    profile: str | None = None
    allow_delete: bool = False
    manifest: str | None = None
    run: str | None = None
    seen: Mapping[int, int] = MappingProxyType({})
    as_wanted: Sequence[Owned] = ()
    differing: Sequence[Owned] = ()


class Run(NamedTuple):
    """One apply, undo or offboarding. ``finished`` is None while it runs, and stays so when it was killed.

    ``manifest`` is TOML.
    """

    run: str
    app: str
    purpose: str
    profile: str | None
    allow_delete: bool
    manifest: str | None
    started: dt.datetime
    finished: dt.datetime | None


class Entry(NamedTuple):
    """One change of a run, and how it ended. ``at`` is None until it was sent.

    The ``outcome`` of a row that cannot be read is "damaged"; its message says which row that is.
    """

    run: str
    number: int
    user_id: int
    user: str
    kind: Kind
    key: str
    action_id: int | None
    before: ActionFields | None
    after: ActionFields | None
    outcome: str
    message: str
    at: dt.datetime | None


class Take(NamedTuple):
    """Take the lease of a user: it is free, over, or already this owner's."""

    user_id: int
    owner: str


class Intent(NamedTuple):
    """Note that an item is sent now: only while the owner's lease of the user lasts longer than a request can."""

    run: str
    number: int
    user_id: int
    owner: str


class Ended(NamedTuple):
    """Note how an item ended. With ``item`` it was done: ``action`` is the action now, or None when it is deleted.

    What was sent can be noted only while the lease was not taken by another owner, and nobody has settled the item.
    """

    run: str
    number: int
    user_id: int
    owner: str
    outcome: Outcome
    message: str = ""
    item: ItemRow | None = None
    action: CustomAction | None = None


class Adopt(NamedTuple):
    """Note what is ours of a user who was read under the lease of this owner: as :class:`NewRun` does for all others.

    What was left open of the runs of this ``app`` is settled: what is there now has been read. None settles nothing.
    """

    user_id: int
    owner: str
    account_id: int
    app: str | None
    as_wanted: Sequence[Owned] = ()
    differing: Sequence[Owned] = ()


class Release(NamedTuple):
    """Give the lease of a user back."""

    user_id: int
    owner: str


Change: TypeAlias = Take | Adopt | Intent | Ended | Release
