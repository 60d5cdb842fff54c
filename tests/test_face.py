"""The public face: one flat list of names, nothing heavy until it is used, floors that hold."""

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest

import clio_nb
from clio_nb.errors import InvalidInput

ROOT = Path(__file__).parent.parent
HEAVY = ("pandas", "ipywidgets", "starlette", "httpx", "uvicorn", "aiohttp", "sqlalchemy", "rich")


def loaded_by(code):
    probe = f"{code}\nimport sys\nprint(*[name for name in {HEAVY!r} if name in sys.modules])"
    return subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, timeout=60
    ).stdout.split()


def test_importing_loads_nothing_heavy():
    assert loaded_by("import clio_nb") == []


def test_inspecting_a_launch_loads_nothing_heavy():
    assert loaded_by("import clio_nb; clio_nb.inspect_launch('https://a.example/?x=1')") == []


def test_launches_work_without_tables_widgets_and_a_web_framework():
    assert not {"pandas", "ipywidgets", "starlette"} & set(loaded_by("from clio_nb.launches import verify_launch"))


@pytest.mark.parametrize("name", clio_nb.__all__)
def test_every_public_name_is_there_and_documented(name):
    value = getattr(clio_nb, name)
    assert name in dir(clio_nb)
    assert value.__doc__ or name in ("MENUS", "__version__")


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="attribute logon"):
        clio_nb.logon  # noqa: B018 -- the access is the test


def python(code):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60, check=True
    )


def test_the_face_is_what_dir_says_before_and_after_use():
    """Rooms that are imported meanwhile do not show."""
    code = "import clio_nb\nbefore = dir(clio_nb)\n{}\n"
    code += "assert dir(clio_nb) == before == sorted(clio_nb.__all__)\nprint(*before)"
    use = "import clio_nb.probe, clio_nb.login\nfor name in before: getattr(clio_nb, name)"
    names = python(code.format("")).stdout.split()
    assert python(code.format(use)).stdout.split() == names
    assert {"aio", "errors", "forms", "sandbox", "__version__"} <= set(names)
    assert not {"launch", "signin", "client", "lazy_loader", "annotations"} & set(names)


def test_each_name_stands_once():
    stub = Path(clio_nb.__file__).with_suffix(".pyi").read_text()
    names = re.findall(r"^from \S+ import (\w+) as \1$", stub, re.MULTILINE)
    assert sorted(names) == sorted(clio_nb.__all__)
    assert len(names) == len(set(names)) == len(stub.splitlines())


def test_the_version_stands_in_one_place():
    assert clio_nb.__version__ == importlib.metadata.version("clio-nb")
    assert clio_nb.errors.InvalidInput is InvalidInput


@pytest.mark.parametrize(
    "use",
    [
        "import clio_nb.sandbox",
        "import clio_nb.sandbox.clock",
        "from clio_nb.sandbox import Fault, Assumptions, Host, PortInUse, Sandbox",
        "import clio_nb.testing.fixtures; from clio_nb import sandbox",
        "import importlib; importlib.import_module('clio_nb.sandbox').Fault",
        "from clio_nb import sandbox; import clio_nb.sandbox.server",
    ],
)
@pytest.mark.parametrize("touched", [pytest.param("", marks=pytest.mark.long), "clio_nb.sandbox"])
def test_the_sandbox_is_called_and_imported_from_by_one_name(use, touched):
    called = "with clio_nb.sandbox(users=2) as site: assert len(site.users) == 2"
    python(f"import clio_nb\n{touched}\n{use}\n{touched}\n{called}")


@pytest.mark.skipif(not (ROOT / "pyproject.toml").exists(), reason="the floors are checked in a checkout only")
def test_no_import_runs_up_a_floor():
    command = Path(sys.executable).with_name("lint-imports")
    checked = subprocess.run([command], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert checked.returncode == 0, checked.stdout
