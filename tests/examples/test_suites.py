"""The whole apps pass their own tests, run as their readers run them."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys

import pytest

from .conftest import APPS, EXAMPLES


def test_each_whole_app_passes_its_ten_tests(tmp_path):
    quick = ("-p", "no:cacheprovider", "-p", "no:schemathesis", "-p", "no:nbval")  # what a reader has not
    given = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "CLIO_"))}
    with contextlib.ExitStack() as running:
        suites = {}
        for name in APPS:  # at once: they wait for much of the time
            shutil.copytree(EXAMPLES / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
            command = [sys.executable, "-m", "pytest", *quick]
            suites[name] = running.enter_context(
                subprocess.Popen(command, cwd=tmp_path / name, env=given, stdout=-1, stderr=-2, text=True)
            )
        said = {name: suite.communicate()[0] for name, suite in suites.items()}
    for name in APPS:
        assert re.search(r"\b10 passed", said[name]), said[name]
        assert suites[name].returncode == 0


def test_the_suites_differ_in_the_command_only():
    first, *others = (re.sub('COMMAND = ".*"', "", (EXAMPLES / name / "test_app.py").read_text()) for name in APPS)
    assert others == [first, first]


@pytest.mark.parametrize("name", APPS)
def test_a_whole_app_is_short(name):
    assert len((EXAMPLES / name / "app.py").read_text().splitlines()) <= 52
