"""Where tokens live: memory, SQLite or PostgreSQL, sealed in all three, and renewed once for all who need them."""

from ._grants import Grant
from .keys import new_key
from .refresh import VaultTokens
from .vault import Vault

__all__ = ["Grant", "Vault", "VaultTokens", "new_key"]
