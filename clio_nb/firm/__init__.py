"""A firm: everyone who has signed in, and the verbs over all of them at once."""

from .aio import AsyncFirm, journal_path
from .sync import Firm, actions_table

__all__ = ["AsyncFirm", "Firm", "actions_table", "journal_path"]
