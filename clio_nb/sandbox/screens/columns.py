"""What the screens show of each kind of record: columns of its table, and the further fields of its own page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from ...vocabulary import Location
from ..firm.rows import Data

_NOTHING: Final = "–"


@dataclass(frozen=True, slots=True)
class Cell:
    """One value as a person reads it. ``href`` starts at the user's own pages."""

    text: str
    href: str | None = None
    style: str = ""


def _yes_no(value: Any) -> str:
    return "Yes" if value else "No"


def _spaced(value: Any) -> str:
    """``TimeEntry`` is "Time entry", ``real_estate`` is "Real estate"."""
    text = "".join(f" {char.lower()}" if char.isupper() else char for char in str(value)).strip()
    return text.replace("_", " ").capitalize()


def _size(value: Any) -> str:
    return f"{value / 1024:.0f} KB"


def _amount(value: Any) -> str:
    return f"{value:,.2f}"


def _day(value: Any) -> str:
    return str(value)[:10]


@dataclass(frozen=True, slots=True)
class Column:
    """A field by its path (``client.name``), how it is written, and the collection that it links to."""

    title: str
    path: str
    write: Callable[[Any], str] = str
    to: str = ""
    style: str = ""

    def cell(self, data: Data) -> Cell:
        """Return the cell of one record."""
        *outer, name = self.path.split(".")
        for step in outer:
            data = data.get(step) or {}
        value = data.get(name)
        if value is None or value == "":
            return Cell(_NOTHING, style=self.style)
        return Cell(self.write(value), address(self.to, data["id"]) if self.to else None, self.style)


def address(resource: str, id: int) -> str:
    """Return where a record is shown; a folder, which has no page of its own, by what lies in it."""
    return f"documents?folder={id}" if resource == "folders" else f"{resource}/{id}"


def title(location: Location, data: Data) -> str:
    """Return what a record is called."""
    return str(next((data[key] for key in ("display_number", "filename", "name", "note") if data.get(key)), data["id"]))


_MATTER: Final = Column("Matter", "matter.display_number", to="matters", style="number")

COLUMNS: Final[dict[Location, tuple[Column, ...]]] = {
    Location.MATTERS: (
        Column("Matter", "display_number", to="matters", style="number"),
        Column("Description", "description"),
        Column("Client", "client.name", to="contacts"),
        Column("Responsible attorney", "responsible_attorney.name"),
        Column("Status", "status", style="pill"),
        Column("Opened", "open_date", style="number"),
    ),
    Location.CONTACTS: (
        Column("Name", "name", to="contacts"),
        Column("Type", "type"),
        Column("Company", "company.name", to="contacts"),
        Column("Email", "primary_email_address"),
        Column("Phone", "primary_phone_number", style="number"),
        Column("Client", "is_client", _yes_no),
    ),
    Location.ACTIVITIES: (
        Column("Note", "note", to="activities"),
        Column("Date", "date", style="number"),
        Column("Type", "type", _spaced, style="number"),
        _MATTER,
        Column("User", "user.name"),
        Column("Quantity", "quantity_in_hours", _amount, style="amount"),
        Column("Total", "total", _amount, style="amount"),
        Column("Billed", "billed", _yes_no),
    ),
    Location.DOCUMENTS: (
        Column("Name", "filename", to="documents"),
        _MATTER,
        Column("Folder", "parent.name", to="folders"),
        Column("Added by", "creator.name"),
        Column("Received", "received_at", _day, style="number"),
        Column("Size", "size", _size, style="amount"),
    ),
    Location.FOLDERS: (
        Column("Name", "name", to="folders"),
        _MATTER,
        Column("Inside", "parent.name", to="folders"),
        Column("Created", "created_at", _day, style="number"),
    ),
}
"""The table of each kind. The first column names the record."""

DETAILS: Final[dict[Location, tuple[Column, ...]]] = {
    Location.MATTERS: (
        Column("Practice area", "practice_area.name"),
        Column("Billing method", "billing_method", _spaced),
        Column("Closed", "close_date", style="number"),
    ),
    Location.CONTACTS: (Column("Title", "title"),),
    Location.ACTIVITIES: (
        Column("Price", "price", _amount, style="number"),
        Column("Non-billable", "non_billable", _yes_no),
    ),
    Location.DOCUMENTS: (
        Column("Client", "contact.name", to="contacts"),
        Column("Content type", "content_type"),
        Column("Locked", "locked", _yes_no),
    ),
}
"""What a record's own page shows beyond its table."""
