"""SECURITY.md names tests that exist, and no numbered promise of the tests is missing from it."""

import fnmatch
import re

from .page import ROOT

PAGE = (ROOT / "SECURITY.md").read_text()
TESTS = {
    name
    for file in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^(?:async )?def (test_\w+)", file.read_text(), re.MULTILINE)
}


def test_every_test_that_is_named_exists():
    named = re.findall(r"`(test_[\w*]+)`", PAGE)
    assert len(named) > 40
    assert [name for name in named if not fnmatch.filter(TESTS, name)] == []


def test_every_promise_has_a_test_and_every_numbered_test_its_promise():
    rows = re.findall(r"^\| ([A-Z]\d+) \|.*\| ([^|]+) \|$", PAGE, re.MULTILINE)
    assert len({number for number, _ in rows}) == len(rows) > 50
    assert all("`test_" in shown for _, shown in rows)
    numbered = {found[1].upper() for name in TESTS if (found := re.match(r"test_([lohsnpcdf]\d+)_", name))}
    assert numbered <= {number for number, _ in rows}
