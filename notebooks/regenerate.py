"""Run the walkthroughs and store their outputs: ``python notebooks/regenerate.py [NOTEBOOK ...]``.

Nothing of the machine stays in them: no times, versions or ports, no frames of a server that is gone, and no
widgets, of which only their HTML is kept, since a stored widget shows nothing.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent
PORT = re.compile(r"127\.0\.0\.1:(?!8765\b)\d+")
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
        if cell.cell_type == "code":
            cell.outputs = [_kept(output) for output in cell.outputs if "<iframe" not in str(output)]
    notebook.metadata["language_info"] = {"name": "python"}
    nbformat.write(notebook, path)


def _kept(output: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Take a widget and the sandbox's port out of an output."""
    output.get("data", {}).pop(WIDGET, None)
    text = PORT.sub("127.0.0.1:PORT", json.dumps(output))
    return nbformat.from_dict(json.loads(text))


if __name__ == "__main__":
    for each in map(Path, sys.argv[1:] or sorted(map(str, HERE.glob("[0-9]*.ipynb")))):
        sys.stdout.write(f"{each.name}\n")
        regenerate(each)
