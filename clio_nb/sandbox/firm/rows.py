"""A row: one object of the firm (a user, a record, a custom action) with its fields, times and ETag."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from email.utils import formatdate
from typing import Any, TypeAlias

from ..clock import iso

Data: TypeAlias = dict[str, Any]
"""The fields of one row by Clio's names. A nested object is the ``data`` of another row, or a small dict."""


class Row:
    """One object. ``data`` holds its fields, ``created`` and ``updated`` are seconds, ``owner`` is a user's id.

    ``last_modified`` is the value of the header of that name.
    """

    __slots__ = ("created", "data", "id", "last_modified", "owner", "revision", "updated")

    def __init__(
        self, id: int, fields: Mapping[str, Any], created: float, updated: float, *, owner: int = 0, revision: int = 1
    ) -> None:
        self.id = id
        self.owner = owner
        self.created = created
        self.updated = updated
        self.revision = revision
        self.data: Data = {"id": id, "etag": "", **fields, "created_at": iso(created), "updated_at": iso(updated)}
        self._stamp()

    @property
    def etag(self) -> str:
        """The ETag as field and header carry it, its own quotes included."""
        return str(self.data["etag"])

    def change(self, fields: Mapping[str, Any], now: float) -> None:
        """Set fields; the times and the ETag move only if something is different."""
        if all(self.data.get(name) == value for name, value in fields.items()):
            return
        self.restore(fields, now, self.revision + 1)

    def restore(self, fields: Mapping[str, Any], updated: float, revision: int) -> None:
        """Set fields as they were kept."""
        self.data.update(fields, updated_at=iso(updated))
        self.updated = updated
        self.revision = revision
        self._stamp()

    def lies_in(self, folder_id: int, *, deep: bool = True) -> bool:
        """Whether a document or folder lies in a folder, at any depth or right in it."""
        above = self.data.get("parent")
        while above and above["id"] != folder_id:
            above = above.get("parent") if deep else None
        return bool(above)

    def _stamp(self) -> None:
        self.last_modified = formatdate(self.updated, usegmt=True).encode()
        mark = f"{self.id}/{self.revision}/{self.created}/{self.updated}"
        self.data["etag"] = f'"{hashlib.md5(mark.encode(), usedforsecurity=False).hexdigest()}"'
