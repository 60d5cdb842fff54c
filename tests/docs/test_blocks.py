"""Every block of code in README.md and docs/ does what the page says, against the sandbox."""

import ast
import re

import pytest

import clio_nb

from .page import KEEPS_RUNNING, NOT_RUN, PAGES, ROOT, STAND_IN, Reader, blocks_of, commands_of

KNOWN = ("python", "console", "text", "toml", "json", "http", "yaml", "javascript", "nginx", "dockerfile", "")


@pytest.fixture
def reader(tmp_path, monkeypatch):
    for name in ("CLIO_CLIENT_ID", "CLIO_CLIENT_SECRET", "CLIO_NB_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    someone = Reader(folder, monkeypatch)
    yield someone
    someone.close()


def does_something(page):
    return any(block.language in ("python", "console") and not block.reason_not_run for block in blocks_of(page))


@pytest.mark.parametrize("page", [*filter(does_something, PAGES)], ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_does_what_it_says(page, reader):
    reader.follow(blocks_of(page))


def test_the_readmes_lines_also_work_at_the_real_clio(clio_sandbox, clio_user, monkeypatch, capsys):
    """Swapped as their comment says: a person follows the printed link, clicks in Clio, and pastes the address."""
    app = clio_nb.App(
        clio_sandbox.region,
        clio_sandbox.client_id,
        clio_nb.Secret(clio_sandbox.client_secret),
        clio_sandbox.redirect_uri,
        origin=clio_sandbox.origin,
    )
    session = clio_nb.Session(app, clio_sandbox.token(clio_user.id)["access_token"])
    monkeypatch.setattr(clio_nb, "connect", lambda *_, **__: app)
    monkeypatch.setattr(clio_nb, "login", lambda site: session)
    target = "https://partner.example/launch"
    monkeypatch.setattr("builtins.input", lambda _: clio_sandbox.click_on(clio_user.id, target, at="matters"))
    lines, _ = [block.text for block in blocks_of(ROOT / "README.md") if block.language == "python"]
    swap = re.search(r"clio\.connect\(.*\)", lines)[0]
    exec(lines.replace("clio.sandbox()", swap, 1), {})  # noqa: S102 - the docs are ours
    said = capsys.readouterr().out
    assert "Send for signature" in said
    assert "<Verdict verified" in said


def test_what_is_not_run_says_why_and_is_at_least_python():
    for page in PAGES:
        for block in blocks_of(page):
            assert block.language in KNOWN, f"{block}: what is {block.language}?"
            assert all(mark in (STAND_IN, KEEPS_RUNNING) or mark.startswith(NOT_RUN) for mark in block.marks)
            if block.reason_not_run and block.language == "python":
                ast.parse(block.text)


def test_the_reader_notices_what_is_not_so(tmp_path, reader):
    for text in (
        "```python\n1 + 1\n```\n\n```text\n3\n```\n",
        "```python\nraise ValueError\n```\n",
        "```console\n$ false\n```\n",
        "```console\n$ echo one\ntwo\n```\n",
    ):
        made = tmp_path / "page.md"
        made.write_text(text)
        with pytest.raises((AssertionError, ValueError)):
            reader.follow(blocks_of(made))


def test_commands_are_read_with_their_output():
    text = "$ echo one \\\n    two\none two\n$ true\n"
    assert commands_of(text) == [("echo one \\\n    two", "one two\n"), ("true", "")]
