"""What GitHub runs: actions pinned to a commit, every supported Python, the wheel as it was built."""

import re
import tomllib

from .page import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
CI = (ROOT / ".github" / "workflows" / "ci.yml").read_text()


def test_every_action_is_pinned_to_a_commit_and_says_its_version():
    used = [line for path in WORKFLOWS for line in path.read_text().splitlines() if "uses:" in line]
    assert used
    for line in used:
        assert re.search(r"uses: [\w/.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


def test_one_action_has_one_version_everywhere():
    pins = {}
    for path in WORKFLOWS:
        for action, pin in re.findall(r"uses: ([\w/-]+)@(\w+)", path.read_text()):
            assert pins.setdefault(action, pin) == pin


def test_the_pythons_of_the_classifiers_are_tested_and_no_other():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = [re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", each) for each in project["classifiers"]]
    versions = [each[1] for each in found if each]
    assert versions == ["3.11", "3.12", "3.13", "3.14"]
    assert project["requires-python"] == f">={versions[0]}"
    assert "fromJSON(needs.build.outputs.pythons)" in CI
    assert f'python: "{versions[0]}", dependencies: lowest-direct' in CI


def test_the_tests_run_on_the_wheel_that_was_built_once():
    assert CI.count("python -m build") == 1
    assert "dist/*.whl" in CI
    assert "rm -r clio_nb" in CI
