"""The terminal: ``clio-nb``, the library's verbs as commands.

What a command prints for programs goes to stdout, errors go to stderr as one sentence, and no user meets a traceback.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import warnings
from typing import TextIO

INTERRUPTED = 130


def main() -> None:
    """Run ``clio-nb`` and end the process with its exit code. What a user can cause is told in one sentence."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends a command as Ctrl-C does
    try:
        code = _run()
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:  # the reader, such as head, has closed the pipe
        code = 1
        _drop(sys.stdout)
    except OSError as error:
        _drop(sys.stdout)
        code = _fail(f"Cannot use {error.filename or 'the output'}: {error.strerror or error}.")
    sys.exit(code)


def _run() -> int:
    from typer.exceptions import Abort, TyperException  # noqa: PLC0415 -- Ctrl-C while it loads is no traceback either

    from .. import terminal  # noqa: PLC0415 -- as above
    from ..errors import ClioError  # noqa: PLC0415 -- as above
    from .commands import app  # noqa: PLC0415 -- as above

    terminal.prepare()
    warnings.showwarning = lambda message, *_: terminal.show(f"clio-nb: {message}", err=True)
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")  # what is no text is refused where it is looked at
    try:
        return int(app(standalone_mode=False, terminal_width=terminal.columns()) or 0)
    except ClioError as error:
        return _fail(str(error))
    except TyperException as error:
        usage = getattr(error, "ctx", None)
        said = error.format_message()
        if usage and said == usage.get_help():  # no command was given
            for line in said.splitlines():
                terminal.show(line)
            return error.exit_code
        hint = f" See: {usage.command_path} --help" if usage else ""
        return _fail(f"{said.rstrip('.')}.{hint}", error.exit_code)
    except Abort:
        return _fail("Nothing was done.")


def _fail(sentence: str, code: int = 1) -> int:
    from ..terminal import show  # noqa: PLC0415 -- as above

    show(f"clio-nb: {sentence}", err=True)
    return code


def _drop(stream: TextIO | None) -> None:
    """Discard what is left to be written, so that the interpreter does not fail on it at exit."""
    if stream is not None and stream.fileno() == 1:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
