"""Whether launches are recorded, and what of a proof goes into the history: never the nonce, a name or a label."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from ..errors import InvalidInput
from ..ledger.launches import LaunchRow
from ..ledger.recorder import KEPT_FOR, Keep, Recorder, checked_keep, recorder_of
from ..models import Site
from ..session import AsyncSession
from ..vault import Vault
from ..vault.vault import firm_key_of
from .verdict import Verdict


class Recording:
    """Notes the launches that some sessions prove, in the ledger of their vault, for the app of each launch."""

    def __init__(self, vault: Vault, site: Site, firm: str, keep: Keep) -> None:
        self._vault: Final = vault
        self._site: Final = site
        self._firm: Final = firm
        self._keep: Final = keep if isinstance(keep, dt.timedelta) else KEPT_FOR

    def begin(self) -> None:
        """Let this process leave its mark in the ledger, while the first launch is being proved."""
        self._recorder(self._site).begin()

    def note(self, verdict: Verdict, session: AsyncSession | None, seconds: float) -> None:
        """Note what came of a launch, and how long that took. ``session`` is that of the user, if there is one."""
        recorder = self._recorder(self._site if session is None else session.site)
        launch, now = verdict.launch, dt.datetime.fromtimestamp(recorder.now(), dt.UTC)
        row = LaunchRow(now, self._firm, verdict.state, verdict.code, round(seconds * 1000))
        if launch is not None:
            row = row._replace(
                user_id=launch.user_id,
                action_id=launch.custom_action_id,
                location=launch.subject.location.value,
                record_id=launch.subject.record_id,
            )
        recorder.note(row, launch.user_id if launch is not None and session is not None else 0)

    def _recorder(self, site: Site) -> Recorder:
        app = firm_key_of(site, self._firm).app
        return recorder_of(self._vault.database, app, self._keep, getattr(site, "clock", None))


def recording_of(sessions: object, *, record: Keep = False) -> Recording | None:
    """Return what records the launches that these sessions prove; None where nobody has asked for that."""
    owner: Any = getattr(sessions, "aio", sessions)
    vault = getattr(owner, "vault", None)
    keep = checked_keep(record) or (isinstance(vault, Vault) and getattr(owner, "record", False))
    if not keep:
        return None
    if not isinstance(vault, Vault):
        raise InvalidInput(
            "Launches are recorded in the ledger of a vault. Pass a firm or VaultSessions as sessions, "
            "or leave record out.",
            field="record",
        )
    return Recording(vault, owner.site, getattr(owner, "name", ""), keep)
