"""Pictures of how a firm uses its actions, as SVG: readable without colour, on light and on dark, and as a text."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from .. import markup
from ..errors import InvalidInput
from ..models import visible
from ._usage import zone_of
from .launches import adoption_frame, gaps_frame, launches_frame, refusals_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ._usage import Since
    from .async_firm import AsyncFirm

_COLOURS: Final = ("#4a90d9", "#d9822b", "#3a9a68", "#b065c9", "#c9504a")  # 3:1 on white and on black
_HATCHES: Final = ("", "///", "...", "xxx", "\\\\\\")
_SHOWN: Final = len(_COLOURS)  # actions that are told apart; further ones are "others"
_NAME: Final = 30  # characters of a name in a title or legend; the text has all of it
_WEEK: Final = 7  # days that are shown at least
_INK: Final = "#010203"  # stands for the colour of the text around the picture
_SETTINGS: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "clio_nb",
    "text.parse_math": False,
    "timezone": "UTC",  # of times without a zone, as all are that are drawn
    "font.size": 11,
    "hatch.linewidth": 0.6,
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), _INK),
    **dict.fromkeys(("axes.spines.top", "axes.spines.right"), False),
}
_OF_A_FILE: Final = "<style>svg{color:#1a1a1a}@media(prefers-color-scheme:dark){svg{color:#e6e6e6}}</style>"


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture. ``title`` says what it shows, ``text`` says the same in words and numbers, ``svg`` draws it."""

    title: str
    text: str
    svg: str = field(repr=False)

    def _repr_html_(self) -> str:
        return self.svg

    def save(self, path: Path | str) -> Path:
        """Write the picture as an SVG file, which is light or dark as the reader's system is; return the path."""
        path = Path(path)
        head, mark, rest = self.svg.partition("</desc>")
        path.write_text(head + mark + _OF_A_FILE + rest, encoding="utf-8")
        return path


async def draw(firm: AsyncFirm, since: Since, time_zone: str) -> list[Picture]:
    """Read what a firm has recorded, and draw it: :meth:`clio_nb.Firm.pictures`, awaited."""
    zone_of(time_zone)
    launches, adoption = launches_frame(await firm.launches(since)), adoption_frame(await firm.adoption())
    refusals = refusals_frame(await firm.refusals(since, time_zone=time_zone), time_zone)
    gaps = gaps_frame(await firm.gaps(since))
    return await asyncio.to_thread(pictures_of, launches, adoption, refusals, gaps, time_zone)


def pictures_of(
    launches: pd.DataFrame, adoption: pd.DataFrame, refusals: pd.DataFrame, gaps: pd.DataFrame, time_zone: str
) -> list[Picture]:
    """Draw the tables of :class:`clio_nb.Firm`: launches a day, adoption over time, hours, refusals."""
    zone = zone_of(time_zone)
    clicks = launches[launches["state"] == "verified"]
    at = _local(clicks["at"], zone)
    lost = list(zip(*(_local(gaps[name], zone) for name in ("since", "until")), strict=True))
    names = clicks["key"].fillna("action " + clicks["action_id"].astype("string"))
    return [
        _by_day(at.dt.floor("D"), names, lost, time_zone),
        _adopted(at, clicks["user_id"], adoption, lost, time_zone),
        _by_hour(at.dt.hour, time_zone),
        _refused(refusals.assign(day=refusals["day"].dt.tz_localize(None)), lost, time_zone),
    ]


def _local(times: pd.Series[Any], zone: Any) -> pd.Series[Any]:
    """Return times as a clock in a zone shows them."""
    return pd.Series(pd.DatetimeIndex(times).tz_convert(zone).tz_localize(None), times.index)


def _by_day(days: pd.Series[Any], names: pd.Series[Any], lost: list[tuple[Any, Any]], zone: str) -> Picture:
    most = names.value_counts()
    table = _stacked(days, names, most)
    title = "No click was confirmed"
    if len(names):
        title = f"{markup.counted(len(names), 'confirmed click')} in {markup.counted(days.nunique(), 'day')}"
    if len(most) > 1:
        title += f", most of them on {_short(most.index[0])}"
    words = [f"{name}: {count} clicks" for name, count in most.items()]

    def draw(axes: Axes) -> None:
        _bars(axes, table)
        _dated(axes, lost, zone, "Clicks")

    return _picture(title, [f"By day, {zone}.", *words], draw)


def _adopted(
    at: pd.Series[Any], users: pd.Series[Any], adoption: pd.DataFrame, lost: list[tuple[Any, Any]], zone: str
) -> Picture:
    first = at.groupby(users).min().sort_values()
    equipped = adoption["user_id"].nunique()
    never = adoption.groupby("user_id")["never"].all()
    title = f"{len(first)} of {equipped} users have clicked; {sum(never)} never {'has' if sum(never) == 1 else 'have'}"
    if not equipped:
        title = "No user has an action"
    names = adoption.drop_duplicates("user_id").set_index("user_id")["user"]
    words = [f"never: {names[user] if pd.notna(names[user]) else user}" for user in never.index[never.astype(bool)]]

    def draw(axes: Axes) -> None:
        if len(first):
            axes.plot(list(first), range(1, len(first) + 1), "o", color=_COLOURS[0])
            moments, counts = [*first, at.iloc[-1]], [*range(1, len(first) + 1), len(first)]
            axes.step(moments, counts, where="post", color=_COLOURS[0], linewidth=2)
        if equipped:
            axes.axhline(equipped, color=_INK, linewidth=1, linestyle="--")
            place = axes.get_yaxis_transform()
            axes.annotate(f"{equipped} equipped", (0.01, equipped), (0, 5), place, textcoords="offset points")
        axes.set_ylim(0, equipped * 1.15 + 0.5)
        _dated(axes, lost, zone, "Users")

    return _picture(title, ["How many users had clicked at least once, over time.", *words[:20]], draw)


