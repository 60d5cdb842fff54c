"""``clio-nb login``: sign one user in, and keep the token."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import webbrowser
from collections.abc import Iterator
from typing import Final

from ..errors import ClioError, InvalidInput, PortBusy
from ..http import loop
from ..http.hub import has_browser
from ..secret import Secret
from ..terminal import show
from .options import Site, VaultAt, site_at

_STDIN: Final = 0
_PASTE: Final = "If the tab shows an error or a code, paste its address or the code here and press Enter."


def login(site: Site = None, vault: VaultAt = None) -> None:
    """Sign one user in at Clio, and keep the token in the vault.

    The browser is opened on Clio's consent page where there is one, and the link is shown in any case. What you paste
    is taken at any time: the code, or the address of the page that you end up at.
    """
    from ..firm import Firm  # noqa: PLC0415 -- a database, for this command only
    from ..login import Login  # noqa: PLC0415 -- as above
    from ..login.login import PATIENCE  # noqa: PLC0415 -- as above
    from ..vault import Vault  # noqa: PLC0415 -- as above

    app = site_at(site)
    firm = Firm(app, Vault.open(vault))
    attempt = Login(app)
    comes_back = attempt.port is not None
    answers: asyncio.Queue[Secret | None] = asyncio.Queue()

    def begin(url: str) -> None:
        opened = has_browser() and webbrowser.open(url)
        show("Clio's consent page is open in your browser:" if opened else "Open this page in a browser:", url)
        way = "for the browser to come back" if comes_back else "for the code that Clio shows"
        show(f"Waiting {PATIENCE / 60:.0f} minutes {way}. {_PASTE}")

    async def ask(problem: ClioError | None) -> Secret:
        if isinstance(problem, PortBusy):
            show(f"{problem.why} So the browser cannot come back.", err=True)
        elif problem is not None:
            show(f"clio-nb: {problem} This login still waits for the right one.", err=True)
        if answer := await answers.get():
            return answer
        if comes_back and not isinstance(problem, PortBusy):
            await asyncio.Event().wait()  # nothing can be pasted; the browser may still come back
        raise problem or InvalidInput("There is nothing to read the code from: run this in a terminal.", field="answer")

    with _unseen():
        threading.Thread(target=_read, args=(answers,), daemon=True).start()
        session = attempt.wait(PATIENCE, show=begin, ask=ask)
    show(f"{firm.add(session)} is signed in. The token is kept: {firm.vault!r}")


def _read(answers: asyncio.Queue[Secret | None]) -> None:
    """Hand on each line of stdin, and None at its end.

    It reads from the system, not through ``sys.stdin``, whose lock a thread that still waits would hold at exit.
    """
    rest = b""
    with contextlib.suppress(OSError):  # it is closed
        while not _in_background() and (chunk := os.read(_STDIN, 4096)):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in filter(None, map(bytes.strip, lines)):
                loop.submit(answers.put, Secret(line.decode(errors="replace")))
    for last in (Secret(rest.decode(errors="replace").strip()), None):
        loop.submit(answers.put, last or None)


@contextlib.contextmanager
def _unseen() -> Iterator[None]:
    """Keep the terminal from showing what is typed, for as long as the block runs."""
    if sys.platform == "win32" or not os.isatty(_STDIN) or _in_background():
        yield
        return
    import termios  # noqa: PLC0415 -- not on Windows

    before = termios.tcgetattr(_STDIN)
    hidden = [*before]
    hidden[3] = before[3] & ~termios.ECHO
    termios.tcsetattr(_STDIN, termios.TCSADRAIN, hidden)
    try:
        yield
    finally:
        termios.tcsetattr(_STDIN, termios.TCSAFLUSH, before)


def _in_background() -> bool:
    """Whether a shell runs this beside another program (``&``), and would stop it if it touched the terminal."""
    try:
        return sys.platform != "win32" and os.isatty(_STDIN) and os.tcgetpgrp(_STDIN) != os.getpgrp()
    except OSError:  # a terminal that no shell controls
        return False
