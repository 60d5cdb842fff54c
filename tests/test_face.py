"""The public face: one flat list of names, nothing heavy until it is used, floors that hold."""

import subprocess
import sys
from pathlib import Path

import pytest

import clio_nb

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
    assert not {"pandas", "ipywidgets", "starlette"} & set(loaded_by("from clio_nb.launch import verify_launch"))


@pytest.mark.parametrize("name", clio_nb.__all__)
def test_every_public_name_is_there_and_documented(name):
    value = getattr(clio_nb, name)
    assert name in dir(clio_nb)
    assert value.__doc__ or name == "PLACES"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'logon'"):
        clio_nb.logon  # noqa: B018 -- the access is the test


def test_the_sandbox_can_be_called_before_and_after_its_rooms_are_imported():
    code = "import clio_nb.sandbox.clock, clio_nb\nwith clio_nb.sandbox() as site: assert site.users"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)


def test_what_a_type_checker_sees_is_what_is_there():
    source = Path(clio_nb.__file__).read_text()
    checked = source.split("if TYPE_CHECKING:")[1].split("_HOMES")[0]
    missing = [name for name in clio_nb.__all__ if name not in checked.replace(",", " ").split()]
    assert missing == []


@pytest.mark.skipif(not (ROOT / "pyproject.toml").exists(), reason="the floors are checked in a checkout only")
def test_no_import_runs_up_a_floor():
    command = Path(sys.executable).with_name("lint-imports")
    checked = subprocess.run([command], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert checked.returncode == 0, checked.stdout
