"""What may stand in a committed notebook: the outputs of one run, and nothing of the machine that ran it."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

from clio_nb.sandbox import Sandbox

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
MACHINE = re.compile(r"/(?:home|root|tmp|usr|work|Users|opt|var)/|site-packages|[A-Z]:\\\\|\bpid \d")
SECRETS = re.compile(
    r"custom_action_nonce=(?!…)[\w~.-]{8}|\bBearer [\w-]{8}|[?&](?:code|state|code_challenge)=[\w-]{8}"
    r'|"(?:access|refresh)_token": \\?"[\w-]{8}'
)


@pytest.fixture(params=NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def path(request):
    return request.param


@pytest.fixture
def cells(path):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def test_there_are_walkthroughs():
    assert NOTEBOOKS


def test_cells_were_run_once_from_top_to_bottom(cells):
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))


def test_the_first_output_says_which_clio_it_is(cells):
    first = next(output for cell in cells for output in cell.outputs)
    assert first.text.startswith("On the embedded Clio: nothing real is touched.\n")


def test_no_widget_is_stored(path):
    notebook = nbformat.read(path, as_version=4)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert "application/vnd.jupyter.widget" not in path.read_text()


def test_no_cell_carries_traces_of_its_run(cells):
    assert [cell.metadata for cell in cells if set(cell.metadata) - {"tags"}] == []


def test_nothing_was_written_to_stderr(cells):
    streams = [output for cell in cells for output in cell.outputs if output.output_type == "stream"]
    assert [output.text for output in streams if output.name == "stderr"] == []


def test_no_secret_is_stored(path):
    text = path.read_text()
    assert SECRETS.findall(text) == []
    with Sandbox() as site:
        assert site.client_secret not in text


def test_no_path_of_a_machine_is_stored(path):
    assert MACHINE.findall(path.read_text()) == []


def test_the_patterns_find_what_they_look_for():
    assert SECRETS.search("https://a.example/?custom_action_nonce=abcdefghij")
    assert MACHINE.search("/home/somebody/notebook.py")
