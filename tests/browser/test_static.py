"""A notebook that nbconvert has run and made a page of: without its kernel, and without a network."""

from __future__ import annotations

import subprocess
import sys

import nbformat
import pytest
from playwright.sync_api import expect

from clio_nb import forms

ARGUMENTS = {
    "login": "site",
    "inbox": "clio.inbox(site), site",
    "firm": "clio.Firm(site)",
    "firms": "clio.Firms(site, clio.Vault())",
    "workbench": "site",
}
STATIC = ("screens", "menus")
FORMS = [name for name in forms.__all__ if name.islower() and name not in STATIC]


@pytest.fixture(scope="module")
def page_of(tmp_path_factory):
    """A page with every form, as ``jupyter nbconvert --execute --to html`` makes it."""
    folder = tmp_path_factory.mktemp("static")
    cells = ["import clio_nb as clio\nsite = clio.sandbox()\nsession = clio.login(site)"]
    cells += [f"clio.forms.{name}({ARGUMENTS.get(name, 'session')})" for name in FORMS]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, folder / "forms.ipynb")
    command = [sys.executable, "-m", "jupyter", "nbconvert", "--execute", "--to", "html", "forms.ipynb"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120)
    return folder / "forms.html"


def test_each_form_shows_the_code_that_does_the_same_where_there_is_no_network(page_of, browser):
    window = browser.new_context(offline=True)
    page = window.new_page()
    page.goto(page_of.as_uri())
    shown = page.locator(".clio-static")
    expect(shown).to_have_count(len(FORMS))
    for static in shown.all():
        expect(static).to_be_visible()
        expect(static.locator("pre")).to_contain_text("(")
        expect(static).to_contain_text("The same in code")
    window.close()


def test_the_code_makes_way_where_the_widgets_are_drawn(page_of, browser):
    window = browser.new_context(offline=True)
    page = window.new_page()
    page.goto(page_of.as_uri())
    first = page.locator(".clio-static").first
    expect(first).to_be_visible()
    first.evaluate(  # as the widgets' own script does, which comes from the network
        """static => {
            const drawn = document.createElement("div");
            drawn.className = "clio-live";
            static.closest(".jp-OutputArea").append(drawn);
        }"""
    )
    expect(first).to_be_hidden()
    expect(page.locator(".clio-static").nth(1)).to_be_visible()
    window.close()
