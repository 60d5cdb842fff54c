"""Walkthrough 07 at a Clio that is not the sandbox: nothing is written or deleted until a cell's CONFIRM is changed."""

from pathlib import Path

import nbformat
import pytest

import clio_nb

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "07-going-live.ipynb"
NO = "CONFIRM = False"


@pytest.fixture
def real(clio_sandbox, monkeypatch):
    """A site as the real Clio's is: with no control endpoints, and users who sign in by themselves."""
    site = clio_nb.App(
        clio_sandbox.region,
        clio_sandbox.client_id,
        clio_nb.Secret(clio_sandbox.client_secret),
        clio_sandbox.redirect_uri,
        origin=clio_sandbox.origin,
    )
    user = clio_sandbox.users[0].id
    monkeypatch.setenv("CLIO_NB_SITE", "us")
    monkeypatch.setattr(clio_nb, "connect", lambda: site)
    monkeypatch.setattr(clio_nb, "login", lambda site: clio_nb.Session(site, clio_sandbox.token(user)["access_token"]))
    return site


def cells():
    """The code cells up to the deletion; the rest is about async servers."""
    code = [cell.source for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.cell_type == "code"]
    last = max(number for number, source in enumerate(code) if NO in source)
    return code[: last + 1]


def run(code, names):
    for source in code:
        exec(source, names)  # noqa: S102 -- the notebook is ours


def writes(clio_sandbox):
    return [seen["method"] for seen in clio_sandbox.requests if seen["method"] != "GET"]


def test_nothing_is_written_or_deleted_until_it_is_confirmed_and_the_cells_say_why(real, clio_sandbox, capsys):
    names = {}
    run(cells(), names)
    assert writes(clio_sandbox) == []
    said = capsys.readouterr().out
    assert "Nothing was written: this would put 'clio_nb was here' into the menus of" in said
    assert "Nothing was deleted: this notebook has created no action." in said
    assert said.count("change CONFIRM to True in this cell and run it again") == 1

    creating, deleting = [number for number, source in enumerate(cells()) if NO in source]
    run([cells()[creating].replace(NO, "CONFIRM = True")], names)
    assert writes(clio_sandbox) == ["POST"]
    run([cells()[creating].replace(NO, "CONFIRM = True")] * 2, names)  # a second run makes no second button
    run([cells()[deleting]], names)
    assert writes(clio_sandbox) == ["POST"]
    assert "Nothing was deleted: this would take 'clio_nb was here'" in capsys.readouterr().out
    run([cells()[deleting].replace(NO, "CONFIRM = True")] * 2, names)
    assert writes(clio_sandbox) == ["POST", "DELETE"]


def test_on_the_sandbox_it_is_played_without_asking(clio_sandbox, monkeypatch):
    monkeypatch.setenv("CLIO_NB_SITE", clio_sandbox.origin)
    run(cells(), {})
    assert writes(clio_sandbox) == ["POST", "DELETE"]


@pytest.mark.parametrize(
    "page", ["notebooks/01-sign-in.ipynb", "notebooks/07-going-live.ipynb", "docs/how-to/sign-in.md"]
)
def test_the_way_to_the_real_clio_names_every_step(page):
    text = (NOTEBOOK.parents[1] / page).read_text()
    assert [words for words in NAMED if words not in text] == []


NAMED = [
    *(f"https://{region}developers.clio.com" for region in ("", "eu.", "ca.", "au.")),
    "EasyStart",
    "http://127.0.0.1:8765/callback",
    "not `localhost`",
    "consent page",
    "does not come back",
    "read and write",
]
