"""What Clio calls things: its four regions, the locations of a custom action, the menus that show it; and this machine.

Nothing here does I/O or imports anything else of the package, so the client and the sandbox can both use it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

LABEL_MAX: Final = 32
"""Longest label that Clio accepts (observed: 422 ``RecordInvalid`` above it; the reference does not say)."""

NONCE_LIFETIME: Final = 60
"""Seconds that a ``custom_action_nonce`` lives (Clio's guide, "Confirming a User's Action")."""

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
"""The names of this machine."""

DEFAULT_REDIRECT_URI: Final = "http://127.0.0.1:8765/callback"
"""Where a login on this machine comes back to."""

HUB_PREFIX: Final = "JUPYTERHUB_SERVICE_PREFIX"
"""The variable in which a JupyterHub says under which path it serves this kernel's user."""

MEANINGS: Final = {
    "custom_action_id": "the action that was clicked",
    "user_id": "the user who clicked",
    "subject_url": "the record on which it was clicked",
    "custom_action_nonce": f"the proof of the click: works once, within {NONCE_LIFETIME} s",
}
"""The four parameters that Clio adds to a target URL (Clio's guide, "Receiving a Custom Action")."""


class Region(StrEnum):
    """One of Clio's four data regions: ``US``, ``EU``, ``CA``, ``AU``. They share no data; an app belongs to one.

    Source: the ``servers`` of Clio's API reference.

    Examples:
        >>> clio.Region("ca").host
        'ca.app.clio.com'
    """

    US = "us"
    EU = "eu"
    CA = "ca"
    AU = "au"

    @property
    def host(self) -> str:
        """Host name of the API and of OAuth in this region."""
        return "app.clio.com" if self is Region.US else f"{self.value}.app.clio.com"

    @property
    def origin(self) -> str:
        """Scheme and host: every request for this region starts with it."""
        return f"https://{self.host}"


class Location(StrEnum):
    """A ``ui_reference``: the kind of record on which a custom action appears.

    One value gives both the table view and the singular view of that record (folders have no singular view).

    Source: the enum of ``ui_reference`` in Clio's API reference.

    Examples:
        >>> [location.value for location in clio.Location]
        ['activities/show', 'contacts/show', 'documents/show', 'folders/show', 'matters/show']
    """

    ACTIVITIES = "activities/show"
    CONTACTS = "contacts/show"
    DOCUMENTS = "documents/show"
    FOLDERS = "folders/show"
    MATTERS = "matters/show"

    @property
    def resource(self) -> str:
        """The API collection of the records, as it stands in a ``subject_url``: ``"matters"``."""
        return self.value.removesuffix("/show")

    @property
    def record_type(self) -> str:
        """The name of one such record: ``"Matter"``."""
        return "Activity" if self is Location.ACTIVITIES else self.resource.removesuffix("s").capitalize()

    @property
    def menus(self) -> tuple[Menu, ...]:
        """Where in Clio's screens an action with this ``ui_reference`` can be clicked."""
        return tuple(menu for menu in MENUS if menu.location is self)

    @classmethod
    def of_resource(cls, resource: str) -> Location | None:
        """Return the location of an API collection, or None for any other text.

        Args:
            resource: The collection.

        Examples:
            >>> clio.Location.of_resource("matters")
            <Location.MATTERS: 'matters/show'>
        """
        return _BY_RESOURCE.get(resource)


@dataclass(frozen=True, slots=True)
class Menu:
    """One menu of Clio's interface that shows custom actions. ``clio_nb.MENUS`` has all nine.

    Examples:
        >>> [str(menu) for menu in clio.Location.MATTERS.menus]
        ['matters table, dropdown beside Edit', 'one matter, More Actions']
    """

    location: Location
    view: Literal["table", "singular"]
    name: str

    def __str__(self) -> str:
        if self.view == "table":
            return f"{self.location.resource} table, {self.name}"
        return f"one {self.location.record_type.lower()}, {self.name}"


_EDIT, _VIEW = "dropdown beside Edit", "dropdown beside View"
_MORE, _DOWNLOAD = "More Actions", "dropdown beside Download"

MENUS: Final = (
    Menu(Location.ACTIVITIES, "table", _EDIT),
    Menu(Location.ACTIVITIES, "singular", _MORE),
    Menu(Location.CONTACTS, "table", _EDIT),
    Menu(Location.CONTACTS, "singular", _MORE),
    Menu(Location.DOCUMENTS, "table", _VIEW),
    Menu(Location.DOCUMENTS, "singular", _DOWNLOAD),
    Menu(Location.FOLDERS, "table", _VIEW),
    Menu(Location.MATTERS, "table", _EDIT),
    Menu(Location.MATTERS, "singular", _MORE),
)
"""The nine menus that show custom actions (Clio's guide, "Where can Custom Actions appear?")."""


def proxied(prefix: str, port: int, path: str) -> str:
    """Return the path by which jupyter-server-proxy leads to a port of the kernel's machine."""
    return f"{prefix.rstrip('/')}/proxy/{port}/{path.removeprefix('/')}"


_BY_RESOURCE: Final = {location.resource: location for location in Location}
