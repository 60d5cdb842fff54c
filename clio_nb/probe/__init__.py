"""Attack a receiver of launches with a fixed suite, and judge it by what the sandbox and a decoy listener saw."""

from __future__ import annotations

from .mistakes import Mistake
from .probe import probe
from .report import CaseResult, ProbeReport

__all__ = ["Mistake", "ProbeReport", "CaseResult", "probe"]
