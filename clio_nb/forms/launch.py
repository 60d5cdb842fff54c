"""Look into a launch: paste its URL, read every part, and have Clio prove it while its nonce lives."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future
from typing import Final

import ipywidgets as w
from traitlets import Instance, Unicode

from .. import markup
from ..arguments import sessions_of_kind
from ..errors import InvalidInput
from ..http import loop, timeouts
from ..launches import LaunchReport, Verdict, inspect_launch
from ..launches.report import parts_table
from ..launches.verdict import steps_table
from ..launches.verify import verify_report
from ..secret import Secret
from ..session import Session
from ..vocabulary import NONCE_LIFETIME
from ._form import Form, Status, Work, call, html, say


class LaunchForm(Form[Verdict]):
    """Inspect a launch URL, and verify it for the sessions that are given.

    A launch URL holds a nonce, so the box is emptied as soon as it is read; ``report`` says what it held, ``value`` is
    the verdict after :meth:`submit`. ``target`` is the registered target URL, if the launch must fit one.
    """

    target = Unicode()
    report = Instance(LaunchReport, allow_none=True)

    def __init__(self, sessions: Session | Iterable[Session]) -> None:
        super().__init__("Inspect a launch", "Verify")
        self._sessions: Final = sessions_of_kind(sessions, Session, "forms.launch")
        self._url = Secret("")
        self._arrived = 0.0
        self._countdown: Future[None] | None = None
        self.url: Final = self._widget_for("url", w.Textarea(description="Launch URL", continuous_update=False, rows=3))
        self.url.placeholder = "Paste the address that the click opened. The box empties itself: it holds a secret."
        self.url.observe(self._take, "value")
        self._field("target", w.Text(description="Target URL", placeholder="If it must be the target of this action"))
        self._parts: Final = html()
        self._left: Final = html()
        self._steps: Final = html()
        self._arrange(self.url, self.fields["target"], self._parts, self._left, below=(self._steps,))
        self.observe(self._draw_code_of_target, "target")
        self._draw_code_of_target()

    def inspect(self, url: str) -> LaunchReport:
        """Explain a launch URL, offline, and keep it for :meth:`submit` while its nonce lives."""
        self._stop_countdown()
        self._url, self._arrived, self.value = Secret(url), timeouts.now(), None
        say(self._steps, "")
        if report := self._explain():
            self._countdown = loop.submit(self._count_down)
        return report

    def _explain(self) -> LaunchReport:
        self.report = report = inspect_launch(self._url.reveal(), target=self.target or None)
        say(self._parts, parts_table(report))
        if report:
            self.status = Status("done", "A well-formed launch. Verify it to see whether the user clicked.")
        else:
            self.status = Status("failed", f"Refused. {' '.join(report.reasons)}")
        return report

    def prepare(self) -> Work[Verdict]:
        """Take the launch that was inspected last."""
        if (report := self.report) is None:
            raise InvalidInput("Paste a launch URL first.", field="url")
        arrived = self._arrived
        self._stop_countdown()
        self.status = Status("busy", "Asking Clio …")

        async def work() -> Verdict:
            sessions = [session.aio for session in self._sessions]
            verdict = await verify_report(report, sessions, arrived=arrived)
            say(self._steps, _steps(verdict))
            return verdict

        return work

    def outcome(self, value: Verdict) -> Status:
        """Show the verdict."""
        return Status("done" if value else "failed", f"{value.state.capitalize()}: {value.reason}")

    def _take(self, change: dict[str, str]) -> None:
        """Read a pasted URL and empty the box at once, since it holds a nonce."""
        if url := change["new"].strip():
            self.url.value = ""
            self.inspect(url)

    async def _count_down(self) -> None:
        """Show how long the nonce can live: it was minted before it came here, so a little less."""
        while (left := self._arrived + NONCE_LIFETIME - timeouts.now()) > 0:
            bar = f'<progress max="{NONCE_LIFETIME}" value="{left:.0f}" aria-label="Seconds left"></progress>'
            say(self._left, f"{bar} The nonce works for another {left:.0f} s at most.")
            await timeouts.sleep(1)
        say(self._left, f"This nonce is more than {NONCE_LIFETIME} seconds old. Click the action in Clio again.")

    def _stop_countdown(self) -> None:
        if self._countdown is not None:
            self._countdown.cancel()
            say(self._left, "")

    def _draw_code_of_target(self, _change: object = None) -> None:
        if self._url:
            self._explain()
        self.code = call("verify_launch", "url", "session", *([f"target={self.target!r}"] if self.target else []))


def _steps(verdict: Verdict) -> str:
    steps = steps_table(verdict)
    if verdict.record is None:
        return steps
    fields = ((markup.text(name), markup.text(value)) for name, value in verdict.record.data.items())
    return steps + markup.table(f"The record: {verdict.record.title}", ("field", "value"), fields)
