"""Whatever a user gives to a command: one sentence, exit code 1 or 2, and no traceback."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from clio_nb import cli

COMMAND = [sys.executable, "-c", "from clio_nb.cli import main; main()"]
GOOD = """[app]
name = "partner"
[[actions]]
key = "sign"
label = "Sign"
target_url = "https://partner.example/launch"
locations = ["matters"]
"""
DIGITS = "9" * 100_000


@pytest.fixture(autouse=True)
def _own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("CLIO_NB_SITE", "CLIO_CLIENT_ID", "CLIO_CLIENT_SECRET", "CLIO_NB_VAULT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLIO_NB_KEY", "")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(monkeypatch, capfd):
    def start(*words):
        monkeypatch.setattr("sys.argv", ["clio-nb", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code, *capfd.readouterr()

    return start


MANIFESTS = {
    "lists in lists": GOOD + "x = " + "[" * 3000 + "]" * 3000,
    "tables in tables": GOOD + "x = " + "{a = " * 3000 + "1" + "}" * 3000,
    "dotted": GOOD + "a" + ".a" * 5000 + " = 1",
    "a long header": GOOD + "[" + ".".join("a" * 3000) + "]",
    "a long number": GOOD + f"who = {{ users = [{DIGITS}] }}",
    "a long hexadecimal number": GOOD + f"who = {{ users = [0x{'f' * 100_000}] }}",
    "a number beyond an id": GOOD + "who = { users = [99999999999999999999] }",
    "a long fraction": GOOD + f"x = 1.{DIGITS}",
    "infinity": GOOD + "who = { users = [1e999] }",
    "NUL": GOOD + 'x = "\0"',
    "no UTF-8": GOOD.encode() + b'x = "\xff"',
    "UTF-16": GOOD.encode("utf-16"),
    "a date that is none": GOOD + "x = 2024-02-30",
    "a year out of range": GOOD + "x = 0000-01-01T00:00:00Z",
    "a date for a label": GOOD.replace('"Sign"', "2024-01-01"),
    "a key twice": GOOD + 'key = "again"',
    "keys that collide": GOOD + "key.more = 1",
    "a number for a label": GOOD.replace('"Sign"', "7"),
    "a key that looks like a place": '"` - at `$.zzz" = 1\n' + GOOD,
    "a surrogate": GOOD + 'x = "\\ud800"',
    "10 MB": GOOD + "#" * 10_000_000,
    "10 MB without UTF-8": GOOD.encode() + b"#\xff" * 5_000_000,
}


@pytest.mark.parametrize("command", ["plan", "apply", "status", "offboard"])
@pytest.mark.parametrize("what", MANIFESTS)
def test_n6_a_manifest_of_any_kind_is_named_with_the_place(run, tmp_path, command, what):
    path, content = tmp_path / "actions.toml", MANIFESTS[what]
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    option = [] if command in ("plan", "apply") else ["--manifest"]
    code, out, err = run(command, *option, path, "--site", "http://127.0.0.1:1")
    assert (code, out) == (1, "")
    assert err.startswith(f"clio-nb: {path}: ")
    assert err.count("\n") == 1
    assert len(err) < 500


def test_n6_the_line_of_what_is_too_deep_or_too_long_is_named(run, tmp_path):
    path = tmp_path / "actions.toml"
    for what in ("lists in lists", "tables in tables", "a long number"):
        path.write_text(MANIFESTS[what])
        assert "line 8" in run("plan", path)[2]


def test_a_mark_of_the_byte_order_is_no_mistake(run, tmp_path):
    path = tmp_path / "actions.toml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert "us, eu, ca or au" in run("plan", path)[2]  # the next thing that it wants to know


@pytest.mark.parametrize("kind", ["folder", "fifo", "zero", "socket", "nothing", "a path too long", "no permission"])
def test_n6_what_is_no_file_is_not_read(run, tmp_path, kind):
    path = tmp_path / "actions.toml"
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "zero":
        path = Path("/dev/zero")
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(os.path.relpath(path))
    elif kind == "a path too long":
        path = tmp_path / ("x" * 5000)
    elif kind == "no permission":
        path.write_text(GOOD)
        path.chmod(0)
        if os.access(path, os.R_OK):
            pytest.skip("root reads everything")
    code, out, err = run("plan", path)
    assert (code, out) == (1, "")
    assert "cannot be read" in err
    assert err.count("\n") == 1


def listening():
    held = socket.create_server(("127.0.0.1", 0))
    return held, held.getsockname()[1]


NONSENSE = {
    "a region that is none": ["status", "--site", "mars"],
    "an empty site": ["status", "--site", ""],
    "an address of nobody": ["status", "--site", "http://127.0.0.1:1"],
    "an address with letters for a port": ["status", "--site", "http://127.0.0.1:port"],
    "an address with a port too large": ["status", "--site", "http://127.0.0.1:99999"],
    "an address with an open bracket": ["status", "--site", "http://[::1"],
    "an address of another scheme": ["status", "--site", "ftp://127.0.0.1"],
    "an address with a name": ["status", "--site", "http://a:b@127.0.0.1:1"],
    "an address with odd letters": ["status", "--site", "http://127.0.0.1:1\u2100/"],
    "an address elsewhere": ["status", "--site", "http://partner.example"],
    "an address without a host": ["status", "--site", "http://"],
    "a login at nobody": ["login", "--site", "http://127.0.0.1:1"],
    "an undo at nobody": ["undo", "x", "--site", "http://127.0.0.1:1"],
    "a launch that is none": ["launch", "inspect", "http://[::1"],
    "an empty launch": ["launch", "inspect", ""],
    "an odd target": ["launch", "inspect", "https://a.example/?x=1", "--target", "http://[::1"],
    "a verify at nobody": ["launch", "verify", "https://a.example/", "--site", "http://127.0.0.1:1"],
    "a receiver that is none": ["probe", "not a url", "--site", "SANDBOX"],
    "a receiver without a port": ["probe", "http://127.0.0.1:port/", "--site", "SANDBOX"],
    "a receiver with an open bracket": ["probe", "http://[::1", "--site", "SANDBOX"],
    "a receiver with a port too large": ["probe", "http://127.0.0.1:99999/", "--site", "SANDBOX"],
    "a user that is none": ["probe", "http://127.0.0.1:1/", "--site", "SANDBOX", "--user", "5"],
    "a user beyond all": ["probe", "http://127.0.0.1:1/", "--site", "SANDBOX", "--user", "9" * 30],
    "a user in words": ["probe", "http://127.0.0.1:1/", "--site", "SANDBOX", "--user", "anna"],
    "a report into nowhere": ["probe", "http://127.0.0.1:1/", "--site", "SANDBOX", "--junit", "no/where.xml"],
    "a report into a folder": ["probe", "http://127.0.0.1:1/", "--site", "SANDBOX", "--junit", "."],
    "a vault that is a folder": ["status", "--vault", "."],
    "a vault in a file": ["status", "--vault", "text.txt/vault.sqlite"],
    "a vault that is text": ["status", "--vault", "text.txt"],
    "a vault of another database": ["status", "--vault", "mysql://x/y"],
    "a vault at no address": ["status", "--vault", "postgresql://[::1"],
    "a vault with an odd port": ["status", "--vault", "postgresql://h:port/x"],
    "a vault whose path is too long": ["status", "--vault", "x" * 5000],
    "a login with an odd vault": ["login", "--vault", "text.txt"],
    "a file of the sandbox that is a folder": ["sandbox", "--port", "0", "--db", "."],
    "a file of the sandbox that is text": ["sandbox", "--port", "0", "--db", "text.txt"],
    "a file of the sandbox too long": ["sandbox", "--port", "0", "--db", "x" * 5000],
    "a file of the sandbox below a file": ["sandbox", "--port", "0", "--db", "text.txt/x.db"],
    "a port beyond all": ["sandbox", "--port", "70000"],
    "a port in words": ["sandbox", "--port", "http"],
    "a port that is held": ["sandbox", "--port", "HELD"],
    "no users": ["sandbox", "--users", "0"],
    "a seed beyond all": ["sandbox", "--seed", "x"],
    "a clock that is none": ["sandbox", "--clock", "sundial"],
    "a limit below zero": ["sandbox", "--rate-limit", "-1"],
    "a folder that is a file": ["lab", "text.txt", "--no-browser"],
    "a folder below a file": ["lab", "text.txt/below", "--no-browser"],
    "a run that never was": ["undo", "x" * 1000, "--site", "SANDBOX", "--yes"],
    "an empty run": ["undo", "", "--site", "SANDBOX", "--yes"],
    "a user that is gone": ["offboard", "9" * 30, "--site", "SANDBOX", "--yes"],
    "a user of no name": ["offboard", "", "--site", "SANDBOX", "--yes"],
    "actions of nobody": ["actions", "list", "--site", "SANDBOX", "--user", "nobody@firm.example"],
    "actions of an empty name": ["actions", "list", "--site", "SANDBOX", "--user", ""],
    "actions of a user beyond all": ["actions", "list", "--site", "SANDBOX", "--user", "9" * 30],
    "actions at nobody": ["actions", "list", "--site", "http://127.0.0.1:1"],
    "an action of whom": ["actions", "create", "Sign", "https://a.example/", "--at", "matters", "--site", "SANDBOX"],
    "an action nowhere": ["actions", "create", "Sign", "https://a.example/", "--at", "mars", "--site", "SANDBOX"],
    "an action of no label": ["actions", "create", "", "https://a.example/", "--at", "matters", "--site", "SANDBOX"],
    "an action of no target": ["actions", "create", "Sign", "http://[::1", "--at", "matters", "--site", "SANDBOX"],
    "an action in words": ["actions", "update", "sign", "--label", "x", "--site", "SANDBOX"],
    "an action beyond all": ["actions", "update", "9" * 30, "--label", "x", "--site", "SANDBOX", "--user", "FIRST"],
    "an action below all": ["actions", "delete", "-5", "--yes", "--site", "SANDBOX", "--user", "FIRST"],
    "an action that is not there": ["actions", "delete", "5", "--yes", "--site", "SANDBOX", "--user", "FIRST"],
    "an update of nothing": ["actions", "update", "5", "--site", "SANDBOX", "--user", "FIRST"],
    "no such command": ["launhc"],
    "no such option": ["status", "--jsno"],
    "an option without its value": ["status", "--site"],
    "no argument": ["undo"],
    "a profile that is none": ["plan", "good.toml", "--site", "SANDBOX", "--profile", "x" * 500],
}


@pytest.mark.parametrize("what", NONSENSE)
def test_n6_nonsense_is_one_sentence_and_no_traceback(run, clio_sandbox, tmp_path, monkeypatch, what):
    (tmp_path / "text.txt").write_text("no database")
    (tmp_path / "good.toml").write_text(GOOD)
    if "--vault" in NONSENSE[what]:
        for name, value in (("CLIO_NB_SITE", "us"), ("CLIO_CLIENT_ID", "id"), ("CLIO_CLIENT_SECRET", "secret")):
            monkeypatch.setenv(name, value)
    held, port = listening()
    with held:
        meant = {"SANDBOX": clio_sandbox.origin, "HELD": str(port), "FIRST": str(clio_sandbox.users[0].id)}
        words = [meant.get(word, word) for word in NONSENSE[what]]
        code, _, err = run(*words)
    assert code in (1, 2)
    assert "Traceback" not in err
    assert len(err.splitlines()) <= 1


@pytest.mark.parametrize("value", ["mars", "http://", "://", "http://127.0.0.1:port", "us eu", "\u202e", "x" * 10_000])
@pytest.mark.parametrize(
    "command", [["status"], ["login"], ["undo", "x"], ["actions", "list"], ["offboard"], ["launch", "verify", "x"]]
)
def test_n6_nonsense_in_the_variable_is_one_sentence(run, monkeypatch, value, command):
    monkeypatch.setenv("CLIO_NB_SITE", value)
    code, out, err = run(*command)
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert len(err) < 500


@pytest.mark.parametrize("name", ["CLIO_NB_KEY", "CLIO_NB_VAULT"])
@pytest.mark.parametrize("value", ["nonsense", "\u202e", "x" * 10_000, "a,b", "/dev/null/x"])
def test_n6_nonsense_in_the_other_variables_is_one_sentence(run, monkeypatch, name, value):
    for known, good in (("CLIO_NB_SITE", "us"), ("CLIO_CLIENT_ID", "id"), ("CLIO_CLIENT_SECRET", "secret")):
        monkeypatch.setenv(known, good)
    monkeypatch.setenv(name, value)
    code, out, err = run("status")
    assert (code, out) == (1, "")
    assert "Traceback" not in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "words", [("status",), ("demo",), ("launch", "inspect", "-"), ("plan", "x.toml")], ids=lambda words: words[0]
)
@pytest.mark.parametrize("when", ["while it loads", "while it works"])
def test_n6_ctrl_c_ends_with_130_and_no_traceback(words, when):
    raising = {
        "while it loads": "import builtins, sys\nreal = builtins.__import__\n"
        "def load(name, *rest):\n    if name == 'typer': raise KeyboardInterrupt\n    return real(name, *rest)\n"
        "from clio_nb.cli import main\nbuiltins.__import__ = load\nmain()",
        "while it works": "from clio_nb.cli import main, commands\n"
        "def work(**_): raise KeyboardInterrupt\ncommands.app = work\nmain()",
    }[when]
    if when == "while it works":
        raising = raising.replace("import main, commands", "import main\nfrom clio_nb.cli import commands")
    done = subprocess.run(
        [sys.executable, "-c", raising, *words], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_n6_ctrl_c_at_a_real_command_ends_with_130():
    process = subprocess.Popen(
        [*COMMAND, "launch", "inspect", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stdin.write("https://a.example/\n")
    process.stdin.flush()
    assert process.stdout.readline().startswith("refused")  # it works, and waits for the next line
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")
