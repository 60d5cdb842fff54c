"""What reaches the terminal: text and our own layout, whatever a label, a name, a path or an address holds."""

import ast
import json
import os
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

import clio_nb
from clio_nb import cli, terminal
from clio_nb.sandbox import Sandbox

COMMAND = [sys.executable, "-c", "from clio_nb.cli import main; main()"]
HOSTILE = "\x1b]0;own\x07\x1b[31m\x9b2J\x7f\u202e\u2066\u200e\u061c\u200b\ufeff\u2028\u2029\r\b\x00"
LABEL = HOSTILE[:24] + "✓é"
ENCODINGS = ["utf-8", "cp1252", "cp437", "latin-1", "ascii"]
SAFE = {"\n"}


def unsafe(text):
    kinds = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    return {hex(ord(char)) for char in text if char not in SAFE and unicodedata.category(char) in kinds}


@pytest.fixture(autouse=True)
def _own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("CLIO_NB_SITE", raising=False)


@pytest.fixture
def hostile_site():
    """A sandbox whose first user has a hostile name, and an action with a hostile label in each location."""
    with Sandbox(users=2, rate_limit=None) as site:
        row = site._state.row("users", site.users[0].id)
        row.data["name"] = f"Anna {HOSTILE}"
        session = clio_nb.login(site, site.users[0].id)
        for location in clio_nb.Location:
            action = session.create_action("Go", "https://partner.example/launch", location)
            site._state.actions.of(site.users[0].id)[action.id].data["label"] = LABEL
        yield site


def manifest(tmp_path, **changes):
    told = {"label": "Sign", "app": "partner", **changes}
    path = tmp_path / "actions.toml"
    path.write_text(
        f"""[app]\nname = {json.dumps(told["app"])}\n[[actions]]\nkey = "sign"\nlabel = {json.dumps(told["label"])}
target_url = "https://partner.example/launch"
locations = ["matters"]\n[profiles.{json.dumps("dev" + HOSTILE[1:3])}]\n""",
        encoding="utf-8",
    )
    return path


def commands(site, tmp_path):
    """Every command, with something hostile to show wherever it takes something from outside."""
    at = ("--site", site.origin)
    good, bad = manifest(tmp_path), HOSTILE.replace("\x00", "")
    matter = site.records("matters")[0]["subject_url"]
    mine = site._state.actions.of(site.users[0].id).values()
    action = next(row.id for row in mine if row.data["ui_reference"] == "matters/show")
    launch = site.click(site.users[0].id, action, matter)
    forged = f"https://p.example/%1b%5b31m?x=%e2%80%ae&custom_action_id={bad}"
    return {
        "status": ("status", *at),
        "status json": ("status", *at, "--json"),
        "plan": ("plan", good, *at),
        "plan json": ("plan", good, *at, "--json"),
        "plan of a profile": ("plan", good, *at, "--profile", bad),
        "plan of no file": ("plan", f"{bad}.toml", *at),
        "apply": ("apply", good, *at, "--yes"),
        "undo": ("undo", bad, *at, "--yes"),
        "offboard": ("offboard", bad, *at, "--yes"),
        "offboard with a manifest": ("offboard", *at, "--yes", "--manifest", good),
        "inspect": ("launch", "inspect", forged),
        "inspect json": ("launch", "inspect", forged, "--json"),
        "verify": ("launch", "verify", forged, *at),
        "verify genuine": ("launch", "verify", launch, *at),
        "probe": ("probe", f"http://127.0.0.1:1/{bad}", *at),
        "a receiver elsewhere": ("probe", f"https://{bad}.example/", *at),
        "sandbox": ("sandbox", "--port", "0", "--redirect-uri", bad),
        "sandbox file": ("sandbox", "--port", "0", "--db", f"nowhere{bad}/x.db"),
        "site": ("status", "--site", bad),
        "site address": ("status", "--site", f"http://127.0.0.1:1/{bad}"),
        "vault": ("status", "--vault", f"mysql://{bad}"),
        "option": ("status", f"--{bad}"),
        "command": (bad,),
        "actions": ("actions", "list", *at),
        "actions json": ("actions", "list", *at, "--json"),
        "an action of a hostile user": ("actions", "list", *at, "--user", bad),
        "a new label": ("actions", "update", action, *at, "--user", site.users[0].id, "--label", bad),
        "delete": ("actions", "delete", action, *at, "--user", site.users[0].id, "--yes"),
        "folder": ("lab", bad),
        "help": ("plan", "--help"),
        "login": ("login", "--site", bad),
        "doctor": ("doctor", *at, "--manifest", f"{bad}.toml"),
        "doctor json": ("doctor", "--site", f"http://127.0.0.1:1/{bad}", "--vault", f"x/{bad}", "--json"),
    }


