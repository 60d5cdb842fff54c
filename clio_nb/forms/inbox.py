"""Watch an inbox: launches as they arrive, each proved, and any of them sent again with a fresh nonce."""

from __future__ import annotations

from typing import Any, Final

import ipywidgets as w
from traitlets import Enum, Int

from .. import markup
from ..errors import InvalidInput
from ..launches import Inbox, Received, Replayed, Verdict, replay
from ..models import Site
from ._copy import Copyable
from ._form import Form, Status, Trimmed, Work
from ._save import Save

AS_IT_WAS: Final = "as it was"
CHANGES: Final = (AS_IT_WAS, "without its nonce", "as another user's", "for another record")
"""How a launch can be sent again: all but the first are forged, and a receiver should refuse them."""

_NEWEST: Final = 50


class InboxForm(Form[Replayed]):
    """Show what an inbox has received, newest first, and replay a launch of it on the sandbox.

    ``number`` is the launch to replay, ``to`` the receiver on this machine to send it to (this inbox, if left out),
    ``change`` what is changed in it on the way. ``value`` is what the receiver answered.
    """

    number = Int(0)
    to = Trimmed()
    change = Enum(CHANGES, AS_IT_WAS)

    def __init__(self, inbox: Inbox, site: Site) -> None:
        super().__init__("Inbox", "Replay with a fresh nonce")
        self._inbox: Final = inbox
        self._sent = self.change
        self._site: Final = site
        self._launches: Final = w.HTML()
        address = Copyable("the address", f"Register this as the target URL of an action: {markup.code(inbox.url)}")
        self._field("number", w.Dropdown(description="Launch", options=[("none yet", 0)], value=0))
        self._field("to", w.Text(description="Send to", placeholder=inbox.url))
        self._field("change", w.Dropdown(description="Send it", options=list(CHANGES), value=self.change))
        self.verify: Final = self._starter("Verify by hand", self._prepare_proof, self._show_verdict)
        self.save: Final = Save()
        rows = (address, self._launches, self.save.view, *self.fields.values())
        self._arrange(*rows, buttons=(self.verify,))
        self.observe(self._draw_call, ["number", "to", "change"])
        self._draw()
        self._draw_call()
        self.close: Final = inbox.on_launch(self._draw)

    def prepare(self) -> Work[Replayed]:
        """Take the launch that is chosen, and click it again in the sandbox."""
        received = self._chosen()
        to, changes, self._sent = self._receiver() or self._inbox.url, self._changes(received), self.change
        self.status = Status("busy", "Clicking again …")

        async def work() -> Replayed:
            return await replay.aio(received, to, self._site, **changes)

        return work

    def outcome(self, value: Replayed) -> Status:
        """Say what the receiver answered: right is to refuse a forged launch, and to take any other."""
        moved = f" and redirected to {value.location.partition('?')[0]}" if value.location else ""
        said, refused = f"The receiver answered {value.status}{moved}", 400 <= value.status < 500
        if self._sent == AS_IT_WAS:
            return Status("done" if value.status < 400 else "failed", f"{said}.")
        if refused:
            return Status("done", f"{said}: it refused a launch sent {self._sent}, as it should.")
        return Status("failed", f"{said} to a launch sent {self._sent}. It should refuse that with 403.")

    def _chosen(self) -> Received:
        if (received := self._launch()) is None:
            raise InvalidInput("No launch has arrived yet. Click the action first.", field="number")
        return received

    def _launch(self) -> Received | None:
        return next((each for each in self._inbox if each.number == self.number), None)

    def _receiver(self) -> str:
        return "".join(self.to.split())

    def _changes(self, received: Received | None) -> dict[str, Any]:
        """Return the arguments of :func:`clio_nb.launches.replay` for the change that is chosen."""
        forged: dict[str, dict[str, Any]] = {
            "without its nonce": {"nonce": False},
            "as another user's": {"user_id": _another(self._inbox, received)},
            "for another record": {"subject": "/api/v4/matters/1"},
        }
        return forged.get(self.change, {})

    def _prepare_proof(self) -> Work[Verdict]:
        received = self._chosen()
        self.status = Status("busy", "Asking Clio …")

        async def work() -> Verdict:
            return await self._inbox.aio.verify(received)

        return work

    def _show_verdict(self, verdict: Verdict) -> Status:
        return Status("done" if verdict else "failed", f"{verdict.state.capitalize()}: {verdict.reason}")

    def _draw(self, _received: Received | None = None) -> None:
        """Show what has arrived; called on the library's loop whenever that changes."""
        newest = list(self._inbox)[: -_NEWEST - 1 : -1]
        rows = [_row(received) for received in newest]
        columns = ("no.", "user", "action", "record", "state", "why")
        nothing = markup.muted("Nothing has arrived yet: click the action in Clio's screens.")
        self._launches.value = (
            markup.table(markup.counted(len(self._inbox), "launch", "launches"), columns, rows) if rows else nothing
        )
        self.save.offer("launches", self._inbox.to_frame if rows else None)
        choices = [(_title(received), received.number) for received in newest if received.report]
        chosen = self.number
        self.fields["number"].options = choices or [("none yet", 0)]
        if any(number == chosen for _, number in choices):
            self.number = chosen

    def _draw_call(self, _change: object = None) -> None:
        which = f"next(each for each in inbox if each.number == {self.number})" if self.number else "inbox[-1]"
        changes = [f"{name}={value!r}" for name, value in self._changes(self._launch()).items()]
        arguments = ["launch", repr(self._receiver()) if self._receiver() else "inbox.url", "site", *changes]
        self.code = f"from clio_nb.launches import replay\n\nlaunch = {which}\nreplay({', '.join(arguments)})"


def _row(received: Received) -> tuple[str, ...]:
    launch, verdict = received.report.launch, received.verdict
    user = verdict.user.name if verdict and verdict.user else launch and launch.user_id
    action = verdict.action.label if verdict and verdict.action else launch and launch.custom_action_id
    record = verdict.record.title if verdict and verdict.record else launch and launch.subject
    state = f"{markup.MARKS[None if received.state == 'unproved' else bool(verdict)]}\N{NO-BREAK SPACE}{received.state}"
    cells = (received.number, user, action, record, state, received.reason)
    return tuple(markup.text("" if cell is None else cell) for cell in cells)


def _title(received: Received) -> str:
    launch = received.report.launch
    return f"{received.number}: {launch.subject if launch else 'no launch'} ({received.state})"


def _another(inbox: Inbox, received: Received | None) -> int:
    """Return the id of another user."""
    mine = received.report.launch.user_id if received and received.report.launch else 0
    others = (each.report.launch.user_id for each in inbox if each.report.launch)
    return next((user_id for user_id in others if user_id != mine), mine + 1)
