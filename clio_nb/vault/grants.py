"""A user's grant as it lies in the vault: the token and who it belongs to, as one sealed text."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from ..errors import VaultError
from ..models import Token, User
from ..secret import Secret, reading
from .keys import Keys
from .store import Row, Shelf


@dataclass(frozen=True, slots=True)
class Grant:
    """What the vault holds of one user. ``trouble`` says why the token is of no use any more, or is empty."""

    user: User
    token: Token
    trouble: str = ""
    version: int = 1


class _Sealed(msgspec.Struct, omit_defaults=True):
    """``owner`` binds the text to its row: put into another row, it does not open."""

    owner: str
    user: User
    access: Secret
    refresh: Secret | None = None
    expires_at: float | None = None


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


def opened(keys: Keys, shelf: Shelf, row: Row) -> Grant | None:
    """Open a row, or return None when no key fits. Raises :class:`VaultError` when it holds another row's text."""
    plain = keys.open(row.sealed)
    if plain is None:
        return None
    text = _decoder.decode(plain)
    del plain
    if text.owner != _owner(shelf, row.user_id):
        raise VaultError(f"The vault holds a token for user {row.user_id} that belongs to another. It was not used.")
    token = Token(access=text.access, refresh=text.refresh, expires_at=text.expires_at)
    return Grant(text.user, token, row.trouble, row.version)


def _owner(shelf: Shelf, user_id: int) -> str:
    return "\n".join((*shelf, str(user_id)))
