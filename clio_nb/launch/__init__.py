"""Launches of custom actions: inspect a launch URL, have Clio prove it, and look an action over before it is sent.

In a server: :class:`clio_nb.launch.asgi.LaunchMiddleware` and :class:`clio_nb.launch.wsgi.LaunchMiddleware`.
Each name is imported on first use, so a server that only proves launches loads neither pandas nor ipywidgets.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ..action_rules import Finding, lint
    from .attack import Mistake, ProbeReport, probe, probe_async
    from .receive import Inbox, inbox
    from .received import Received, load_launch, save_launch
    from .report import Launch, LaunchReport, Part
    from .resend import Replayed, replay, replay_async
    from .signed_cookie import ProvedLaunch
    from .url import inspect_launch
    from .verdict import Step, Verdict
    from .verify import verify_launch, verify_launch_async

__all__ = [
    "inspect_launch",
    "Launch",
    "LaunchReport",
    "Part",
    "lint",
    "Finding",
    "verify_launch",
    "verify_launch_async",
    "Verdict",
    "Step",
    "ProvedLaunch",
    "inbox",
    "Inbox",
    "Received",
    "save_launch",
    "load_launch",
    "replay",
    "replay_async",
    "Replayed",
    "probe",
    "probe_async",
    "ProbeReport",
    "Mistake",
]

_HOMES: Final = {
    "Mistake": "attack",
    "ProbeReport": "attack",
    "probe": "attack",
    "probe_async": "attack",
    "Launch": "report",
    "LaunchReport": "report",
    "Part": "report",
    "inspect_launch": "url",
    "Finding": ".action_rules",
    "lint": ".action_rules",
    "Inbox": "receive",
    "ProvedLaunch": "signed_cookie",
    "Received": "received",
    "Replayed": "resend",
    "replay": "resend",
    "inbox": "receive",
    "load_launch": "received",
    "replay_async": "resend",
    "save_launch": "received",
    "Step": "verdict",
    "Verdict": "verdict",
    "verify_launch": "verify",
    "verify_launch_async": "verify",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
