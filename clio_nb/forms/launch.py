"""Look into a launch: paste its URL, read every part, and have Clio prove it while its nonce lives."""

from __future__ import annotations

import threading
import unicodedata
from collections import Counter
from itertools import takewhile
from typing import Final

import ipywidgets as w
from traitlets import Instance

from .. import markup
from ..errors import InvalidInput
from ..http import loop, timeouts
from ..launches import LaunchReport, Verdict, inspect_launch
from ..launches.proof.sessions import app_of
from ..launches.proof.used_nonces import used_nonces
from ..launches.received import scrubbed
from ..launches.report import HIDDEN, parts_table, shown
from ..launches.verdict import steps_table
from ..launches.verify import verify_report
from ..secret import Secret
from ..vocabulary import NONCE_LIFETIME
from ._copy import Copyable
from ._form import Form, Status, Trimmed, Work, call, html, say
from ._save import Save, texts
from ._who import people_of

_AROUND: Final = {'"': ('"', "quote"), "'": ("'", "quote"), "<": (">", "bracket")}
_AGAIN: Final = "Click the action in Clio again."


class LaunchForm(Form[Verdict]):
    """Inspect a launch URL, and verify it for whoever is signed in.

    ``sessions`` is a sign-in form, a session, several sessions, a :class:`clio_nb.Firm`, or a sandbox.
    A launch URL holds a nonce, so the box is emptied as soon as it is understood; ``report`` says what it held,
    ``value`` is the verdict after :meth:`submit`. ``target`` is the registered target URL, if the launch must fit one.
    """

    target = Trimmed()
    report = Instance(LaunchReport, allow_none=True)

    def __init__(self, sessions: object) -> None:
        super().__init__("Inspect a launch", "Verify", people_of(sessions, "forms.launch"))
        self._url, self._removed = Secret(""), ""
        self._arrived = 0.0
        self._counting: object = None
        self._drawing: Final = threading.Lock()
        self.url: Final = self._widget_for("url", w.Textarea(description="Launch URL", rows=3))
        self.url.placeholder = "Paste the address that the click opened. The box empties itself: it holds a secret."
        self.url.observe(self._take, "value")
        self._field("target", w.Text(description="Target URL", placeholder="If it must be the target of this action"))
        self._parts: Final = html()
        self._address: Final = Copyable("the address without its nonce", display="none")
        self._left: Final = html()
        self._steps: Final = html()
        self.save: Final = Save()
        self._arrange(
            *(self.url, self.fields["target"], self._parts, self._address, self._left),
            below=(self._steps, self.save.view),
        )
        self.observe(self._look_again, "target")
        self.observe(self._wait, "busy")
        self.follow()

    def inspect(self, url: str) -> LaunchReport:
        """Explain a launch URL, offline, and keep it for :meth:`submit` while its nonce lives.

        Spaces, line breaks and quotes that came with it are removed; the status says which.
        """
        if self.busy:
            raise InvalidInput("This form is busy. Wait until it is done.")
        text, self._removed = tidy(url)
        before = self.report
        self._url = Secret(text)
        report = self._explain()
        if report.launch and not (before and before.launch == report.launch):
            self._arrived = timeouts.now()
        self._count()
        return report

    def _explain(self) -> LaunchReport:
        """Show what the address says, in the place of an older verdict."""
        self._stop_counting()
        self.value = None
        say(self._steps, "")
        for name in ("launch-steps", "launch-record"):
            self.save.offer(name, None)
        self.report = report = inspect_launch(self._url.reveal(), target=self.target or None)
        say(self._parts, parts_table(report))
        self.save.offer("launch-parts", (lambda: texts(report.parts)) if report.parts else None)
        address = scrubbed(report)
        say(self._address, address and markup.muted(f"To pass on, without its nonce: {markup.code(address)}"))
        if not report:
            said = Status("failed", f"Refused. {' '.join(report.reasons)}")
        elif self._is_used():
            said = Status("failed", f"This nonce was used before, and it works only once. {_AGAIN}")
        else:
            said = Status("done", "A well-formed launch. Verify it to see whether the user clicked.")
        self.status = said._replace(text=" ".join(filter(None, (said.text, self._removed))))
        return report

    def prepare(self) -> Work[Verdict]:
        """Take the launch that was inspected last, or what is still in the box."""
        self._read_box()
        if (report := self.report) is None:
            raise InvalidInput("Paste a launch URL first.", field="url")
        sessions = [session.aio for session in self._who.needed()]
        arrived = self._arrived
        self._stop_counting()
        self.status = Status("busy", "Asking Clio …")

        async def work() -> Verdict:
            return await verify_report(report, sessions, arrived=arrived)

        return work

    def outcome(self, value: Verdict) -> Status:
        """Show the verdict; as long as its nonce was not sent, the launch can still be verified."""
        say(self._steps, _steps(value))
        self.save.offer("launch-steps", lambda: texts(value.steps))
        if (record := value.record) is not None:
            self.save.offer("launch-record", lambda: texts(record.data.items(), ["field", "value"]))
        self._count()
        return Status("done" if value else "failed", f"{value.state.capitalize()}: {value.reason}")

    def _take(self, change: dict[str, str]) -> None:
        """Read what is pasted at once. What is typed by hand is read when it is complete: by the button."""
        old, new = change["old"], change["new"]
        if not self.busy and _inserted(old, new) > 1:  # a keystroke brings one character
            self._read_box()

    def _read_box(self) -> None:
        """Read the box, and empty it once it is understood, or when it may hold a nonce."""
        pasted = self.url.value
        if pasted.strip():
            text, _ = tidy(pasted)
            if inspect_launch(text) or shown(text) == HIDDEN:
                self.url.value = ""
            self.inspect(pasted)

    def _wait(self, _change: object = None) -> None:
        """Take nothing new while Clio is asked; then what has come meanwhile."""
        self.url.disabled = self.fields["target"].disabled = self.busy
        if not self.busy:
            self._read_box()

    def _is_used(self) -> bool:
        launch = self.report.launch if self.report else None
        apps = {app_of(session.aio) for session in self._who.sessions}
        return launch is not None and any(used_nonces.has(app, launch) for app in apps)

    # The time that the nonce has left. It is drawn on the library's loop, and stopped in any thread.

    def _count(self) -> None:
        """Show how long the nonce can live, if it can."""
        self._stop_counting()
        if self.report and not self._is_used():
            self._counting = mine = object()
            loop.submit(self._count_down, mine, self._arrived)

    async def _count_down(self, mine: object, arrived: float) -> None:
        """Show the seconds that are left: it was minted before it came here, so a little less."""
        while (left := arrived + NONCE_LIFETIME - timeouts.now()) > 0:
            bar = f'<progress max="{NONCE_LIFETIME}" value="{left:.0f}" aria-label="Seconds left"></progress>'
            if not self._draw_left(mine, f"{bar} The nonce works for another {left:.0f} s at most."):
                return
            await timeouts.sleep(1)
        self._draw_left(mine, f"This nonce is more than {NONCE_LIFETIME} seconds old. {_AGAIN}", over=True)

    def _draw_left(self, mine: object, drawn: str, *, over: bool = False) -> bool:
        with self._drawing:
            if self._counting is not mine:
                return False
            say(self._left, drawn)
            if over and self.value is None:
                self.status = Status("idle", "")  # it asked to verify it
            return True

    def _stop_counting(self) -> None:
        with self._drawing:
            self._counting = None
            say(self._left, "")

    def _look_again(self, _change: object = None) -> None:
        if self._url and not self.busy:
            self._explain()
            self._count()
        self.follow()

    def follow(self) -> None:
        """Draw the call for who is signed in now."""
        several = len(self._who.sessions) > 1
        target = [f"target={self.target!r}"] if self.target else []
        verified = call("verify_launch", "url", "sessions" if several else "session", *target)
        self.code = self._who.code(several=several) + verified


