"""The history of launches as pandas tables. Pure; every table has its columns and dtypes also when it is empty."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, get_args

import numpy as np
import pandas as pd

from ..ledger.launches import Gap, LaunchRow, Reason, Refused
from ..tables import integers, locations, texts, times
from ._usage import zone_of
from .adoption import Adoption

REASONS: Final = list(get_args(Reason))
STATES: Final = ["verified", "refused", "expired", "unknown"]


def launches_frame(rows: Sequence[LaunchRow]) -> pd.DataFrame:
    """Return one row for each launch; :meth:`clio_nb.Firm.launches` describes the columns."""
    return pd.DataFrame(
        {
            "at": times([row.at for row in rows]),
            "firm": texts([row.firm or None for row in rows]),
            "user_id": integers([row.user_id for row in rows]),
            "user": texts([row.user for row in rows]),
            "action_id": integers([row.action_id for row in rows]),
            "key": texts([row.key for row in rows]),
            "location": locations([row.location for row in rows]),
            "record_id": integers([row.record_id for row in rows]),
            "state": pd.Categorical([row.state for row in rows], categories=STATES),
            "reason": pd.Categorical([row.reason or None for row in rows], categories=REASONS),
            "milliseconds": integers([row.milliseconds for row in rows]),
        }
    )


def adoption_frame(rows: Sequence[Adoption]) -> pd.DataFrame:
    """Return one row for each user and action; :meth:`clio_nb.Firm.adoption` describes the columns."""
    return pd.DataFrame(
        {
            "user_id": integers([row.user_id for row in rows]),
            "user": texts([row.user for row in rows]),
            "action_id": integers([row.action_id for row in rows]),
            "key": texts([row.key for row in rows]),
            "location": locations([row.location for row in rows]),
            "label": texts([row.label for row in rows]),
            "equipped_since": times([row.equipped_since for row in rows]),
            "first_click": times([row.first_click for row in rows]),
            "last_click": times([row.last_click for row in rows]),
            "clicks": integers([row.clicks for row in rows]),
            "clicks_7_days": integers([row.clicks_7_days for row in rows]),
            "clicks_30_days": integers([row.clicks_30_days for row in rows]),
            "never": pd.array([row.never for row in rows], dtype="boolean"),
        }
    )


def refusals_frame(rows: Sequence[Refused], time_zone: str) -> pd.DataFrame:
    """Return one row for each day, firm and reason; :meth:`clio_nb.Firm.refusals` describes the columns."""
    return summed(by_minute(rows, time_zone))


def by_minute(rows: Sequence[Refused], time_zone: str) -> pd.DataFrame:
    """Return one row for each that there is, with the day of its minute in a time zone."""
    minutes = pd.DatetimeIndex(times([row.minute for row in rows])).tz_convert(zone_of(time_zone))
    return pd.DataFrame(
        {
            # where clocks change at midnight, there is none on one day of the year, and two on another
            "day": minutes.floor("D", ambiguous=np.ones(len(rows), bool), nonexistent="shift_forward"),
            "firm": texts([row.firm or None for row in rows]),
            "reason": pd.Categorical([row.reason for row in rows], categories=REASONS),
            "launches": integers([row.launches for row in rows]),
        }
    )


def summed(frame: pd.DataFrame) -> pd.DataFrame:
    """Add up the launches of rows that are otherwise the same."""
    by = [name for name in frame.columns if name != "launches"]
    return frame.groupby(by, observed=True, dropna=False)["launches"].sum().reset_index().astype(frame.dtypes)


def gaps_frame(gaps: Iterable[Gap]) -> pd.DataFrame:
    """Return one row for each gap; :meth:`clio_nb.Firm.gaps` describes the columns."""
    gaps = list(gaps)
    return pd.DataFrame(
        {
            "since": times([gap.since for gap in gaps]),
            "until": times([gap.until for gap in gaps]),
            "process": texts([gap.process for gap in gaps]),
        }
    )
