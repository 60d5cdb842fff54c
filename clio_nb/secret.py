"""A text that never shows itself: tokens, client secrets, codes, PKCE verifiers and nonces live in it."""

from __future__ import annotations

import hmac
import re
from typing import Any, NoReturn, final


@final
class Secret:
    """Hold a secret text. Only :meth:`reveal` gives it back.

    Its ``repr``, ``str`` and ``format`` show a mask; it refuses to be pickled and no JSON encoder knows it, so a secret
    cannot reach a screen, a log or a file by accident. Two secrets compare in constant time.

    Args:
        text: The secret.

    Examples:
        >>> clio.Secret("from-your-store")
        Secret(***)
    """

    __slots__ = ("__text",)

    def __init__(self, text: str | Secret) -> None:
        self.__text = text.reveal() if isinstance(text, Secret) else text

    def reveal(self) -> str:
        """Return the text itself. Call it where the text is sent or stored, nowhere else.

        Examples:
            >>> clio.Secret("from-your-store").reveal()
            'from-your-store'
        """
        return self.__text

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self.__text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        if self is other:
            return True
        mine, theirs = (text.encode(errors="surrogatepass") for text in (self.__text, other.__text))
        return hmac.compare_digest(mine, theirs)

    def __hash__(self) -> int:
        return hash((Secret, self.__text))

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is never pickled; store it in the vault, or reveal() it where it is sent")


def sendable(text: str | Secret) -> Secret | None:
    """Return a key, secret or token without the spaces and line breaks that files and copying put around it.

    None where it has spaces, quotation marks, control or other characters that it cannot have and no request can carry.
    """
    plain = Secret(text).reveal().strip().strip("\ufeff\u200b").strip()
    return Secret(plain) if re.fullmatch(r"[!#-&(-~]*", plain) else None


def reading(kind: type, text: object) -> Any:
    """Read a text straight into a :class:`Secret`: msgspec's ``dec_hook``."""
    if kind is not Secret or not isinstance(text, str):
        raise TypeError("expected a text")
    return Secret(text)
