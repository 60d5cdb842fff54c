"""Run a page of the docs as a reader would: its blocks in their order, in one namespace, in a folder of its own.

- ``python``: run as a notebook cell, with top-level ``await``; the value of its last line is printed. A ``text`` block
  right after it is what it prints, and ``...`` stands for anything.
- ``console``: each line after ``$`` is run by bash; the lines below it, if any, are what it prints.
- a block with ``title="FILE"`` is written to that file.
- everything else is only read.

A comment above a block says what is special about it: ``<!-- the sandbox stands in -->`` where a person would have a
Clio account, ``<!-- keeps running -->`` for a server, ``<!-- not run: REASON -->``.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import doctest
import gc
import inspect
import io
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import clio_nb

from ..ports import free_port

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
STAND_IN = "the sandbox stands in"
KEEPS_RUNNING = "keeps running"
NOT_RUN = "not run: "

_BLOCK = re.compile(
    r"(?P<marks>(?:^[ ]*<!-- [^\n]* -->\n+)*)"
    r"^(?P<indent>[ ]*)```(?P<language>\w*)(?P<options>[^\n]*)\n(?P<text>.*?)^(?P=indent)```[ ]*$",
    re.MULTILINE | re.DOTALL,
)
_SNIPPET = re.compile(r'^--8<-- "(?P<path>.+)"$', re.MULTILINE)
_PORTS = ("8765", "8770", "8000", "3000")  # those that the pages name; each page run gets free ones in their place
_CHECKER = doctest.OutputChecker()
_LOOSE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    page: Path
    line: int
    language: str
    title: str
    text: str
    marks: frozenset[str]

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"

    @property
    def reason_not_run(self) -> str:
        """Why it is not run, or nothing."""
        return next((mark.removeprefix(NOT_RUN) for mark in self.marks if mark.startswith(NOT_RUN)), "")


def blocks_of(page: Path) -> list[Block]:
    """Return the fenced blocks of a page, in their order."""
    source = page.read_text()
    blocks = []
    for found in _BLOCK.finditer(source):
        text = _SNIPPET.sub(lambda snippet: (ROOT / snippet["path"]).read_text(), textwrap.dedent(found["text"]))
        title = re.search(r'title="([^"]+)"', found["options"])
        marks = frozenset(re.findall(r"<!-- (.*?) -->", found["marks"]))
        line = source.count("\n", 0, found.start("language")) + 1
        blocks.append(Block(page, line, found["language"], title[1] if title else "", text, marks))
    return blocks


class Reader:
    """Somebody who follows one page, in a folder of its own."""

    def __init__(self, folder: Path, monkeypatch: Any) -> None:
        self._folder = folder
        self._monkeypatch = monkeypatch
        self._names: dict[str, Any] = {"__name__": "__main__"}
        self._ports = {port: str(free_port()) for port in _PORTS}
        self._running: list[subprocess.Popen[str]] = []
        self._drains: list[threading.Thread] = []

    def follow(self, blocks: list[Block]) -> None:
        """Do what a page says."""
        for block, following in zip(blocks, [*blocks[1:], None], strict=True):
            if block.reason_not_run:
                continue
            if block.title:
                (self._folder / block.title).write_text(self._here(block.text))
            elif block.language == "python":
                said = self._run(block)
                if following is not None and following.language == "text":
                    _compare(following, said, self._here(following.text))
            elif block.language == "console":
                self._type(block)

    def close(self) -> None:
        """Stop what still runs, and let go of everything."""
        self._names.clear()
        gc.collect()  # what a page leaves open is found here, not in another test
        for process in self._running:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for drain in self._drains:
            drain.join()

    def _here(self, text: str) -> str:
        for port, free in self._ports.items():
            text = re.sub(rf"\b{port}\b", free, text)
        return text

    def _run(self, block: Block) -> str:
        """Run a cell and return what it prints, the value of its last line included."""
        tree = ast.parse(self._here(block.text))
        ast.increment_lineno(tree, block.line)  # so that errors name the line of the page
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        with contextlib.redirect_stdout(io.StringIO()) as said, self._monkeypatch.context() as patched:
            if STAND_IN in block.marks:
                stand_in = self._names.setdefault("_stand_in", None) or clio_nb.sandbox()
                self._names["_stand_in"] = stand_in
                patched.setattr(clio_nb, "connect", lambda *_, **__: stand_in)
            self._evaluate(tree, block.page.name)
            if last is not None:
                value = self._evaluate(ast.Expression(last.value), block.page.name)
                if value is not None:
                    said.write(f"{value!r}\n")
        return said.getvalue()

    def _evaluate(self, tree: ast.Module | ast.Expression, name: str) -> Any:
        mode = "exec" if isinstance(tree, ast.Module) else "eval"
        code = compile(tree, name, mode, flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        value = eval(code, self._names)  # noqa: S307 - the docs are ours
        return asyncio.run(value) if code.co_flags & inspect.CO_COROUTINE else value

    def _type(self, block: Block) -> None:
        """Type the commands of a block."""
        for command, expected in commands_of(self._here(block.text)):
            if KEEPS_RUNNING in block.marks:
                self._start(block, command)
                continue
            done = subprocess.run(
                ["bash", "-c", command],  # noqa: S607 - the bash of this machine
                cwd=self._folder,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=120,
                check=False,
            )
            if expected.strip():
                _compare(block, done.stdout, expected)
            else:
                assert done.returncode == 0, f"{block}: {command}\n{done.stdout}"

    def _start(self, block: Block, command: str) -> None:
        """Start a server, and go on when it says its first word."""
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"],  # noqa: S607 - as above
            cwd=self._folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._running.append(process)
        assert process.stdout is not None
        while line := process.stdout.readline():
            if "uvicorn" not in command or "running on" in line:  # which speaks before it listens
                break
        assert line, f"{block}: {command} ended at once"
        drain = threading.Thread(target=_drain, args=(process.stdout,))
        drain.start()
        self._drains.append(drain)


def commands_of(text: str) -> list[tuple[str, str]]:
    """Return each command of a console block with the output that stands below it."""
    commands: list[tuple[str, str]] = []
    for line in text.splitlines(keepends=True):
        if line.startswith("$ "):
            commands.append((line[2:], ""))
        elif commands and not commands[-1][1] and commands[-1][0].rstrip("\n").endswith("\\"):
            commands[-1] = (commands[-1][0] + line, "")
        elif commands:
            commands[-1] = (commands[-1][0], commands[-1][1] + line)
    return [(command.strip(), output) for command, output in commands]


def _drain(pipe: IO[str]) -> None:
    """Read on, so that a full pipe never stops a server."""
    with pipe:
        for _ in pipe:
            pass


def _compare(block: Block, said: str, expected: str) -> None:
    assert _CHECKER.check_output(expected, said, _LOOSE), f"{block} says:\n{expected}\nbut it is:\n{said}"


def _environment() -> dict[str, str]:
    """Return what commands are run with: this environment, or another one that CLIO_NB_READER_PYTHON names."""
    here = str(Path(os.environ.get("CLIO_NB_READER_PYTHON", sys.executable)).parent)
    return {**os.environ, "PATH": f"{here}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "120", "NO_COLOR": "1"}
