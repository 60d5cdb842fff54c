"""A user's grant: the token and whose it is, and both as one sealed text in a row of the vault."""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import Final, SupportsIndex

import msgspec

from ..database.firm_key import FirmKey
from ..errors import InvalidInput
from ..http import timeouts
from ..models import Token, User
from ..secret import Secret, reading
from .keys import Keys


@dataclass(frozen=True, slots=True)
class Grant:
    """What the vault holds of one user.

    Args:
        user: The user.
        token: The user's token, empty when it cannot be read.
        problem: Why the token can no longer be used: ``"revoked"``, ``"expired"``, ``"damaged"``; empty when it can.
        version: How often the row was written.
        read_at: When it was read.

    Examples:
        >>> next(firm.vault.grants(site)).problem
        ''
    """

    user: User
    token: Token
    problem: str = ""
    version: int = 1
    read_at: float = field(default_factory=lambda: timeouts.now(), compare=False)  # noqa: PLW0108 -- tests move the clock


@dataclass(frozen=True, slots=True)
class Row:
    """One user's sealed token. ``version`` counts its changes; ``problem`` says why it cannot be used, or is empty."""

    user_id: int
    sealed: bytes
    version: int = 1
    problem: str = ""


class _Sealed(msgspec.Struct, omit_defaults=True):
    """``owner`` binds the text to its row: put into another row, it does not open."""

    owner: str
    user: User
    access: Secret
    refresh: Secret | None = None
    expires_at: float | None = None


DAMAGED: Final = "damaged"
_decoder = msgspec.json.Decoder(_Sealed, dec_hook=reading)


def sealed(keys: Keys, key_id: str, firm_key: FirmKey, grant: Grant) -> Row:
    """Seal a grant into a row, under the key with that id."""
    user_id, token = id_of_user(grant.user.id), grant.token
    text = _Sealed(
        owner=_owner(firm_key, user_id),
        user=User(id=user_id, name=grant.user.name, email=grant.user.email, account=grant.user.account),
        access=token.access,
        refresh=token.refresh or None,
        expires_at=token.expires_at,
    )
    sealed_text = keys.seal(msgspec.json.encode(text, enc_hook=Secret.reveal), key_id)
    return Row(user_id, sealed_text, grant.version, grant.problem)


def opened(keys: Keys, firm_key: FirmKey, row: Row, read_at: float) -> Grant | None:
    """Open a row, or return None when no key fits or it does not hold a grant of its own user."""
    plain = keys.open(row.sealed)
    try:
        text = _decoder.decode(plain or b"")
    except (msgspec.MsgspecError, RecursionError):
        return None
    if text.owner != _owner(firm_key, row.user_id) or text.user.id != row.user_id:
        return None
    try:
        token = Token(access=text.access, refresh=text.refresh or None, expires_at=text.expires_at)
    except InvalidInput:
        return None
    return Grant(text.user, token, row.problem, row.version, read_at) if token.access else None


def damaged(row: Row, read_at: float) -> Grant:
    """Return what is left of a row that cannot be read: whose it is."""
    return Grant(User(id=row.user_id), Token(access=Secret("")), DAMAGED, row.version, read_at)


def id_of_user(user_id: SupportsIndex) -> int:
    """Return a user id as a plain whole number: it may come out of a table, as one of numpy."""
    try:
        plain = operator.index(user_id)
    except TypeError:
        plain = 2**63
    if not -(2**63) <= plain < 2**63:
        raise InvalidInput(f"{user_id!r} is not a user id. Use Clio's number of the user.", field="user_id")
    return plain


def _owner(firm_key: FirmKey, user_id: int) -> str:
    return "\n".join((*firm_key, str(user_id)))
