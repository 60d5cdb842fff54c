"""Run the walkthroughs and store their outputs: ``python notebooks/regenerate.py [NOTEBOOK ...]``.

Nothing of the machine stays in them: no times, no versions, and no widgets, of which only their HTML is kept, since a
stored widget shows nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent
WIDGET = "application/vnd.jupyter.widget-view+json"


def regenerate(path: Path) -> None:
    """Run one notebook from top to bottom and write it back with its outputs."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook,
        timeout=60,
        kernel_name="python3",
        store_widget_state=False,
        record_timing=False,
        resources={"metadata": {"path": str(HERE)}},
    ).execute()
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            output.get("data", {}).pop(WIDGET, None)
    notebook.metadata["language_info"] = {"name": "python"}
    nbformat.write(notebook, path)


if __name__ == "__main__":
    for each in map(Path, sys.argv[1:] or sorted(map(str, HERE.glob("[0-9]*.ipynb")))):
        sys.stdout.write(f"{each.name}\n")
        regenerate(each)
