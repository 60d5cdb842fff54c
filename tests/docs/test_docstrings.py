"""The docstrings of the face: help() shows each name's arguments, and the one example of each is run."""

import doctest
import inspect
import re
from pathlib import Path

import pytest

import clio_nb
from clio_nb import launches
from clio_nb.login import Login

PLAIN = {"MENUS", "__version__", "errors"}  # no docstring of their own; the tree of errors is drawn in its module
MANIFEST = """
[app]
name = "partner"

[[actions]]
key = "sign"
label = "Send for signature"
target_url = "https://partner.example/launch"
locations = ["matters"]
"""


def members(owner):
    """Return the methods that a person calls on an object of a class, from wherever the package defines them."""
    for name in dir(owner):
        found = inspect.getattr_static(owner, name)
        function = inspect.unwrap(getattr(owner, name)) if not isinstance(found, property) else None
        if name[0] != "_" and inspect.isfunction(function) and function.__module__.startswith("clio_nb"):
            yield name, getattr(owner, name)


def everything():
    face = {name: getattr(clio_nb, name) for name in sorted({*clio_nb.__all__} - PLAIN)}
    rooms = [Login, launches.Inbox, launches.load_launch, launches.replay, launches.save_launch]
    for name, value in (face | {f"{one.__module__}.{one.__name__}": one for one in rooms}).items():
        yield name, value
        if inspect.isclass(value):
            yield from ((f"{name}.{each}", member) for each, member in members(value))


NAMES = [pytest.param(value, id=name) for name, value in everything()]


@pytest.fixture
def names(clio_sandbox, tmp_path, monkeypatch):
    """What every example finds: a sandbox, a session, a firm where everyone has signed in, all firms, a manifest."""
    monkeypatch.chdir(tmp_path)
    Path("actions.toml").write_text(MANIFEST)
    firm = clio_nb.Firm(clio_sandbox)
    firm.sign_in_everyone()
    return {
        "clio": clio_nb,
        "site": clio_sandbox,
        "session": clio_nb.login(clio_sandbox),
        "firm": firm,
        "firms": clio_nb.Firms(clio_sandbox, firm.vault),
    }


@pytest.mark.parametrize("value", NAMES)
def test_the_example_of_every_public_name_runs_and_says_what_it_prints(value, names):
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    examples = doctest.DocTestParser().get_doctest(inspect.getdoc(value), names, repr(value), None, None)
    assert examples.examples, "a public name has an example"
    said = []
    results = doctest.DocTestRunner(optionflags=flags, verbose=False).run(examples, out=said.append)
    assert results.failed == 0, "".join(said)


@pytest.mark.parametrize("value", NAMES)
def test_the_documentation_of_every_public_name_lists_its_arguments(value):
    if inspect.ismodule(value) or issubclass(value if inspect.isclass(value) else object, str | Exception):
        return
    text = inspect.getdoc(value)
    section = re.search(r"^Args:\n((?:    .*\n?|\n)*)", text, re.MULTILINE)
    listed = re.findall(r"^    (\w+): ", section[1], re.MULTILINE) if section else []
    taken = [name for name in inspect.signature(value).parameters if name not in ("self", "session", "cls")]
    if section or inspect.isfunction(value):
        assert [name for name in taken if name not in listed and len(taken) > 1] == []
        assert set(listed) <= {*inspect.signature(value).parameters}
