"""What a type checker sees: the README's ten lines and the same verbs, awaited, are right; wrong ones are not."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

AWAITED = """
import clio_nb as clio
from clio_nb import aio


async def story(site: clio.App) -> str | None:
    session = await aio.login(site)
    action = await aio.create_action(session, "Sign", "https://partner.example/launch", at="matters")
    same = await session.get_action(action.id)
    firm = aio.Firm(site)
    for user, access in await firm.users():
        print(user.id, access.value)
    verdict = await aio.verify_launch("https://partner.example/", firm)
    return same.label if verdict else session.user.name


def waits(session: clio.Session, firm: clio.Firm) -> int:
    clio.update_action(session, 1, label="Sign")
    session.delete_action(1)
    return len(firm.users()) + len(clio.actions_table([session])) + len(clio.__version__) + firm.session_of(1).user.id
"""
WRONG = """
import clio_nb as clio

session = clio.login(clio.sandbox())
session.create_action("Sign", target="https://partner.example/launch")
clio.create_action(session, 7, "https://partner.example/launch", at="matters")
clio.create_action(clio.sandbox(), "Sign", "https://partner.example/launch", at="matters")
clio.verify_launch("https://partner.example/", session, field="id")
clio.AsyncSession
"""


def ten_lines() -> str:
    found = re.search(
        r"## Ten lines\n\n```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL
    )
    assert found
    return found[1]


FILES = {"ten_lines": ten_lines(), "awaited": AWAITED, "wrong": WRONG}
ERRORS = {("wrong", line) for line in (5, 6, 7, 8, 9)}


def mypy(folder: Path) -> set[tuple[str, int]]:
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--no-incremental",
        "--config-file=",
        *(f"{n}.py" for n in FILES),
    ]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=folder)
    assert not checked.stderr
    found = re.findall(r"^(\w+)\.py:(\d+): error", checked.stdout, re.MULTILINE)
    return {(name, int(line)) for name, line in found}


def pyright(folder: Path) -> set[tuple[str, int]]:
    # strict, but for the question whether this is the sandbox, which the README asks for those who swap it for Clio
    strict = {"typeCheckingMode": "strict", "reportUnnecessaryIsInstance": False}
    (folder / "pyrightconfig.json").write_text(json.dumps(strict))
    command = [
        sys.executable,
        "-m",
        "pyright",
        "--outputjson",
        "--pythonpath",
        sys.executable,
        *(f"{n}.py" for n in FILES),
    ]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=folder)
    found = json.loads(checked.stdout)["generalDiagnostics"]
    return {(Path(one["file"]).stem, one["range"]["start"]["line"] + 1) for one in found}


# the checks run mypy over all of the package, and pyright's word is the stricter one of the two
@pytest.mark.parametrize("checker", [pytest.param(mypy, marks=pytest.mark.long), pyright])
def test_a_strict_type_checker_knows_every_verb(tmp_path, monkeypatch, checker):
    monkeypatch.setenv("PYRIGHT_PYTHON_IGNORE_WARNINGS", "1")
    for name, code in FILES.items():
        (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
    assert checker(tmp_path) == ERRORS