def _by_hour(hours: pd.Series[Any], zone: str) -> Picture:
    counts = hours.value_counts().sort_index()
    title = "No click was confirmed"
    if len(hours):
        peak = hours.mode()[0]
        title = f"Most clicks come between {peak}:00 and {peak + 1}:00"
    words = [f"{hour}:00: {count}" for hour, count in counts.items()]

    def draw(axes: Axes) -> None:
        axes.bar(counts.index, counts, 0.9, align="edge", color=_COLOURS[0], edgecolor=_INK, linewidth=0.6)
        axes.set(xlabel=f"Hour ({zone})", ylabel="Clicks", xlim=(0, 24), xticks=range(0, 25, 3))

    return _picture(title, [f"Clicks by hour of the day, {zone}.", *words], draw)


def _refused(refusals: pd.DataFrame, lost: list[tuple[Any, Any]], zone: str) -> Picture:
    by_reason = refusals.groupby("reason", observed=True)["launches"].sum().sort_values(ascending=False)
    by_day = refusals.groupby("day")["launches"].sum()
    title = "No launch was refused"
    if total := int(by_day.sum()):
        worst = by_day.index[int(by_day.argmax())]
        day = f"{worst.day} {worst:%B}"
        some = "" if len(by_day) == 1 else f"{by_day.max()} of them "
        title = (
            f"{markup.counted(total, 'launch', 'launches')} {'was' if total == 1 else 'were'} refused, {some}on {day}"
        )
    words = [f"{reason}: {count}" for reason, count in by_reason.items()]
    table = _stacked(refusals["day"], refusals["reason"].astype("string"), by_reason, refusals["launches"])

    def draw(axes: Axes) -> None:
        _bars(axes, table)
        _dated(axes, lost, zone, "Launches")

    return _picture(title, [f"By day and reason, {zone}.", *words], draw)


def _stacked(
    days: pd.Series[Any], names: pd.Series[Any], most: pd.Series[Any], counts: pd.Series[Any] | None = None
) -> pd.DataFrame:
    """Count by day and name, the most frequent first; where there are too many names, the rest are "others"."""
    shown = list(most.index if len(most) <= _SHOWN else most.index[: _SHOWN - 1])
    ones = pd.Series(1, index=names.index) if counts is None else counts
    table = pd.crosstab(days, names.where(names.isin(shown), "others"), values=ones, aggfunc="sum").fillna(0)
    return table[[*shown, *table.columns.difference(shown)]]


def _bars(axes: Axes, table: pd.DataFrame) -> None:
    """Draw a stack for each day, told apart by hatches as well as by colours."""
    below = pd.Series(0.0, index=table.index)
    for (name, column), colour, hatch in zip(table.items(), _COLOURS, _HATCHES, strict=False):
        some = column > 0
        axes.bar(
            list(table.index[some]),
            column[some],
            bottom=below[some],
            align="edge",
            label=_short(str(name)),
            color=colour,
            hatch=hatch,
            edgecolor=_INK,
            linewidth=0.4,
        )
        below = below + column


def _short(name: str) -> str:
    name = visible(name)
    return name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"


def _dated(axes: Axes, lost: Sequence[tuple[Any, Any]], zone: str, ylabel: str) -> None:
    """Label the axes of days, and hatch the times in which launches may be missing."""
    from matplotlib import dates  # noqa: PLC0415 -- of the extra lab, and slow to load

    labels = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    for since, until in lost:
        shade = axes.axvspan(since, until, facecolor="none", edgecolor=_INK, hatch="xx", linewidth=0.4)
        labels["may be incomplete"] = shade
    axes.set(xlabel=f"Day ({zone})", ylabel=ylabel)
    if isinstance(axes.xaxis.get_major_locator(), dates.AutoDateLocator):
        axes.xaxis.set_major_locator(dates.AutoDateLocator(minticks=3, maxticks=6))  # type: ignore[no-untyped-call]  # a class of matplotlib's without types
        axes.xaxis.set_major_formatter(dates.DateFormatter("%Y-%m-%d"))  # type: ignore[no-untyped-call]  # as above
        start, end = axes.get_xlim()
        more = max(0.0, _WEEK - (end - start)) / 2
        axes.set_xlim(start - more, end + more)
    else:  # there is no day to show
        axes.set(xticks=[])
    if labels:
        axes.legend(labels.values(), labels.keys(), frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1))


def _picture(title: str, words: list[str], draw: Callable[[Axes], object]) -> Picture:
    """Draw axes into an SVG with a title, and the same in words, whose ink is that of the text around it."""
    try:
        import matplotlib as mpl  # noqa: PLC0415 -- of the extra lab, and slow to load
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError:
        raise InvalidInput('Pictures need matplotlib: python -m pip install "clio-nb[lab]"') from None
    title, text = visible(title), visible(" ".join(f"{each.rstrip('.')}." for each in words))
    with mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=(8, 3.6))
        axes = figure.subplots()
        axes.set_title(title, loc="left")
        draw(axes)
        axes.locator_params(axis="y", integer=True)
        if not axes.has_data():
            axes.set(yticks=[])
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, bbox_inches="tight", metadata={"Date": None})
    _, _, svg = file.getvalue().partition("<svg ")
    attributes, _, body = svg.partition(">")
    said = f"<title>{escape(title)}</title><desc>{escape(text)}</desc>"
    label = escape(f"{title}. {text}", quote=True)
    svg = f'<svg role="img" aria-label="{label}" style="max-width:100%;height:auto" {attributes}>{said}{body}'
    return Picture(title, text, svg.replace(_INK, "currentColor"))
