"""Look into a launch: paste its URL, read every part, and have Clio prove it while its nonce lives."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import ipywidgets as w
from traitlets import Instance, Unicode

from .. import portal
from ..client import Session
from ..errors import InvalidInput
from ..launch import LaunchReport, Verdict, inspect_launch, verify_launch_async
from ..secret import Secret
from .form import Form, Status, Work, call


class LaunchForm(Form[Verdict]):
    """Inspect a launch URL, and verify it for the sessions that are given.

    A launch URL holds a nonce, so the box is emptied as soon as it is read; ``report`` says what it held, ``value`` is
    the verdict after :meth:`submit`. ``target`` is the registered target URL, if the launch must fit one.
    """

    target = Unicode()
    report = Instance(LaunchReport, allow_none=True)

    def __init__(self, sessions: Session | Iterable[Session]) -> None:
        super().__init__("Inspect a launch", "Verify")
        self._sessions: Final = [sessions] if isinstance(sessions, Session) else list(sessions)
        self._url = Secret("")
        self._arrived = 0.0
        self.url: Final = self._place("url", w.Textarea(description="Launch URL", continuous_update=False, rows=3))
        self.url.placeholder = "Paste the address that the click opened; the box empties itself"
        self.url.observe(self._take, "value")
        self._report: Final = w.HTML()
        self._verdict: Final = w.HTML()
        self._arrange(self.url, self._report)
        self.view.children = (*self.view.children, self._verdict)
        self.code = call("verify_launch", ["url", "session"])

    def inspect(self, url: str) -> LaunchReport:
        """Explain a launch URL, offline, and keep it for :meth:`submit`."""
        self._url, self._arrived = Secret(url), portal.now()
        self.value = None
        self._verdict.value = ""
        self.report = report = inspect_launch(url, target=self.target or None)
        self._report.value = report._repr_html_()
        self.status = (
            Status("done", "A well-formed launch, not proved yet.") if report else Status("failed", "Refused.")
        )
        return report

    def prepare(self) -> Work[Verdict]:
        """Take the launch that was inspected last."""
        if not self._url:
            raise InvalidInput("Paste a launch URL first.", field="url")
        url, arrived = self._url.reveal(), self._arrived
        self.status = Status("busy", "Asking Clio …")

        async def work() -> Verdict:
            sessions = [session.aio for session in self._sessions]
            verdict = await verify_launch_async(url, sessions, target=self.target or None, arrived=arrived)
            self._verdict.value = verdict._repr_html_()
            return verdict

        return work

    def outcome(self, value: Verdict) -> Status:
        """Say the verdict."""
        return Status("done" if value else "failed", f"{value.state.capitalize()}: {value.reason}")

    def _take(self, change: dict[str, str]) -> None:
        """Read a pasted URL and empty the box at once, since it holds a nonce."""
        if url := change["new"].strip():
            self.url.value = ""
            self.inspect(url)
