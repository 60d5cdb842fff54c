"""The records of a demo firm: contacts, matters, folders, documents and activities, as full as a real firm's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from ..clock import START, iso
from ._data import DATA, DAY, date, row
from ._details import Details
from .rows import Row

_T = TypeVar("_T")

_COMPANIES: Final = 4


def build(ids: Mapping[str, Iterator[int]], people: list[Row], firm: int) -> dict[str, list[Row]]:
    """Make the records of a firm. ``firm`` is its number: another one has other clients and matters."""
    details = Details(ids["details"])
    contacts = list(_contacts(ids["contacts"], details, firm))
    matters = list(_matters(ids["matters"], details, contacts, people, firm))
    folders = list(_folders(ids["folders"], matters, people))
    return {
        "contacts": contacts,
        "matters": matters,
        "folders": folders,
        "documents": list(_documents(ids["documents"], details, folders, people)),
        "activities": list(_activities(ids["activities"], matters, people)),
    }


def turned(values: Sequence[_T], firm: int) -> Sequence[_T]:
    """Return the values, beginning with another one for another firm."""
    begin = firm % len(values)
    return [*values[begin:], *values[:begin]]


def _contacts(ids: Iterator[int], details: Details, firm: int) -> Iterator[Row]:
    companies = [
        row(
            next(ids),
            700 - 30 * number,
            type="Company",
            name=name,
            is_client=True,
            title="",
            initials=name[0],
            custom_field_values=[details.custom("Industry", "Contact", name.split()[1])],
            **details.addresses(number + firm),
            **details.web_sites(f"https://{name.split()[0].lower()}.example/"),
        )
        for number, name in enumerate(turned(DATA.companies, firm)[:_COMPANIES])
    ]
    yield from companies
    for number in range(8):
        first = DATA.first_names[(20 + number + firm) % len(DATA.first_names)]
        last = DATA.last_names[(30 - number + firm) % len(DATA.last_names)].partition("-")[0]
        mails = (f"{first.lower()}@example.com", f"{first.lower()}@home.example")
        yield row(
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
            date_of_birth=date(9_000 + 700 * number),
            custom_field_values=[details.custom("Preferred contact", "Contact", "Phone" if number % 2 else "Mail")],
            **details.addresses(number + firm + 3),
            **details.email_addresses(*mails[: 1 + number % 2]),
            **details.phone_numbers(f"+1 555 02{number:02}", *[f"+1 555 03{number:02}"][: number % 2]),
        )


def _matters(ids: Iterator[int], details: Details, contacts: list[Row], people: list[Row], firm: int) -> Iterator[Row]:
    for number, matter in enumerate(turned(DATA.matters, firm)):
        client, matter_id = contacts[number], next(ids)
        client_name = (client.data.get("last_name") or client.data["name"]).split()[0]
        opened = 500 - 45 * number
        yield row(
            matter_id,
            opened,
            billable=True,
            billing_method="hourly" if number % 3 else "flat",
            client=client.data,
            client_id=client.id,
            close_date=date(30) if matter.status == "Closed" else None,
            custom_field_values=[details.custom("Court file", "Matter", f"S-{number + 1:04}-{opened}")],
            custom_number=f"{number + 1:05}",
            description=matter.description,
            display_number=f"{number + 1:05}-{client_name}",
            has_tasks=False,
            location="",
            number=number + 1,
            open_date=date(opened),
            originating_attorney=people[0].data,
            pending_date=date(40) if matter.status == "Pending" else None,
            practice_area=row(
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
    def folder(days_ago: int, name: str, **where: Any) -> Row:
        fields = {"type": "Folder", "locked": False, "creator": people[0].data}
        return row(next(ids), days_ago, name=name, root=not where, **fields, **where)

    yield (root := folder(800, "All documents"))
    for matter in matters:
        parent = folder(400, matter.data["display_number"], matter=matter.data, parent=root.data)
        yield parent
        for name in DATA.folders if matter.id % 2 else DATA.folders[:1]:
            yield folder(300, name, matter=matter.data, parent=parent.data)


def _documents(ids: Iterator[int], details: Details, folders: list[Row], people: list[Row]) -> Iterator[Row]:
    inside = [folder for folder in folders if folder.data.get("matter") and not folder.data["parent"].get("root")]
    for number, folder in enumerate(inside):
        file = DATA.files[number % len(DATA.files)]
        creator = people[number % len(people)].data
        received = START - (200 - number) * DAY
        stored = {
            "content_type": file.content_type,
            "creator": creator,
            "filename": file.name,
            "received_at": iso(received),
            "size": 20_480 + 1_024 * number,
        }
        document_id = next(ids)
        yield Row(
            document_id,
            {
                **stored,
                "name": file.name.rpartition(".")[0],
                "type": "Document",
                "locked": number == 3,
                "matter": folder.data["matter"],
                "contact": folder.data["matter"]["client"],
                "parent": folder.data,
                "latest_document_version": details.version(document_id, received, stored),
            },
            received,
            received,
        )


def _activities(ids: Iterator[int], matters: list[Row], people: list[Row]) -> Iterator[Row]:
    for number in range(24):
        expense = number % 5 == 3
        price, hours = (45.0, 1.0) if expense else (350.0, 0.5 + number % 4 * 0.25)
        yield row(
            next(ids),
            90 - 3 * number,
            type="ExpenseEntry" if expense else "TimeEntry",
            date=date(90 - 3 * number),
            note=DATA.notes[number % len(DATA.notes)],
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
