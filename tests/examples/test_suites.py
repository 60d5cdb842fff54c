"""The whole apps pass their own tests, run as their readers run them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest

from .conftest import APPS, EXAMPLES


@pytest.mark.parametrize("name", APPS)
def test_a_whole_app_passes_its_ten_tests(name, tmp_path):
    folder = tmp_path / name
    shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns("__pycache__"))
    quick = ("-p", "no:cacheprovider", "-p", "no:schemathesis", "-p", "no:nbval")  # what a reader has not
    given = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "CLIO_"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *quick], cwd=folder, env=given, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\b10 passed", done.stdout)


def test_the_suites_differ_in_the_command_only():
    first, *others = (re.sub('COMMAND = ".*"', "", (EXAMPLES / name / "test_app.py").read_text()) for name in APPS)
    assert others == [first, first]


@pytest.mark.parametrize("name", APPS)
def test_a_whole_app_is_short(name):
    assert len((EXAMPLES / name / "app.py").read_text().splitlines()) <= 48
