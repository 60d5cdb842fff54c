"""A launch that the inbox has received, and the file in which one can be kept and shared."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import msgspec

from ..errors import InvalidInput
from ..http import timeouts
from ..secret import Secret
from ..tracebacks import verb
from ._compose import compose
from .inspect import inspect_launch
from .report import Launch, LaunchReport
from .verdict import State, Verdict

SCRUBBED: Final = "scrubbed-nonce"  # what stands in a fixture in the place of the nonce

InboxState = State | Literal["unproved"]


@dataclass(slots=True, eq=False)
class Received:
    """One launch as it arrived. ``verdict`` is None until it was verified; ``at`` is in UTC."""

    number: int
    at: dt.datetime
    report: LaunchReport
    url: Secret
    arrived: float = field(repr=False)
    verdict: Verdict | None = None

    @property
    def age(self) -> float:
        """Seconds since it arrived, whatever happens to the machine's clock. Its nonce is a little older."""
        return timeouts.now() - self.arrived

    @property
    def user(self) -> str | None:
        """The name of the user who clicked, once a proof has found the session."""
        return self.verdict.user.name if self.verdict is not None and self.verdict.user else None

    @property
    def action(self) -> str | None:
        """The label of the action, once a proof has found it."""
        return self.verdict.action.label if self.verdict is not None and self.verdict.action else None

    @property
    def record(self) -> str | None:
        """What a person calls the record, once the launch is verified."""
        return self.verdict.record.title if self.verdict is not None and self.verdict.record else None

    @property
    def state(self) -> InboxState:
        """The state of the verdict; ``"unproved"`` until there is one; ``"refused"`` when it is no launch at all."""
        if self.verdict is not None:
            return self.verdict.state
        return "unproved" if self.report else "refused"

    @property
    def reason(self) -> str:
        """Why it is in that state, in words; empty while it is unproved."""
        return " ".join(self.report.reasons) if self.verdict is None else self.verdict.reason


class _Fixture(msgspec.Struct, forbid_unknown_fields=True):
    """What the file of a launch holds."""

    url: str
    state: str
    received_at: dt.datetime


@verb
def save_launch(received: Received, path: Path | str) -> Path:
    """Write a launch to a JSON file that can be shared.

    It keeps the ids, the time and the state. The nonce is replaced, and so are the values of the target's own
    parameters; names of people and records are left out.

    Args:
        received: A launch of an inbox.
        path: The file.

    Returns:
        Its path.

    Raises:
        errors.InvalidInput: This is not a well-formed launch of an inbox.

    Examples:
        >>> from urllib.request import urlopen
        >>> with clio.inbox(site) as inbox:
        ...     page = urlopen(site.click_on(session.user.id, inbox.url)).read()
        ...     clio.launches.save_launch(inbox[0], "saved.json").name
        'saved.json'
    """
    if not isinstance(received, Received) or not received.report:
        raise InvalidInput("Only a well-formed launch of an inbox can be saved.", field="received")
    fixture = _Fixture(scrubbed(received.report), received.state, received.at)
    file = Path(path)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(fixture), indent=2) + b"\n")
    return file


@verb
def load_launch(path: Path | str) -> Launch:
    """Read a launch that was saved. Its nonce is a stand-in: replay it to get a fresh one.

    Args:
        path: The file that :func:`save_launch` has written.

    Returns:
        The launch.

    Raises:
        errors.InvalidInput: The file does not hold a saved launch.

    Examples:
        >>> from urllib.request import urlopen
        >>> with clio.inbox(site) as inbox:
        ...     page = urlopen(site.click_on(session.user.id, inbox.url)).read()
        ...     file = clio.launches.save_launch(inbox[0], "saved.json")
        >>> clio.launches.load_launch(file).user_id == session.user.id
        True
    """
    try:
        fixture = msgspec.json.decode(Path(path).read_bytes(), type=_Fixture)
        launch = inspect_launch(fixture.url).launch
    except (msgspec.DecodeError, UnicodeDecodeError, TypeError):  # TypeError: it is no path at all
        launch = None
    if launch is None:
        raise InvalidInput(
            f"{getattr(path, 'name', path)!s:.80} is not a file that save_launch() has written.", field="path"
        )
    return launch


def scrubbed(report: LaunchReport) -> str:
    """Return the address of a launch without its nonce and the values of the target's own parameters; "" for none."""
    if report.launch is None:
        return ""
    base = report.target.partition("?")[0].partition("#")[0]
    return compose(base, [*((name, "scrubbed") for name, _ in report.extras), *parameters_of(report.launch, SCRUBBED)])


def parameters_of(launch: Launch, nonce: str) -> list[tuple[str, str]]:
    """Return Clio's four parameters as they stand in a launch URL, with this nonce."""
    return [
        ("custom_action_id", str(launch.custom_action_id)),
        ("user_id", str(launch.user_id)),
        ("subject_url", launch.subject.path),
        ("custom_action_nonce", nonce),
    ]
