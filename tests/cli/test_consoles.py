"""Every command on every kind of console: of any encoding and width, with and without a terminal and colours.

A child runs all commands one after another on one console. What they say has to be the same letters as in UTF-8 on a
pipe, as far as the encoding has them, and nothing may be wider than the console.
"""

import json
import os
import re
import subprocess
import sys
import unicodedata
from collections import Counter

import pytest

import clio_nb
from clio_nb import terminal
from clio_nb.sandbox import Sandbox

pty = pytest.importorskip("pty", reason="a terminal of POSIX")

CHILD = """
import json, os, sys
from clio_nb.cli import main
for name, words in json.loads(sys.argv[1]).items():
    sys.argv = ["clio-nb", *words]
    try:
        main()
    except SystemExit as ended:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os.write(1, f"\\n#### {name}: {ended.code}\\n".encode())
"""
NAME, LABEL = "Анна Müller 署名 😀 ✓", "Zur Unterschrift – 署名 😀é"
ENCODINGS = ["ascii", "cp437", "cp1252", "utf-8", "latin-1", "cp850", "koi8-r", "shift_jis", "gb18030"]
SETTINGS = {"plain": {}, "no colour": {"NO_COLOR": "1"}, "dumb": {"TERM": "dumb"}}
WIDTHS = [None, 80, 40]
SHORT = {("ascii", 80, "plain"), ("cp437", 40, "no colour"), ("cp1252", None, "plain"), ("utf-8", 40, "dumb")}
CONSOLES = [
    pytest.param(*each, marks=[] if each in SHORT else pytest.mark.long)
    for each in ((encoding, width, setting) for encoding in ENCODINGS for width in WIDTHS for setting in SETTINGS)
]
COMMANDS = ("demo", "lab", "app", "sandbox", "probe", "login", "plan", "apply", "status", "undo", "offboard")
LAUNCH = (
    "https://p.example/é?custom_action_id=1&user_id=é&subject_url=%2Fapi%2Fv4%2Fmatters%2F3&custom_action_nonce=abc"
)


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """A firm with names and labels of many scripts, and commands of which one can know beforehand what they say."""
    folder = tmp_path_factory.mktemp("consoles")
    manifest = folder / "müller.toml"
    manifest.write_text(
        '[app]\nname = "Müller – 署名"\n[[actions]]\nkey = "sign"\nlabel = "Unterschrift – 署名"\n'
        'target_url = "https://partner.example/launch"\nlocations = ["matters"]\n',
        encoding="utf-8",
    )
    with Sandbox(users=2, rate_limit=None) as site, pytest.MonkeyPatch.context() as patches:
        for name in ("DATA", "CONFIG"):
            patches.setenv(f"XDG_{name}_HOME", str(folder / name))
        patches.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
        site._state.row("users", site.users[0].id).data["name"] = NAME
        session = clio_nb.login(site, site.users[0].id)
        actions = [session.create_action(LABEL, "https://partner.example/é", at) for at in clio_nb.Location]
        at, user = ("--site", site.origin), ("--user", str(site.users[0].id))
        commands = {
            **{f"help of {name}": (name, "--help") for name in COMMANDS},
            **{f"help of {name}": (*name.split(), "--help") for name in ("actions create", "launch inspect", "launch")},
            "help": ("--help",),
            "no command": (),
            "unknown command": ("plän",),
            "unknown option": ("plan", "--é"),
            "version": ("--version",),
            "status": ("status", *at),
            "status as JSON": ("status", *at, "--json"),
            "plan": ("plan", str(manifest), *at),
            "plan of no file": ("plan", "müller–署名.toml"),
            "apply without a terminal": ("apply", str(manifest), *at),
            "undo of nothing": ("undo", "é署", *at),
            "offboard of nobody": ("offboard", "ä署@x.example", *at),
            "list": ("actions", "list", *at, *user),
            "delete without a terminal": ("actions", "delete", str(actions[0].id), *at, *user),
            "create what cannot be": (
                "actions",
                "create",
                LABEL * 2,
                "https://p.example",
                "--at",
                "matters",
                *at,
                *user,
            ),
            "inspect": ("launch", "inspect", LAUNCH),
            "verify": ("launch", "verify", LAUNCH, *at),
            "probe elsewhere": ("probe", "https://müller.example/", *at),
            "login nowhere": ("login", "--site", "é署"),
            "sandbox that cannot be": ("sandbox", "--regions", "märs"),
        }
        yield site, commands, said_in(commands, "utf-8", None, {})


