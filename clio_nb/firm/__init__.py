"""A firm: everyone who has signed in, and the verbs over all of them at once."""

from .aio import AsyncFirm, journal_path
from .sessions import actions_table
from .sync import Firm

__all__ = ["AsyncFirm", "Firm", "actions_table", "journal_path"]
