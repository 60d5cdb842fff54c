"""Make a page of each walkthrough in ``notebooks/``, with the outputs that are stored in it. Nothing is run here."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from nbconvert import MarkdownExporter

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
SECTION = "Walkthroughs"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the walkthroughs that are there into the navigation, in the order of their numbers."""
    for entry in config.nav or ():
        if SECTION in entry:
            entry[SECTION] += [f"walkthroughs/{notebook.stem}.md" for notebook in _notebooks()]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each notebook."""
    for notebook in _notebooks():
        files.append(File.generated(config, f"walkthroughs/{notebook.stem}.md", content=_page(notebook)))
    return files


def _notebooks() -> list[Path]:
    return sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))


def _page(notebook: Path) -> str:
    """Return a notebook as Markdown; links to other notebooks and to the docs lead to their pages."""
    text, _ = MarkdownExporter().from_notebook_node(nbformat.read(notebook, as_version=4))
    heading, _, rest = text.lstrip().partition("\n")
    note = f"*Run it yourself: `clio-nb lab` opens `{notebook.name}` in JupyterLab.*"
    page = re.sub(r"\]\(([\w-]+)\.ipynb\)", r"](\1.md)", f"{heading}\n\n{note}\n{rest}")
    return page.replace("](../docs/", "](../")