def said_in(commands, encoding, width, setting):
    """Run the commands on a console; return for each its exit code and what it said."""
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "TERM": "xterm-256color", **setting}
    for name in ("COLUMNS", "CLIO_NB_SITE"):
        environment.pop(name, None)
    words = [sys.executable, "-c", CHILD, json.dumps(commands)]
    if width is None:
        done = subprocess.run(
            words,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=True,
        )
        raw = done.stdout
    else:
        raw = in_terminal(words, environment, width)
    parts = re.split(r"\n#### (.*?): (\d+)\n", raw.decode(encoding).replace("\r\n", "\n"))
    return {name: (int(code), text) for text, name, code in zip(parts[::3], parts[1::3], parts[2::3], strict=False)}


def in_terminal(words, environment, width, typed=b""):
    import fcntl
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, width, 0, 0))
    stdin = theirs if typed else subprocess.DEVNULL
    child = subprocess.Popen(words, env=environment, stdin=stdin, stdout=theirs, stderr=theirs)
    os.close(theirs)
    if typed:
        os.write(ours, typed)
    raw = bytearray()
    try:
        while part := os.read(ours, 65536):
            raw += part
    except OSError:  # Linux says so where the other end is closed
        pass
    os.close(ours)
    assert child.wait(60) in (0, 1)
    return bytes(raw)


def letters(text):
    return Counter(char for char in text if not char.isspace())


def wide(text):
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


@pytest.mark.parametrize(("encoding", "width", "setting"), CONSOLES)
def test_n3_every_command_says_the_same_on_every_console(story, encoding, width, setting):
    _, commands, elsewhere = story
    said = said_in(commands, encoding, width, SETTINGS[setting])
    assert list(said) == list(commands)
    for name, (code, coloured) in said.items():
        plain = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
        assert "Traceback" not in plain, name
        assert {char for char in plain if not char.isprintable()} <= {"\n"}, name
        if width is None or setting == "dumb":
            assert coloured == plain, name
        if setting == "no colour":
            assert not re.search(r"\x1b\[[0-9;]*\b(3[0-7]|38|4[0-7]|9[0-7])\b", coloured), name
        expected = elsewhere[name][1].encode(encoding, "clio_nb.plain").decode(encoding)
        assert (code, letters(plain)) == (elsewhere[name][0], letters(expected)), name
        if not name.startswith(("help", "no command")):  # their first column alone may be as wide as a console
            for line in plain.splitlines():  # one sentence is one line, which the terminal wraps
                assert not re.search(r"\S {2,}\S", line) or wide(line) <= (width or 80), (name, line)


@pytest.mark.parametrize(("encoding", "width"), [("cp437", 40), ("ascii", None)])
def test_n4_an_odd_answer_is_told_on_any_console(story, encoding, width):
    site, _, _ = story
    rows = [{"id": 1, "label": LABEL, "ui_reference": []}, {"id": "x", "label": LABEL}, {"id": "3", "label": None}]
    site.fault("status", path="/api/v4/custom_actions", status=200, body={"data": rows}, times=1)
    words = ("actions", "list", "--site", site.origin, "--user", str(site.users[0].id))
    code, text = said_in({"list": words}, encoding, width, {})["list"]
    told = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert code == 1
    assert "unexpected values, which were ignored: data[0].ui_reference" in told
    assert "data[1].id" in told
    assert r"\U0001f600" in re.sub(r"\s", "", told)
    assert "proxy" not in told


