"""Many firms: the verbs of a firm over all firms of a vault, in one process or wherever an executor runs them."""

from .async_firms import AsyncFirms
from .firms import Firms
from .report import FirmRow, FirmsReport

__all__ = ["AsyncFirms", "FirmRow", "Firms", "FirmsReport"]
