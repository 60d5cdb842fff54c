"""Save the tables that a form shows as files beside the notebook."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import ipywidgets as w

from ..errors import InvalidInput
from ._form import Status, html, push, say

if TYPE_CHECKING:
    import pandas as pd


class Save:
    """Buttons that save the tables that a form shows, each to a file, and say where. ``view`` holds them."""

    def __init__(self) -> None:
        self._tables: Final[dict[str, Callable[[], pd.DataFrame]]] = {}
        self._said: Final = html()
        csv = push("Save as CSV", lambda _: self._click(".csv"))
        excel = push("Save as Excel", lambda _: self._click(".xlsx"))
        self.view: Final = w.VBox([w.HBox([csv, excel]), self._said], layout={"display": "none"})

    def offer(self, name: str, table: Callable[[], pd.DataFrame] | None) -> None:
        """Offer a table that is shown now, by the name of its file without the ending; or None when it is gone."""
        if table is None:
            self._tables.pop(name, None)
        else:
            self._tables[name] = table
        say(self._said, "")
        self.view.layout.display = "flex" if self._tables else "none"

    def save(self, ending: str) -> list[Path]:
        """Write each table to a new file in the notebook's folder: all of them, or none.

        Raises :class:`InvalidInput` when one cannot be written.
        """
        from ..tables import save_table  # noqa: PLC0415 -- pandas loads when the first table is saved

        written: list[Path] = []
        try:
            for name, table in list(self._tables.items()):
                written.append(_new_file(name, ending))
                save_table(table(), written[-1])
        except (InvalidInput, OSError) as error:
            for path in written:
                path.unlink(missing_ok=True)
            if isinstance(error, InvalidInput):
                raise
            raise InvalidInput(f"{Path.cwd()}: cannot save there ({error.strerror}).", field="path") from None
        return written

    def _click(self, ending: str) -> None:
        try:
            paths = self.save(ending)
        except InvalidInput as error:
            status = Status("failed", str(error))
        else:
            status = Status("done", f"Saved {', '.join(path.name for path in paths)} in {paths[0].parent}.")
        say(self._said, status.drawn())


def texts(rows: Iterable[tuple[object, ...]], columns: list[str] | None = None) -> pd.DataFrame:
    """Return rows as a table of texts, to be offered."""
    import pandas as pd  # noqa: PLC0415 -- loads when the first table is saved

    return pd.DataFrame(list(rows), columns=columns, dtype="string")


def _new_file(name: str, ending: str) -> Path:
    """Create an empty file beside the notebook, which is where its kernel runs; never one that is there already."""
    number, path = 1, Path.cwd() / f"{name}{ending}"
    while True:
        try:
            path.touch(exist_ok=False)
        except FileExistsError:
            number += 1
            path = path.with_name(f"{name}-{number}{ending}")
        else:
            return path
