"""``clio-nb launch`` and ``clio-nb probe``: look at launches, prove them, and attack a receiver of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..launch import inspect_launch
from ..terminal import report_table
from .where import AsJson, Site, VaultAt, firm_at, site_at

if TYPE_CHECKING:
    from ..launch import LaunchReport, Verdict
    from ..launch.attack import ProbeReport

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
            sys.stdout.write(json.dumps(report.to_dict()) + "\n")
            sys.stdout.flush()
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
    """Have Clio confirm, with one request, that a launch is genuine. Spends its nonce.

    Exit code 0 when it is, 1 when it is not, or cannot be told.
    """
    from ..launch import verify_launch  # noqa: PLC0415 -- an HTTP client, for this command only

    line = next(_lines(url), "")
    verdict = verify_launch(line, firm_at(site, vault), target=target)
    if as_json:
        sys.stdout.write(json.dumps(verdict.to_dict()) + "\n")
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
    from ..launch.attack import probe as attack  # noqa: PLC0415 -- its name is the command's

    report = attack(receiver_url, site_at(site), user=user, at=at)
    if junit is not None:
        report.save_junit(junit)
    if as_json:
        sys.stdout.write(report.to_json() + "\n")
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
    console = Console(highlight=False)
    verdict = Text("well-formed; not proved until its nonce is sent to Clio" if report else "refused", style="bold")
    console.print(verdict)
    for reason in report.reasons:
        console.print(Text(f"  - {reason}"))
    if report.launch is not None:
        console.print(report_table(report))


def _show_verdict(verdict: Verdict) -> None:
    console = Console(highlight=False)
    console.print(Text(verdict.state, style="bold"), Text(verdict.reason))
    table = Table(box=None, show_header=False, padding=(0, 1))
    for step in verdict.steps:
        table.add_row(Text(_MARKS[step.ok]), Text(step.name), Text(step.detail, style="dim"))
    console.print(table)


def _show_report(report: ProbeReport) -> None:
    from ..launch.attack.results import MARKS  # noqa: PLC0415 -- as above

    console = Console(highlight=False)
    table = Table("", "case", "mistakes", box=None, padding=(0, 1), header_style="bold")
    for result in report.results:
        said = "undecided" if result.undecided else ", ".join(result.mistakes)
        table.add_row(Text(MARKS[result.outcome]), Text(result.title), Text(said))
    console.print(table)
    for name, cases, what in report.advice():
        console.print(Text(f"{name} ({cases} cases): ", style="bold").append(what, style="not bold"))
    console.print(Text(f"{report.receiver}: {report}", style="bold"))


_MARKS = {True: "✓", False: "✗", None: "–"}
