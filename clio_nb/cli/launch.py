"""``clio-nb launch inspect`` and ``clio-nb launch verify``: read a launch, and have Clio confirm it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from ..launches import inspect_launch
from ..markup import MARKS
from ..terminal import report_table, show, show_json, table, text
from .options import AsJson, FirmNamed, Site, VaultAt, firm_at

if TYPE_CHECKING:
    from ..launches import LaunchReport, Verdict

app = typer.Typer(name="launch", no_args_is_help=True, help="Look at the launches that clicks on custom actions send.")

LONGEST_LINE = 1 << 20  # of stdin; the inspector itself refuses far shorter URLs


@app.command("inspect")
def inspect(
    url: Annotated[str, typer.Argument(help="A launch URL, or - to read one a line from stdin.")] = "-",
    target: Annotated[str | None, typer.Option(help="The target URL that the action was registered with.")] = None,
    as_json: AsJson = False,
) -> None:
    """Explain launch URLs part by part, without a network. The nonce is never shown.

    Exit code 0 when all are well-formed, 1 when one is refused.
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
    url: Annotated[
        str, typer.Argument(help="A launch URL, or - to read it from stdin, which keeps it out of the shell history.")
    ],
    site: Site = None,
    vault: VaultAt = None,
    firm: FirmNamed = None,
    target: Annotated[str | None, typer.Option(help="The target URL that the action was registered with.")] = None,
    as_json: AsJson = False,
) -> None:
    """Ask Clio with one request whether the user of a launch clicked. This uses up its nonce.

    Exit code 0 when Clio confirms the click, 1 when it does not, or cannot be asked.
    """
    from ..launches import verify_launch  # noqa: PLC0415 -- an HTTP client, for this command only

    line = next(_lines(url), "")
    verdict = verify_launch(line, firm_at(site, vault, firm), target=target)
    if as_json:
        show_json(verdict.to_dict())
    else:
        _show_verdict(verdict)
    raise typer.Exit(0 if verdict else 1)


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