def tidy(pasted: str) -> tuple[str, str]:
    """Return an address without what came along when it was copied, and a sentence that says what that was."""
    removed: Counter[str] = Counter()
    kept = []
    for char in pasted.replace("\r\n", "\n"):
        if char in "\n\r\v\f\x85\u2028\u2029":
            removed["line break"] += 1
        elif char.isspace():
            removed["space"] += 1
        elif unicodedata.category(char) in ("Cc", "Cf"):
            removed["invisible character"] += 1
        else:
            kept.append(char)
    text = "".join(kept)
    close, mark = _AROUND.get(text[:1], ("", ""))
    if close and len(text) > 1 and text.endswith(close):
        text = text[1:-1]
        removed[mark] = 2
    counted = [f"{count} {what}{'s' if count > 1 else ''}" for what, count in removed.items()]
    return text, f"Removed {' and '.join(counted)}." if counted else ""


def _inserted(old: str, new: str) -> int:
    """Return how many characters an edit has put in."""
    start = _same(old, new)
    return len(new) - start - _same(old[start:][::-1], new[start:][::-1])


def _same(one: str, other: str) -> int:
    """Return how many characters two texts begin with alike."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _steps(verdict: Verdict) -> str:
    steps = steps_table(verdict)
    if verdict.record is None:
        return steps
    fields = ((markup.text(name), markup.text(value)) for name, value in verdict.record.data.items())
    return steps + markup.table(f"The record: {verdict.record.title}", ("field", "value"), fields)