NAMES = (
    "status;status json;plan;plan json;plan of a profile;plan of no file;apply;undo;offboard;offboard with a manifest;"
    "inspect;inspect json;verify;verify genuine;probe;sandbox file;site;a receiver elsewhere;site address;vault;option;"
    "command;help;login;actions;actions json;an action of a hostile user;a new label;delete;"
    "doctor;doctor json"
)


@pytest.mark.parametrize("name", NAMES.split(";"))
def test_s8_no_command_sends_a_control_or_direction_character(hostile_site, tmp_path, monkeypatch, capfd, name):
    words = commands(hostile_site, tmp_path)[name]
    monkeypatch.setattr("sys.argv", ["clio-nb", *map(str, words)])
    with pytest.raises(SystemExit):
        cli.main()
    out, err = capfd.readouterr()
    assert out + err
    assert unsafe(out + err) == set()
    if name.endswith("json"):
        assert out.isascii()
        assert all(map(json.loads, out.splitlines() if name == "actions json" else [out]))


def test_s8_a_hostile_name_and_label_are_shown_spelled_out(hostile_site, monkeypatch, capfd):
    monkeypatch.setattr("sys.argv", ["clio-nb", "status", "--site", hostile_site.origin])
    monkeypatch.setenv("COLUMNS", "400")
    with pytest.raises(SystemExit):
        cli.main()
    out = capfd.readouterr().out
    assert r"\x1b]0;own\x07\x1b[31m\x9b2J\x7f\u202e" in out


def test_s8_a_hostile_name_in_a_log_line_is_spelled_out(monkeypatch, capfd):
    from clio_nb.cli import commands as table

    def broken(**_):
        import logging

        logging.getLogger("clio_nb.vault").error("the renewed token of %s is kept in memory only", HOSTILE)
        return 0

    monkeypatch.setattr(table, "app", broken)
    with pytest.raises(SystemExit):
        cli.main()
    err = capfd.readouterr().err
    assert "kept in memory only" in err
    assert unsafe(err) == set()


ENCODED = [
    pytest.param(name, encoding, marks=[] if encoding == "cp1252" else pytest.mark.long)
    for name in ("demo", "status", "probe")  # the others: test_consoles
    for encoding in ENCODINGS
]


@pytest.mark.parametrize(("name", "encoding"), ENCODED)
def test_n3_in_any_encoding_output_is_degraded_and_not_lost(hostile_site, tmp_path, encoding, name):
    words = ("demo",) if name == "demo" else commands(hostile_site, tmp_path)[name]
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "COLUMNS": "300"}
    done = subprocess.run([*COMMAND, *map(str, words)], capture_output=True, env=environment, timeout=100, check=False)
    out, err = done.stdout.decode(encoding), done.stderr.decode(encoding)
    assert "Traceback" not in err
    assert done.returncode in (0, 1, 2)
    assert unsafe(out + err) == set()
    if name == "demo":
        assert (done.returncode, "Everything worked" in out) == (0, True)
        assert out.count("+" if "✓" not in out else "✓") >= 5
    if name == "status":
        assert r"\x1b" in out


@pytest.mark.parametrize(
    "words",
    [("demo",), ("--help",), ("launch", "inspect", "https://x.example/?a=1"), ("launch", "inspect", "x", "--json")],
)
def test_s8_output_that_nobody_reads_is_no_traceback(words):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*COMMAND, *words], stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    os.close(writer)
    assert done.stderr == ""
    assert done.returncode == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_n6_output_that_cannot_be_written_is_one_sentence():
    with Path("/dev/full").open("w") as full:
        words = [*COMMAND, "launch", "inspect", "x", "--json"]
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert re.fullmatch(r"clio-nb: Cannot use the output: No space left on device\.\n", done.stderr)


def test_s8_json_has_no_character_beyond_ascii_and_no_delete(capsys):
    terminal.show_json({HOSTILE + "é": [HOSTILE, "\ud800"]})
    out = capsys.readouterr().out
    assert out.isascii()
    assert unsafe(out) == set()
    assert json.loads(out) == {HOSTILE + "é": [HOSTILE, "\ud800"]}


def modules():
    root = Path(cli.__file__).parent
    return [*sorted(root.glob("*.py")), root.parent / "demo.py"]


@pytest.mark.parametrize("module", modules(), ids=lambda path: path.name)
def test_s8_no_command_writes_to_the_terminal_by_itself(module):
    found = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [name.name for name in node.names]
            found |= {name for name in names if name.split(".")[0] in ("rich", "tqdm", "click")}
        if isinstance(node, ast.Attribute) and node.attr in ("write", "writelines", "echo", "secho", "print"):
            found.add(ast.unparse(node))
        if isinstance(node, ast.Name) and node.id == "print":
            found.add("print")
    assert found == set()
