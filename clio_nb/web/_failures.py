"""What a person reads when a sign-in does not complete; the log has the error itself."""

from __future__ import annotations

from typing import Final

from .. import errors
from ._hooks import HookFailed

_SAID: Final[dict[type[errors.ClioError], tuple[int, str]]] = {
    errors.Forbidden: (
        403,
        "This app lacks a permission at Clio: to read users, or to read and write custom actions. Tell its maker.",
    ),
    HookFailed: (500, "This app has an error of its own. Tell its maker, then connect again."),
    errors.RunInProgress: (503, "Your buttons are being made at this moment. Connect again in a few seconds."),
    errors.ManifestError: (500, "The list of buttons of this app has an error. Tell the maker of the app."),
    errors.ClientRefused: (500, "Clio does not know this app. Tell the maker of the app."),
    errors.GrantRefused: (409, "Clio has used this sign-in already, or it is too old. Connect again."),
    errors.VaultError: (503, "This app cannot keep your connection at the moment. Connect again in a few minutes."),
    errors.ClioError: (502, "Clio does not answer as it should. Wait a moment, and connect again."),
}


def failure(error: errors.ClioError) -> tuple[int, str]:
    """Return the status and the sentences for an error."""
    return next(said for kind, said in _SAID.items() if isinstance(error, kind))
