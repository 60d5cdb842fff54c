"""What hangs on the records of a demo firm: addresses, mails, phones, custom fields, and versions of documents."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any, Final

from ._data import DATA, row
from .rows import Data, Row

_DAYS: Final = 400  # how old these things are


class Details:
    """Make the small objects of one firm. Of several the first is the primary one."""

    def __init__(self, ids: Iterator[int]) -> None:
        self._ids = ids
        self._custom_fields: dict[str, Data] = {}

    def addresses(self, number: int) -> Data:
        """Return where a contact lives or works."""
        where = DATA.streets[number % len(DATA.streets)]
        made = self._make(
            name="Work",
            street=where.street,
            city=where.city,
            province=where.province,
            postal_code=where.postal_code,
            country="CA",
            primary=True,
        )
        return {"addresses": [made], "primary_address": made, "primary_work_address": made}

    def email_addresses(self, *addresses: str) -> Data:
        """Return a contact's mail addresses, in full and as the plain fields say them."""
        names = ("Work", "Home")
        made = [
            self._make(name=names[place], address=address, primary=place == 0)
            for place, address in enumerate(addresses)
        ]
        return {"email_addresses": made, **_plain("email_address", addresses)}

    def phone_numbers(self, *numbers: str) -> Data:
        """Return a contact's phones, in full and as the plain fields say them."""
        names = ("Work", "Personal")
        made = [self._make(name=names[place], number=text, primary=place == 0) for place, text in enumerate(numbers)]
        return {"phone_numbers": made, **_plain("phone_number", numbers)}

    def web_sites(self, address: str) -> Data:
        """Return a contact's web site."""
        made = self._make(name="Work", address=address, default_web_site=True)
        return {"web_sites": [made], "primary_web_site": made}

    def custom(self, name: str, parent_type: str, value: str) -> Data:
        """Return the value of a custom field, which is the same field wherever it has this name."""
        field = self._custom_fields.get(name)
        if field is None:
            shape = {"field_type": "text_line", "displayed": True, "required": False, "deleted": False}
            order = len(self._custom_fields)
            field = self._make(name=name, parent_type=parent_type, display_order=order, **shape)
            self._custom_fields[name] = field
        made = self._make(
            custom_field=field,
            field_name=name,
            field_type="text_line",
            field_display_order=field["display_order"],
            field_displayed=True,
            field_required=False,
            soft_deleted=False,
            value=value,
        )
        return {**made, "id": f"text_line-{made['id']}"}

    def version(self, document_id: int, received: float, stored: Data) -> Data:
        """Return the one version of a document."""
        version_id = next(self._ids)
        fields = {
            **stored,
            "document_id": document_id,
            "fully_uploaded": True,
            "uuid": str(uuid.uuid5(uuid.NAMESPACE_OID, str(version_id))),
            "version_number": 1,
        }
        return Row(version_id, fields, received, received).data

    def _make(self, **fields: Any) -> Data:
        return row(next(self._ids), _DAYS, **fields).data


def _plain(name: str, values: tuple[str, ...]) -> Data:
    return {f"{which}_{name}": value for which, value in zip(("primary", "secondary"), values, strict=False)}
