"""Attack the pages by which users connect: forged and foreign states, a code that comes twice, an open redirect."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import urlencode, urlsplit

import anyio.to_thread

from ..http.sandbox_control import Control
from ._browser import Browser
from .mistakes import Mistake
from .report import CaseResult

_RETURNS: Final = ("next", "return_to", "return_url", "redirect", "redirect_uri", "url", "continue")
_HIDDEN: Final = re.compile(r'name="consent" value="([^"]+)"')


class ConnectAttack:
    """Connects users of a sandbox as browsers do, and one as attackers do. ``decoy`` is a host that is nobody's."""

    def __init__(
        self, connect_url: str, origin: str, user_id: int, others_id: int, control: Control, decoy: str
    ) -> None:
        self._connect_url = connect_url
        self._origin = origin
        self._user_id = user_id
        self._others_id = others_id
        self._control = control
        self._decoy = decoy

    async def results(self) -> list[CaseResult]:
        """Send all cases. Afterwards the app has tokens of both users, if it does it right."""
        browser = Browser()
        if back := await anyio.to_thread.run_sync(self._allowed, browser, self._others_id):
            await anyio.to_thread.run_sync(browser.step, back)
        fails, twice = Mistake.DOES_NOT_CONNECT, Mistake.TAKES_CODE_TWICE
        return [
            await self._case("connect", "A user presses Allow", wants=1, blamed=fails),
            await self._case("connect-state-changed", "Clio's answer with another state", _with_state("forged")),
            await self._case("connect-state-missing", "Clio's answer without a state", _with_state(None)),
            await self._case("connect-foreign-browser", "Clio's answer in another browser", foreign=True),
            await self._case("connect-code-twice", "Clio's answer twice", times=2, wants=1, blamed=twice),
            await self._case(
                "connect-open-redirect", "A link that names another host", away=True, wants=1, blamed=fails
            ),
        ]

    async def _case(
        self,
        name: str,
        title: str,
        change: Callable[[str], str] = lambda url: url,
        *,
        wants: int = 0,
        times: int = 1,
        foreign: bool = False,
        away: bool = False,
        blamed: Mistake = Mistake.TRUSTS_STATE,
    ) -> CaseResult:
        """Walk through one sign-in; how often a code was exchanged tells what the receiver did."""
        before = len(await self._control.oauth_requests())
        browser = Browser()
        query = urlencode(dict.fromkeys(_RETURNS, f"http://{self._decoy}/")) if away else ""
        answers = []
        back = await anyio.to_thread.run_sync(self._allowed, browser, self._user_id, query)
        for _ in range(times if back else 0):
            visitor = Browser() if foreign else browser
            answers.append(await anyio.to_thread.run_sync(visitor.step, change(back)))
        seen = [one for one in (await self._control.oauth_requests())[before:] if one.path == "/oauth/token"]
        mistakes = [] if len(seen) == wants else [blamed]
        if any(urlsplit(location).netloc == self._decoy for *_, location in answers):
            mistakes.append(Mistake.OPEN_REDIRECT)
        said = ", ".join(str(status or "no answer") for status, *_ in answers) or "no way to Clio's consent page"
        at_clio = tuple(f"{one.method} {one.path}: {one.status or 'cut off'}" for one in seen)
        return CaseResult(name, title, tuple(mistakes), said, at_clio, ())

    def _allowed(self, browser: Browser, user_id: int, query: str = "") -> str:
        """Open the link and press Allow at the sandbox; return where that sends the browser, or nothing."""
        joined = "&" if urlsplit(self._connect_url).query else "?"
        _, _, consent = browser.step(self._connect_url + (joined + query if query else ""))
        if not consent.startswith(f"{self._origin}/oauth/authorize?"):
            return ""
        _, page, _ = Browser().step(consent)
        hidden = _HIDDEN.search(page)
        form = {"consent": hidden[1] if hidden else "", "user_id": user_id, "decision": "allow"}
        return Browser().step(f"{self._origin}/oauth/authorize", urlencode(form))[2]


def _with_state(state: str | None) -> Callable[[str], str]:
    """Return a change of the state in Clio's answer."""
    return lambda url: re.sub(r"(?<=[?&])state=[^&]*&?", "" if state is None else f"state={state}&", url).rstrip("&?")
