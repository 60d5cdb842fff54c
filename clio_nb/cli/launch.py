"""``clio-nb launch``: look at launch URLs from the terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from ..launch import LaunchReport, inspect_launch
from ..terminal import report_table

app = typer.Typer(no_args_is_help=True, help="Look at the launches that clicks on custom actions send.")

LONGEST_LINE = 1 << 20  # of stdin; the inspector itself refuses far shorter URLs


@app.command("inspect")
def inspect(
    url: Annotated[str, typer.Argument(help="A launch URL, or - to read one a line from stdin.")] = "-",
    target: Annotated[str | None, typer.Option(help="The target URL that the action was registered with.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
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