@pytest.mark.parametrize(("encoding", "setting"), [("ascii", "plain"), ("cp437", "dumb")])
def test_n3_a_question_can_be_answered_on_any_console(story, encoding, setting):
    site, commands, _ = story
    words = [sys.executable, "-c", "from clio_nb.cli import main; main()", *commands["delete without a terminal"]]
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "TERM": "xterm", **SETTINGS[setting]}
    for typed in (b"n\n", b"\xff\xe9\n\xff\nn\n"):
        said = in_terminal(words, environment, 40, typed).decode("latin-1")
        assert "Delete this action?" in said
        assert "Nothing was done." in said
        assert "Traceback" not in said
    assert len(site._state.actions.of(site.users[0].id)) == 5


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252", "utf-8:strict"])
def test_n6_a_launch_in_any_bytes_is_refused_line_by_line(encoding):
    words = [sys.executable, "-c", "from clio_nb.cli import main; main()", "launch", "inspect", "-", "--json"]
    lines = b"https://p.example/\xe9\xff\n\xc3\xa9\n\x81\x8d\n" + b"\xff" * 100 + b"\n"
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(words, input=lines, env=environment, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (1, b"")
    assert [json.loads(line)["ok"] for line in done.stdout.splitlines()] == [False] * 4


@pytest.mark.parametrize("said", ["", "0", "1", "19", "-3", "x", "²", "1e9", "٨٠", "9" * 30, "80 ", "40"])
@pytest.mark.parametrize("name", ["COLUMNS", "TERMINAL_WIDTH", "LINES"])
def test_n6_a_width_that_is_none_is_no_traceback_and_hides_nothing(monkeypatch, capfd, name, said):
    from clio_nb import cli

    with monkeypatch.context() as here:  # no longer than the command runs: pytest reads the width, too
        here.setenv(name, said)
        for words in (["--help"], ["launch", "inspect", "https://p.example/?a=b"]):
            here.setattr("sys.argv", ["clio-nb", *words])
            with pytest.raises(SystemExit):
                cli.main()
            out, err = capfd.readouterr()
            assert err == ""
            assert ("launch" if words == ["--help"] else "refused") in out
        assert 20 <= terminal.columns() <= 1000


def test_n3_every_character_of_our_own_has_a_plain_form():
    """What the library itself says in a terminal is readable on the poorest console."""
    import ast
    from pathlib import Path

    rooms = [path for path in Path(terminal.__file__).parent.rglob("*.py") if not ELSEWHERE & {*path.parts}]
    trees = [(path.name, ast.parse(path.read_text(encoding="utf-8"))) for path in rooms]
    docs = {id(node.value) for _, tree in trees for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    said = {
        (name, char)
        for name, tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
        for char in node.value
        if not char.isascii() and char.isprintable()
    }
    assert {each for each in said if "\\" in each[1].encode("ascii", "clio_nb.plain").decode()} == set()


ELSEWHERE = {"sandbox", "forms", "doctor", "_page.py", "menu_pictures.py", "tables.py"}  # on pages, or looked for


def test_a_warning_of_the_library_is_one_sentence(tmp_path):
    environment = {**os.environ, "XDG_CONFIG_HOME": "/proc/nowhere", "XDG_DATA_HOME": str(tmp_path)}
    environment |= {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring", "CLIO_NB_KEY": ""}
    environment |= {"CLIO_NB_SITE": "eu", "CLIO_CLIENT_ID": "a", "CLIO_CLIENT_SECRET": "b"}
    words = [sys.executable, "-c", "from clio_nb.cli import main; main()", "status"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=False)
    first, warned, failed = done.stderr.splitlines()
    assert first.startswith("clio-nb: /proc/nowhere/clio-nb cannot be used")
    assert warned.startswith("clio-nb: The key cannot be kept")
    assert failed.startswith("clio-nb: No user has signed in")
