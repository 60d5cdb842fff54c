"""Watch an inbox: launches as they arrive, each proved, and any of them sent again with a fresh nonce."""

from __future__ import annotations

from typing import Final

import ipywidgets as w
from traitlets import Enum, Int, Unicode

from .. import markup
from ..errors import InvalidInput
from ..http import loop
from ..launches import Inbox, Received, Replayed, replay
from ..models import Site
from ._form import Form, Status, Work, push

CHANGES: Final = {
    "as it was": "",
    "without its nonce": "nonce=False",
    "as another user's": "user_id=1",
    "for another record": 'subject="/api/v4/matters/1"',
}
"""What can be sent, and the arguments of :func:`clio_nb.launches.replay` that do it."""

_NEWEST: Final = 50


class InboxForm(Form[Replayed]):
    """Show what an inbox has received, newest first, and replay a launch of it on the sandbox.

    ``number`` is the launch to replay, ``to`` the receiver on this machine to send it to (this inbox, if left out),
    ``change`` what is changed in it on the way. ``value`` is what the receiver answered.
    """

    number = Int(0)
    to = Unicode()
    change = Enum(list(CHANGES), "as it was")

    def __init__(self, inbox: Inbox, site: Site) -> None:
        super().__init__("Inbox", "Replay with a fresh nonce")
        self._inbox: Final = inbox
        self._site: Final = site
        self._launches: Final = w.HTML()
        address = w.HTML(f"Register this as the target URL of an action: {markup.code(inbox.url)}")
        self._field("number", w.Dropdown(description="Launch", options=[("none yet", 0)], value=0))
        self._field("to", w.Text(description="Send to", placeholder=inbox.url))
        self._field("change", w.Dropdown(description="Send it", options=list(CHANGES), value=self.change))
        self.verify: Final = push("Verify by hand", self._verify)
        buttons = (self.verify,)
        self._arrange(address, self._launches, *self.fields.values(), buttons=buttons)
        self.observe(self._draw_call, ["number", "to", "change"])
        self._draw()
        self._draw_call()
        self.close: Final = inbox.on_launch(self._draw)

    def prepare(self) -> Work[Replayed]:
        """Take the launch that is chosen, and click it again in the sandbox."""
        received = self._chosen()
        user_id = _another(self._inbox, received) if self.change == "as another user's" else None
        subject = "/api/v4/matters/1" if self.change == "for another record" else None
        nonce = self.change != "without its nonce"
        to = self.to.strip() or self._inbox.url
        self.status = Status("busy", "Clicking again …")

        async def work() -> Replayed:
            return await replay.aio(received, to, self._site, user_id=user_id, subject=subject, nonce=nonce)

        return work

    def outcome(self, value: Replayed) -> Status:
        """Show what the receiver answered."""
        taken = value.status < 400
        moved = f", and redirected to {value.location.partition('?')[0]}" if value.location else ""
        return Status("done" if taken else "failed", f"The receiver answered {value.status}{moved}.")

    def _chosen(self) -> Received:
        received = next((each for each in self._inbox if each.number == self.number), None)
        if received is None:
            raise InvalidInput("No launch has arrived yet. Click the action first.", field="number")
        return received

    def _verify(self, _button: object) -> None:
        try:
            received = self._chosen()
        except InvalidInput as error:
            self._tell(error)
            return
        loop.submit(self._prove, received)

    async def _prove(self, received: Received) -> None:
        verdict = await self._inbox.aio.verify(received)
        self.status = Status("done" if verdict else "failed", f"{verdict.state.capitalize()}: {verdict.reason}")

    def _draw(self, _received: Received | None = None) -> None:
        """Show what has arrived; called on the library's loop whenever that changes."""
        newest = list(self._inbox)[: -_NEWEST - 1 : -1]
        rows = [_row(received) for received in newest]
        columns = ("no.", "user", "action", "record", "state", "why")
        nothing = markup.muted("Nothing has arrived yet: click the action in Clio's screens.")
        self._launches.value = markup.table(_counted(len(self._inbox)), columns, rows) if rows else nothing
        choices = [(_title(received), received.number) for received in newest if received.report]
        chosen = self.number
        self.fields["number"].options = choices or [("none yet", 0)]
        if any(number == chosen for _, number in choices):
            self.number = chosen

    def _draw_call(self, _change: object = None) -> None:
        target = repr(self.to.strip()) if self.to.strip() else "inbox.url"
        change = CHANGES[self.change]
        arguments = [f"inbox[{self.number - 1}]", target, "site", *([change] if change else [])]
        self.code = f"from clio_nb.launches import replay\n\nreplay({', '.join(arguments)})"


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


def _another(inbox: Inbox, received: Received) -> int:
    """Return the id of another user."""
    mine = received.report.launch.user_id if received.report.launch else 0
    others = (each.report.launch.user_id for each in inbox if each.report.launch)
    return next((user_id for user_id in others if user_id != mine), mine + 1)


def _counted(launches: int) -> str:
    return "1 launch" if launches == 1 else f"{launches} launches"
