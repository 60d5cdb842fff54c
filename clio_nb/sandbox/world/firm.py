"""The demo firm: an invented law firm, the same for the same seed, as rows by collection."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from importlib.resources import files
from typing import Any, Final

import msgspec

from .clock import START
from .rows import Data, Row

Collections = dict[str, dict[int, Row]]
"""Rows by id (ascending), by collection: ``users`` and the five of ``Location``."""

_DAY: Final = 86_400


class _File(msgspec.Struct):
    name: str
    content_type: str


class _Matter(msgspec.Struct):
    description: str
    category: str
    practice_area: str
    status: str


class _Firm(msgspec.Struct):
    """What ``firm.toml`` says."""

    name: str
    domain: str
    first_names: list[str]
    last_names: list[str]
    companies: list[str]
    notes: list[str]
    folders: list[str]
    files: list[_File]
    matters: list[_Matter]


_FIRM: Final = msgspec.toml.decode(files(__package__).joinpath("firm.toml").read_bytes(), type=_Firm)

FIRM_NAME: Final = _FIRM.name
_COLLECTIONS: Final = ("account", "users", "contacts", "matters", "folders", "documents", "activities")


class User(msgspec.Struct, frozen=True):
    """A user of the demo firm, as Python and the control endpoints name one."""

    id: int
    name: str
    email: str


def build(seed: int, region: str, users: int) -> Collections:
    """Make the firm of one region: so many users and a fixed set of records, with ids drawn from the seed."""
    rng = random.Random(f"{seed}:{region}")  # noqa: S311 - ids of a demo firm, no secrets
    ids = {
        name: _ids(rng) for name in ("account", "users", "contacts", "matters", "folders", "documents", "activities")
    }
    account = _account(next(ids["account"]))
    people = [_user(number, next(ids["users"]), account) for number in range(users)]
    contacts = list(_contacts(ids["contacts"]))
    matters = list(_matters(ids["matters"], contacts, people))
    folders = list(_folders(ids["folders"], matters, people))
    documents = list(_documents(ids["documents"], folders, people))
    activities = list(_activities(ids["activities"], matters, people))
    collections = {
        "users": people,
        "contacts": contacts,
        "matters": matters,
        "folders": folders,
        "documents": documents,
        "activities": activities,
    }
    return {name: {row.id: row for row in rows} for name, rows in collections.items()}


def _ids(rng: random.Random) -> Iterator[int]:
    return iter(range(rng.randrange(1_000_000, 9_000_000) * 100 + 1, 2**62, 7))


def _row(id: int, days_ago: float, **fields: Any) -> Row:
    created = START - days_ago * _DAY
    return Row(id, fields, created, min(START, created + days_ago * _DAY / 2))


def _date(days_ago: int) -> str:
    return dt.datetime.fromtimestamp(START - days_ago * _DAY, dt.UTC).date().isoformat()


def _account(id: int) -> Data:
    return _row(
        id,
        900,
        name=FIRM_NAME,
        state="active",
        address="14 Tanner's Row",
        city="Oakhaven",
        province="BC",
        country="CA",
        postal_code="V0V 0V0",
        phone="+1 555 0100",
        fax="",
    ).data


def _user(number: int, id: int, account: Data) -> Row:
    lap, place = divmod(number, len(_FIRM.first_names))
    first = _FIRM.first_names[place]
    last = _FIRM.last_names[(place + lap) % len(_FIRM.last_names)] + (
        "" if lap < len(_FIRM.last_names) else f" {lap // len(_FIRM.last_names) + 1}"
    )
    kind = number % 5
    return _row(
        id,
        800 - number % 700,
        account=account,
        account_owner=number == 0,
        clio_connect=False,
        court_rules_default_attendee=False,
        default_calendar_id=id + 1,
        email=f"user{number + 1}@{_FIRM.domain}",
        enabled=True,
        first_name=first,
        groups=[],
        initials=first[0] + last[0],
        last_name=last,
        locale="en",
        name=f"{first} {last}",
        notification_methods=[],
        phone_number=f"+1 555 01{number % 100:02}",
        rate=[400.0, 350.0, 310.0, 120.0, 95.0][kind],
        roles=[["admin", "accounts", "billing", "reports"], [], ["reports"], ["billing"], ["accounts"]][kind],
        subscription_type="Attorney" if kind < 3 else "NonAttorney",
        time_zone="America/Vancouver",
    )


def _contacts(ids: Iterator[int]) -> Iterator[Row]:
    companies = [
        _row(next(ids), 700 - 30 * number, type="Company", name=name, is_client=True, title="", initials=name[0])
        for number, name in enumerate(_FIRM.companies)
    ]
    yield from companies
    for number in range(8):
        first, last = _FIRM.first_names[20 + number], _FIRM.last_names[30 - number].partition("-")[0]
        yield _row(
            next(ids),
            600 - 40 * number,
            type="Person",
            name=f"{first} {last}",
            first_name=first,
            last_name=last,
            initials=first[0] + last[0],
            title="Director" if number < 2 else "",
            company=companies[number].data if number < 2 else None,
            is_client=number < 6,
            primary_email_address=f"{first.lower()}@example.com",
            primary_phone_number=f"+1 555 02{number:02}",
        )


def _matters(ids: Iterator[int], contacts: list[Row], people: list[Row]) -> Iterator[Row]:
    for number, matter in enumerate(_FIRM.matters):
        client, matter_id = contacts[number], next(ids)
        client_name = (client.data.get("last_name") or client.data["name"]).split()[0]
        opened = 500 - 45 * number
        yield _row(
            matter_id,
            opened,
            billable=True,
            billing_method="hourly" if number % 3 else "flat",
            client=client.data,
            client_id=client.id,
            close_date=_date(30) if matter.status == "Closed" else None,
            custom_number=f"{number + 1:05}",
            description=matter.description,
            display_number=f"{number + 1:05}-{client_name}",
            has_tasks=False,
            location="",
            number=number + 1,
            open_date=_date(opened),
            originating_attorney=people[0].data,
            pending_date=_date(40) if matter.status == "Pending" else None,
            practice_area=_row(
                matter_id + 1,
                900,
                category=matter.category,
                code=matter.category[:3].upper(),
                name=matter.practice_area,
            ).data,
            relationships=[],
            responsible_attorney=people[number % min(3, len(people))].data,
            shared=False,
            status=matter.status,
            user=people[0].data,
        )


def _folders(ids: Iterator[int], matters: list[Row], people: list[Row]) -> Iterator[Row]:
    creator = people[0].data
    root = _row(next(ids), 800, name="All documents", root=True, type="Folder", locked=False, creator=creator)
    yield root
    for matter in matters:
        parent = _row(
            next(ids),
            400,
            name=matter.data["display_number"],
            root=False,
            type="Folder",
            locked=False,
            creator=creator,
            matter=matter.data,
            parent=root.data,
        )
        yield parent
        for name in _FIRM.folders if matter.id % 2 else _FIRM.folders[:1]:
            yield _row(
                next(ids),
                300,
                name=name,
                root=False,
                type="Folder",
                locked=False,
                creator=creator,
                matter=matter.data,
                parent=parent.data,
            )


def _documents(ids: Iterator[int], folders: list[Row], people: list[Row]) -> Iterator[Row]:
    inside = [folder for folder in folders if folder.data.get("matter") and not folder.data["parent"].get("root")]
    for number, folder in enumerate(inside):
        file = _FIRM.files[number % len(_FIRM.files)]
        creator = people[number % len(people)].data
        received = START - (200 - number) * _DAY
        yield Row(
            next(ids),
            {
                "name": file.name.rpartition(".")[0],
                "filename": file.name,
                "content_type": file.content_type,
                "size": 20_480 + 1_024 * number,
                "type": "Document",
                "locked": number == 3,
                "received_at": dt.datetime.fromtimestamp(received, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "creator": creator,
                "matter": folder.data["matter"],
                "contact": folder.data["matter"]["client"],
                "parent": folder.data,
                "external_properties": [],
            },
            received,
            received,
        )


def _activities(ids: Iterator[int], matters: list[Row], people: list[Row]) -> Iterator[Row]:
    for number in range(24):
        expense = number % 5 == 3
        price, hours = (45.0, 1.0) if expense else (350.0, 0.5 + number % 4 * 0.25)
        yield _row(
            next(ids),
            90 - 3 * number,
            type="ExpenseEntry" if expense else "TimeEntry",
            date=_date(90 - 3 * number),
            note=_FIRM.notes[number % len(_FIRM.notes)],
            billed=number % 6 == 0,
            on_bill=number % 6 == 0,
            flat_rate=False,
            no_charge=False,
            non_billable=number % 7 == 6,
            non_billable_total=0.0,
            contingency_fee=False,
            price=price,
            quantity=hours * 3600 if not expense else hours,
            quantity_in_hours=hours,
            quantity_redacted=False,
            rounded_quantity=hours * 3600 if not expense else hours,
            rounded_quantity_in_hours=hours,
            total=price * hours,
            matter=matters[number % len(matters)].data,
            user=people[number % len(people)].data,
            tax_settings=[],
        )
