"""A firm: everyone who has signed in, and the verbs over all of them at once."""

from .async_firm import AsyncFirm, journal_path
from .firm import Firm, actions_table

__all__ = ["AsyncFirm", "Firm", "actions_table", "journal_path"]
