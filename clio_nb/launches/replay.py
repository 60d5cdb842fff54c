"""Replay a launch: click the same action on the same record again, in the sandbox, and send that to any receiver here.

A plain replay is always refused, since a nonce works once. This one has a fresh nonce, and can be changed on purpose.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from ..errors import InvalidInput
from ..http import sync_and_async, transport
from ..http.sandbox_control import Control
from ..models import Site, Subject
from ..secret import Secret
from ..vocabulary import LOOPBACK
from ._compose import compose
from .received import Received, load_launch, parameters_of
from .report import Launch


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a receiver answered to a replayed launch: its status, where it redirects to, and its page."""

    to: str
    status: int
    location: str
    body: bytes

    def __repr__(self) -> str:
        onward = f", moves to {self.location.partition('?')[0] or 'itself'}" if self.location else ""
        return f"<Replayed to {self.to}: {self.status}{onward}>"


@sync_and_async.sync_function
async def replay(
    launch: Received | Launch | Path | str,
    to: str,
    site: Site,
    *,
    user_id: int | None = None,
    subject: Subject | str | None = None,
    nonce: bool = True,
) -> Replayed:
    """Click again in the sandbox, and send the new launch to a receiver on this machine.

    The click is that of the same user on the same record; what is sent can differ from it. Redirects are not followed.

    Args:
        launch: A launch of an inbox, or the file of a saved one. Its user, action and record must exist in the sandbox.
        to: The receiver's address.
        site: The sandbox.
        user_id: Another user to name in the launch.
        subject: Another record, or any text, to send as ``subject_url``.
        nonce: False to leave the nonce out.

    Returns:
        What the receiver answered.

    Raises:
        errors.InvalidInput: ``to`` is not on this machine, ``site`` is not a sandbox, or this is not a launch.
        errors.NotFound: The sandbox does not know the user, the action or the record.
        errors.NetworkError: The receiver does not answer.

    Examples:
        >>> from urllib.request import urlopen
        >>> with clio.inbox(site) as inbox:
        ...     page = urlopen(site.click_on(session.user.id, inbox.url)).read()
        ...     answer = clio.launches.replay(inbox[0], inbox.url, site)
        ...     [received.state for received in inbox]
        ['verified', 'verified']
    """
    check_loopback(to, "to")
    said = _launch_of(launch)
    clicked = await Control(site).click(said.user_id, said.custom_action_id, said.subject)
    fresh = Secret(parse_qs(urlsplit(clicked.reveal()).query)["custom_action_nonce"][0])
    changes = {"user_id": user_id, "subject_url": subject.path if isinstance(subject, Subject) else subject}
    url = Secret(
        compose(
            to,
            [
                (name, value if (change := changes.get(name)) is None else str(change))
                for name, value in parameters_of(said, fresh.reveal())
                if nonce or name != "custom_action_nonce"
            ],
        )
    )
    raw = await transport.exchange("GET", url, headers={"accept": "text/html,*/*"})
    return Replayed(to.partition("?")[0], raw.status, raw.headers.get("location", ""), raw.body)


def check_loopback(url: str, field: str) -> None:
    """Raise :class:`InvalidInput` unless a URL is http(s) on this machine: such launches must go nowhere else."""
    try:
        parts = urlsplit(url)
        here = parts.scheme in ("http", "https") and parts.hostname in LOOPBACK and parts.username is None
    except ValueError:
        here = False
    if not here:
        raise InvalidInput(
            "The receiver must run on this machine: give an address such as http://127.0.0.1:8000/launch.", field=field
        )


def _launch_of(launch: Received | Launch | Path | str) -> Launch:
    if isinstance(launch, Launch):
        return launch
    if isinstance(launch, Path | str):
        return load_launch(launch)
    if not isinstance(launch, Received):
        raise InvalidInput(
            f"Pass a launch of an inbox, or the path of a saved one, not a {type(launch).__name__}.", field="launch"
        )
    if launch.report.launch is None:
        raise InvalidInput("Only a well-formed launch can be replayed; this one was refused.", field="launch")
    return launch.report.launch
