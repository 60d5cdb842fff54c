"""The docs are built strictly, without a network, and a built page fetches nothing from elsewhere."""

import html
import importlib.util
import os
import re
import subprocess
import sys

import pytest
import typer

import clio_nb
from clio_nb.cli.commands import app

from .page import ROOT

FETCHED = re.compile(
    r"""<(?:script|img|iframe|source|video)\b[^>]*\bsrc=["']?(https?:)?//"""
    r"""|<link\b[^>]*\brel=["']?(?:stylesheet|preconnect|preload|icon)\b[^>]*href=["']?(https?:)?//"""
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build the docs, where no network can be reached."""
    if importlib.util.find_spec("mkdocs") is None:
        required = os.environ.get("CLIO_NB_REQUIRE", "")
        reason = 'mkdocs is not installed: python -m pip install -e ".[docs]"'
        if required == "all" or "docs" in required:
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    built = tmp_path_factory.mktemp("site")
    nowhere = {f"{scheme}_proxy": "http://127.0.0.1:9" for scheme in ("http", "https", "all")}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "mkdocs", "build", "--strict", "--clean", "--site-dir", str(built)],
        cwd=ROOT,
        env={**os.environ, **nowhere},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-6000:]
    return built


def pages_of(site):
    return sorted(site.rglob("*.html"))


def test_the_docs_are_built_strictly(site):
    assert (site / "index.html").is_file()


def test_every_walkthrough_is_a_page(site):
    notebooks = {path.stem for path in (ROOT / "notebooks").glob("[0-9]*.ipynb")}
    assert notebooks
    assert notebooks == {path.parent.name for path in (site / "walkthroughs").glob("*/index.html")}


def test_the_last_walkthrough_leads_to_the_page_that_puts_an_app_into_production(site):
    page = (site / "walkthroughs" / "07-going-live" / "index.html").read_text()
    assert re.search(r'<strong><a href="[./]*/how-to/deploy/">Deploy</a></strong>', page)


def words_of(text):
    return re.findall(r"\w+", text)


def test_every_include_is_shown_whole(site):
    """An include that a formatter has mangled shows itself and not the file."""
    included = 0
    for page in sorted((ROOT / "docs").rglob("*.md")):
        source = page.read_text()
        marks = re.findall(r"--\s*8\s*<\s*--.*", source)
        paths = re.findall(r'^ *--8<-- "(.+)"$', source, re.MULTILINE)
        assert len(marks) == len(paths), f"{page}: {marks}"
        address = page.relative_to(ROOT / "docs").with_suffix("")
        built = site / (address.parent if address.name == "index" else address) / "index.html"
        shown = " ".join(words_of(html.unescape(re.sub(r"<[^>]*>", "", built.read_text()))))
        assert not re.search(r"8\s*<\s*--", html.unescape(built.read_text())), page
        for path in paths:
            included += 1
            text = (ROOT / path).read_text()
            if path.endswith(".md"):  # its marks are not shown: look for the plain lines
                for line in re.findall(r"^\w[\w ,]+$", text, re.MULTILINE):
                    assert " ".join(words_of(line)) in shown, f"{page}: {path}: {line}"
            else:
                assert " ".join(words_of(text)) in shown, f"{page}: {path}"
    assert included >= 8


def test_a_page_fetches_nothing_from_elsewhere(site):
    for page in pages_of(site):
        assert not FETCHED.search(page.read_text()), page


def test_no_role_of_restructured_text_is_left_in_the_reference(site):
    for page in (site / "reference").rglob("*.html"):
        text = page.read_text()
        assert ":class:" not in text, page
        assert ":func:" not in text, page
        assert "=====" not in text, page


def test_every_page_says_what_to_do_next():
    for page in sorted((ROOT / "docs").rglob("*.md")):
        if page.parent.name != "reference" and page.stem not in ("changelog", "architecture"):
            assert "\n## Next\n" in page.read_text(), page


def test_the_reference_names_everything_at_the_face():
    page = (ROOT / "docs" / "reference" / "index.md").read_text()
    assert [name for name in clio_nb.__all__ if f"`{name}`" not in page] == []


def test_the_reference_names_every_command_and_option_of_the_terminal():
    page = (ROOT / "docs" / "reference" / "terminal.md").read_text()
    for words, command in commands(typer.main.get_command(app), "clio-nb"):
        headings = (words, words.rpartition(" ")[0])  # its own, or that of its group, which names it
        sections = [page.partition(f"\n## {one}\n")[2].partition("\n## ")[0] for one in headings]
        section = sections[0] or (sections[1] if words in sections[1] else "")
        assert section, f"{words} is not there"
        options = [option for param in command.params for option in param.opts if option.startswith("--")]
        missing = [option for option in options if option not in (section, "--help") and option not in section]
        assert missing in ([], ["--browser"]), f"{words}: {missing}"


def commands(command, words):
    """Give every command that does something, with the words that call it."""
    below = getattr(command, "commands", {})
    if not below:
        yield words, command
    for name, one in below.items():
        yield from commands(one, f"{words} {name}")
