"""``clio-nb probe``: attack a receiver of launches on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..terminal import show, show_json, table, text
from .options import AsJson, Site, site_at

if TYPE_CHECKING:
    from ..probe import ProbeReport


def probe(
    receiver_url: Annotated[
        str, typer.Argument(help="URL of your receiver on this machine. It must use the sandbox as its Clio.")
    ],
    site: Site = None,
    user: Annotated[int | None, typer.Option(help="Id of the user who clicks (default: the account owner).")] = None,
    at: Annotated[
        list[str] | None, typer.Option(help="A location that your receiver serves, such as matters. May be repeated.")
    ] = None,
    connect: Annotated[
        str | None, typer.Option(help="URL of the page where users connect, if your receiver has one.")
    ] = None,
    as_json: AsJson = False,
    junit: Annotated[Path | None, typer.Option(help="Also write JUnit XML to this file, for CI.")] = None,
) -> None:
    """Attack your own receiver with forged, stale and hostile launches, and name its mistakes.

    Exit code 0 when every case passed, 1 when one failed or is undecided.
    """
    from ..probe import probe as attack  # noqa: PLC0415 -- its name is the command's

    report = attack(receiver_url, site_at(site), user=user, at=at, connect_url=connect)
    if junit is not None:
        report.save_junit(junit)
    if as_json:
        show_json(report.to_dict(), indent=2)
    else:
        _show_report(report)
    raise typer.Exit(0 if report else 1)


def _show_report(report: ProbeReport) -> None:
    from ..probe.report import OUTCOME_MARKS as OUTCOMES  # noqa: PLC0415 -- as above

    results = (
        (OUTCOMES[result.outcome], result.title, "undecided" if result.undecided else ", ".join(result.mistakes))
        for result in report.results
    )
    show(table(results, ("", "case", "mistakes")))
    for name, cases, what in report.advice():
        show(text(f"{name} ({cases} cases):", "bold"), what)
    show(f"{report.receiver}: {report}", style="bold")
