"""``clio-nb launch`` and ``clio-nb probe``: look at launches, prove them, and attack a receiver of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..launches import inspect_launch
from ..markup import MARKS
from ..terminal import report_table, show, show_json, table, text
from .where import AsJson, Site, VaultAt, firm_at, site_at

if TYPE_CHECKING:
    from ..launches import LaunchReport, Verdict
    from ..probe import ProbeReport

app = typer.Typer(no_args_is_help=True, help="Look at the launches that clicks on custom actions send.")

LONGEST_LINE = 1 << 20  # of stdin; the inspector itself refuses far shorter URLs


@app.command("inspect")
def inspect(
    url: Annotated[str, typer.Argument(help="A launch URL, or - to read one a line from stdin.")] = "-",
    target: Annotated[str | None, typer.Option(help="The target URL that the action was registered with.")] = None,
    as_json: AsJson = False,
) -> None:
    """Explain launch URLs part by part, without a network. The nonce is never shown.

    Exit code 0 when all are well-formed, 1 when any is refused.
    """
    refused = False
    for line in _lines(url):
        report = inspect_launch(line, target=target)
        refused |= not report
        if as_json:
            show_json(report.to_dict())
        else:
            _show(report)
    raise typer.Exit(1 if refused else 0)


@app.command("verify")
def verify(
    url: Annotated[str, typer.Argument(help="A launch URL, or - to read it from stdin, out of the history.")],
    site: Site = None,
    vault: VaultAt = None,
    target: Annotated[str | None, typer.Option(help="The target URL that the action was registered with.")] = None,
    as_json: AsJson = False,
) -> None:
    """Have Clio confirm, with one request, that the user of a launch clicked. Spends its nonce.

    Exit code 0 when it does, 1 when it does not, or cannot be asked.
    """
    from ..launches import verify_launch  # noqa: PLC0415 -- an HTTP client, for this command only

    line = next(_lines(url), "")
    verdict = verify_launch(line, firm_at(site, vault), target=target)
    if as_json:
        show_json(verdict.to_dict())
    else:
        _show_verdict(verdict)
    raise typer.Exit(0 if verdict else 1)


def probe(
    receiver_url: Annotated[str, typer.Argument(help="Your own endpoint on this machine; the sandbox is its Clio.")],
    site: Site = None,
    user: Annotated[int | None, typer.Option(help="Whose clicks; the account owner's if left out.")] = None,
    at: Annotated[
        list[str] | None, typer.Option(help="A location that your endpoint serves, such as matters. May be repeated.")
    ] = None,
    as_json: AsJson = False,
    junit: Annotated[Path | None, typer.Option(help="Also write JUnit XML to this file, for CI.")] = None,
) -> None:
    """Attack your own receiver with forged, stale and hostile launches, and name its mistakes.

    Exit code 0 when every case passed, 1 when one failed, or could not be told from the receiver's answers.
    """
    from ..probe import probe as attack  # noqa: PLC0415 -- its name is the command's

    report = attack(receiver_url, site_at(site), user=user, at=at)
    if junit is not None:
        report.save_junit(junit)
    if as_json:
        show_json(report.to_dict(), indent=2)
    else:
        _show_report(report)
    raise typer.Exit(0 if report else 1)


def _lines(url: str) -> Iterator[str]:
    if url != "-":
        yield url
        return
    while line := sys.stdin.readline(LONGEST_LINE):
        if line.strip():
            yield line.rstrip("\r\n")


def _show(report: LaunchReport) -> None:
    show("well-formed; not proved until its nonce is sent to Clio" if report else "refused", style="bold")
    for reason in report.reasons:
        show(f"  - {reason}")
    if report.launch is not None:
        show(report_table(report))


def _show_verdict(verdict: Verdict) -> None:
    show(text(verdict.state, "bold"), verdict.reason)
    show(table((MARKS[step.ok], step.name, text(step.detail, "dim")) for step in verdict.steps))


def _show_report(report: ProbeReport) -> None:
    from ..probe.report import MARKS as OUTCOMES  # noqa: PLC0415 -- as above

    results = (
        (OUTCOMES[result.outcome], result.title, "undecided" if result.undecided else ", ".join(result.mistakes))
        for result in report.results
    )
    show(table(results, ("", "case", "mistakes")))
    for name, cases, what in report.advice():
        show(text(f"{name} ({cases} cases):", "bold"), what)
    show(f"{report.receiver}: {report}", style="bold")
