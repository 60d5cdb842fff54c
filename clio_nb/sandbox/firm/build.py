"""The demo firms: invented law firms, the same for the same seed, as rows by collection."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

import msgspec

from ...vocabulary import Region
from . import records
from ._data import DATA, FirmName, row
from .rows import Data, Row

Collections = dict[str, dict[int, Row]]  # rows by id (ascending), by collection: users and the five of Location

_KINDS: Final = ("account", "users", "contacts", "matters", "folders", "documents", "activities", "details")
_REGIONS: Final = tuple(Region)
_BLOCK: Final = 1_000_000_000
"""Each firm draws its ids from a block of its own, so no id is ever that of another firm's record."""


class User(msgspec.Struct, frozen=True):
    """A user of a demo firm, as Python and the control endpoints name one."""

    id: int
    name: str
    email: str


class Firm(msgspec.Struct, frozen=True):
    """A firm at its beginning: its account, its records, and where the ids of new users begin."""

    account: Data
    domain: str
    collections: Collections
    next_user_id: int


def number_of(region: Region, place: int) -> int:
    """Return the number that makes a firm different from every other: of its region, and of its place there."""
    return place * len(_REGIONS) + _REGIONS.index(region)


def build(seed: int, region: Region, users: int, place: int = 0) -> Firm:
    """Make a firm: so many users and a fixed set of records, with ids drawn from the seed."""
    number = number_of(region, place)
    rng = random.Random(f"{seed}:{region}:{place}" if place else f"{seed}:{region}")  # noqa: S311 - no secrets
    ids = {kind: _ids(rng, number * _BLOCK) for kind in _KINDS}
    name = _name(number)
    account = _account(next(ids["account"]), name.name)
    people = [_user(each, next(ids["users"]), name.domain, account, shift=3 * number) for each in range(users)]
    collections = {"users": people, **records.build(ids, people, number)}
    by_id = {kind: {each.id: each for each in rows} for kind, rows in collections.items()}
    return Firm(account, name.domain, by_id, next(ids["users"]))


def _name(number: int) -> FirmName:
    lap, place = divmod(number, len(DATA.firms))
    name = DATA.firms[place]
    return FirmName(f"{name.name} {lap + 1}", f"{lap + 1}.{name.domain}") if lap else name


def _ids(rng: random.Random, first: int) -> Iterator[int]:
    return iter(range(first + rng.randrange(1_000_000, 9_000_000) * 100 + 1, 2**62, 7))


def _account(id: int, name: str) -> Data:
    return row(
        id,
        900,
        name=name,
        state="active",
        address="14 Tanner's Row",
        city="Oakhaven",
        province="BC",
        country="CA",
        postal_code="V0V 0V0",
        phone="+1 555 0100",
        fax="",
    ).data


def _user(number: int, id: int, domain: str, account: Data, shift: int) -> Row:
    lap, place = divmod(number, len(DATA.first_names))
    last = DATA.last_names[(place + lap + shift) % len(DATA.last_names)] + (
        "" if lap < len(DATA.last_names) else f" {lap // len(DATA.last_names) + 1}"
    )
    kind = number % 5
    return row(
        id,
        800 - number % 700,
        **user_fields(id, account, f"{DATA.first_names[place]} {last}", f"user{number + 1}@{domain}"),
        account_owner=number == 0,
        phone_number=f"+1 555 01{number % 100:02}",
        rate=[400.0, 350.0, 310.0, 120.0, 95.0][kind],
        roles=[["admin", "accounts", "billing", "reports"], [], ["reports"], ["billing"], ["accounts"]][kind],
        subscription_type="Attorney" if kind < 3 else "NonAttorney",
    )


def user_fields(id: int, account: Data, name: str, email: str) -> Data:
    """Return what every user has, whoever it is."""
    return {
        "account": account,
        "clio_connect": False,
        "court_rules_default_attendee": False,
        "default_calendar_id": id + 1,
        "email": email,
        "enabled": True,
        "groups": [],
        "locale": "en",
        "notification_methods": [],
        "time_zone": "America/Vancouver",
        **name_fields(name),
    }


def name_fields(name: str) -> Data:
    """Return the fields that hold a person's name: the first word, and the rest."""
    first, _, last = name.partition(" ")
    return {"name": name, "first_name": first, "last_name": last, "initials": first[:1] + last[:1]}
