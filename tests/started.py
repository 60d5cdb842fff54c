"""Processes of their own that begin with the library loaded: the imports, of a second each, are done once for all."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import IO, Any

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["clio_nb.firm.firm", "clio_nb.login", "clio_nb.vault.vault", "psycopg", "pytest"])


class _Shared:
    """A file descriptor that the process gets."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def __reduce__(self) -> tuple[Any, ...]:
        return _taken, (DupFd(self._fd),)


def _taken(given: Any) -> int:
    fd: int = given.detach()
    return fd


class Started:
    """A process that runs a program; what ``subprocess.Popen`` calls the same does the same."""

    def __init__(self, program: str, *arguments: str) -> None:
        (read, stdin), (stdout, written), (stderr, complained) = os.pipe(), os.pipe(), os.pipe()
        self.stdin: IO[str] = os.fdopen(stdin, "w")
        self.stdout: IO[str] = os.fdopen(stdout)
        self.stderr: IO[str] = os.fdopen(stderr)
        theirs = (read, written, complained)
        told = (program, arguments, {**os.environ}, str(Path.cwd()), [_Shared(fd) for fd in theirs])
        self._process = _context.Process(target=_begin, args=told)
        self._process.start()
        for fd in theirs:
            os.close(fd)

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def communicate(self, text: str = "", timeout: float = 60) -> tuple[str, str]:
        """Write the last input, and read to the end."""
        with ThreadPoolExecutor(2) as reading, self.stdout, self.stderr:
            said = [reading.submit(pipe.read) for pipe in (self.stdout, self.stderr)]
            with self.stdin:
                self.stdin.write(text)
            try:
                out, err = (each.result(timeout) for each in said)
            except TimeoutError:
                self._process.kill()
                raise
        self._process.join(timeout)
        return out, err


def _begin(program: str, arguments: tuple[str, ...], environment: dict[str, str], folder: str, fds: list[int]) -> None:
    for number, fd in enumerate(fds):
        os.dup2(fd, number)
        os.close(fd)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115 -- for good
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["-c", *arguments]
    try:
        exec(program, {"__name__": "__main__"})  # noqa: S102 -- a program of ours
    finally:
        threading._shutdown()  # an interpreter ends like this, and a process of this kind does not
        atexit._run_exitfuncs()
        sys.stdout.flush()
