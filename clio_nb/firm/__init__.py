"""A firm: everyone who has signed in, and the verbs over all of them at once."""

from .actions import actions_table
from .async_firm import AsyncFirm
from .firm import Firm

__all__ = ["AsyncFirm", "Firm", "actions_table"]
