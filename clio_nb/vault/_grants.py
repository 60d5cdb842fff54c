"""A user's grant as it lies in the vault: the token and who it belongs to, as one sealed text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import msgspec

from ..http import waiting
from ..models import Token, User
from ..secret import Secret, reading
from .keys import Keys
from .store import Row, Shelf


@dataclass(frozen=True, slots=True)
class Grant:
    """What the vault holds of one user. ``trouble`` says why the token is of no use any more, or is empty.

    What cannot be read has the trouble :data:`DAMAGED`, and an empty token.
    """

    user: User
    token: Token
    trouble: str = ""
    version: int = 1
    read_at: float = field(default_factory=lambda: waiting.now(), compare=False)  # noqa: PLW0108 -- tests move the clock


class _Sealed(msgspec.Struct, omit_defaults=True):
    """``owner`` binds the text to its row: put into another row, it does not open."""

    owner: str
    user: User
    access: Secret
    refresh: Secret | None = None
    expires_at: float | None = None


DAMAGED: Final = "damaged"
_LATEST: Final = 2.0**33  # the year 2242, which every clock and table here can show
_decoder = msgspec.json.Decoder(_Sealed, dec_hook=reading)


def sealed(keys: Keys, mark: str, shelf: Shelf, grant: Grant) -> Row:
    """Seal a grant into a row, under the key of that mark."""
    token = grant.token
    text = _Sealed(
        owner=_owner(shelf, grant.user.id),
        user=User(id=grant.user.id, name=grant.user.name, email=grant.user.email, account=grant.user.account),
        access=token.access,
        refresh=token.refresh or None,
        expires_at=token.expires_at,
    )
    return Row(
        grant.user.id, keys.seal(msgspec.json.encode(text, enc_hook=Secret.reveal), mark), grant.version, grant.trouble
    )


def opened(keys: Keys, shelf: Shelf, row: Row, read_at: float) -> Grant | None:
    """Open a row, or return None when no key fits, or it holds anything but a grant of its own user."""
    plain = keys.open(row.sealed)
    try:
        text = _decoder.decode(plain or b"")
    except (msgspec.MsgspecError, RecursionError):
        return None
    if text.owner != _owner(shelf, row.user_id) or text.user.id != row.user_id or not _sendable(text.access.reveal()):
        return None
    expires_at = None if text.expires_at is None else min(max(text.expires_at, 0.0), _LATEST)
    token = Token(access=text.access, refresh=text.refresh or None, expires_at=expires_at)
    return Grant(text.user, token, row.trouble, row.version, read_at)


def _sendable(access: str) -> bool:
    return access.isascii() and access.isprintable() and bool(access.strip())


def damaged(row: Row, read_at: float) -> Grant:
    """Return what is left of a row that cannot be read: whose it is."""
    return Grant(User(id=row.user_id), Token(access=Secret("")), DAMAGED, row.version, read_at)


def _owner(shelf: Shelf, user_id: int) -> str:
    return "\n".join((*shelf, str(user_id)))
