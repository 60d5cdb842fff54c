"""A whole firm, a launch and a receiver from the terminal, against a running sandbox."""

import json
import re

import pytest

import clio_nb
from clio_nb.cli import main
from clio_nb.cli.commands import app

MANIFEST = """
[app]
name = "partner-sign"

[[actions]]
key = "sign"
label = "{label}"
target_url = "https://partner.example/launch"
locations = ["matters", "documents"]
"""


@pytest.fixture(autouse=True)
def _own_folders(tmp_path, monkeypatch):
    """The vaults of this test lie in its own folder."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("CLIO_NB_SITE", raising=False)


@pytest.fixture
def manifest(tmp_path):
    path = tmp_path / "actions.toml"
    path.write_text(MANIFEST.format(label="Send for signature"))
    return path


@pytest.fixture
def run(clio_sandbox, monkeypatch, capsys):
    """Run ``clio-nb`` with words, at the sandbox unless they say otherwise; gives its exit code and what it printed."""

    def start(*words, site=True):
        monkeypatch.setattr(
            "sys.argv", ["clio-nb", *map(str, words), *(["--site", clio_sandbox.origin] if site else [])]
        )
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return start


def test_plan_exits_by_what_there_is_to_do(run, manifest):
    code, out, _ = run("plan", manifest)
    assert (code, "10 create" in out) == (2, True)
    assert run("apply", manifest, "--yes")[0] == 0
    assert run("plan", manifest)[0] == 0


def test_plan_as_json_can_be_loaded_again(run, manifest, tmp_path):
    from clio_nb.firm.plan.plan import Plan

    _, out, _ = run("plan", manifest, "--json")
    (tmp_path / "plan.json").write_text(out)
    assert Plan.load(tmp_path / "plan.json").counts() == {"create": 10}


@pytest.mark.parametrize(
    "words", [("plan", "nowhere.toml"), ("apply", "nowhere.toml"), ("status", "--manifest", "nowhere.toml")]
)
def test_a_mistake_in_the_manifest_is_told_before_anybody_is_asked_for_an_app(run, words):
    code, out, err = run(*words, site=False)
    assert (code, out) == (1, "")
    assert "nowhere.toml: cannot be read" in err


@pytest.mark.parametrize("words", [("plan", "nowhere.toml"), ("plan",), ("plan", "x.toml", "--no-such-option")])
def test_plan_exits_with_1_whenever_it_cannot_tell(run, words):
    code, _, err = run(*words)
    assert code == 1
    assert err
    assert "Traceback" not in err


def test_apply_does_nothing_when_nobody_can_be_asked(run, manifest, clio_sandbox):
    code, _, err = run("apply", manifest)
    assert (code, "--yes" in err) == (1, True)
    assert "POST" not in {request["method"] for request in clio_sandbox.requests}


def test_a_rename_changes_in_place_and_undo_takes_it_back(run, manifest):
    run("apply", manifest, "--yes")
    manifest.write_text(MANIFEST.format(label="Sign here"))
    code, out, _ = run("apply", manifest, "--yes")
    assert code == 0
    assert "10 update" in out
    ran = re.search(r"clio-nb undo (\S+)", out)[1]
    code, out, _ = run("undo", ran, "--yes")
    assert code == 0
    _, out, _ = run("status", "--json")
    cells = [row["matters/show"] for row in json.loads(out)]
    assert cells == ["Send for signature"] * 5


def test_undo_of_a_run_that_never_was_is_one_sentence(run):
    code, _, err = run("undo", "20000101-000000-0000", "--yes")
    assert code == 1
    assert err.count("\n") == 1


def test_one_failed_user_is_shown_and_makes_the_exit_code_1(run, manifest, clio_sandbox):
    unlucky = clio_sandbox.users[1]
    clio_sandbox.fault("status", method="POST", status=422, user_id=unlucky.id, times=None)
    code, out, _ = run("apply", manifest, "--yes")
    assert code == 1
    assert unlucky.name.split()[0] in out.split("Result of run")[1]
    assert "8 done" in out


def test_status_fits_a_narrow_terminal_and_is_json_for_programs(run, manifest):
    run("apply", manifest, "--yes")
    code, out, _ = run("status")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    _, out, _ = run("status", "--manifest", manifest, "--json")
    rows = json.loads(out)
    assert {"user_id", "user", "access", "matters/show", "folders/show"} <= set(rows[0])


def test_offboard_removes_ours_of_one_user_or_of_everyone(run, manifest, clio_sandbox):
    run("apply", manifest, "--yes")
    first = clio_sandbox.users[0]
    assert run("offboard", first.email, "--yes")[0] == 0
    assert clio_nb.login(clio_sandbox).list_actions() == []
    assert run("offboard", "--yes")[0] == 0
    assert clio_nb.login(clio_sandbox, clio_sandbox.users[1].id).list_actions() == []
    assert run("offboard", "nobody@example.com", "--yes")[0] == 1


@pytest.mark.parametrize("words", [("plan",), ("apply", "--yes"), ("status", "--manifest")])
def test_a_vault_without_anybody_is_an_error_and_not_a_firm_where_all_is_well(run, manifest, monkeypatch, words):
    monkeypatch.setenv("CLIO_NB_SITE", "us")
    monkeypatch.setenv("CLIO_CLIENT_ID", "id")
    monkeypatch.setenv("CLIO_CLIENT_SECRET", "secret")
    monkeypatch.setenv("CLIO_NB_KEY", "")
    code, out, err = run(words[0], *words[1:], manifest, site=False)
    assert (code, out) == (1, "")
    assert "No user has signed in" in err
    assert "clio-nb login" in err


@pytest.mark.parametrize("words", [("plan",), ("apply", "--yes")])
def test_a_firm_of_which_nobody_can_be_read_is_an_error(run, clio_sandbox, manifest, words):
    clio_sandbox.fault("status", status=403, path="/api/v4/custom_actions*", times=None)
    code, out, _ = run(words[0], manifest, *words[1:])
    assert code == 1
    assert "10 blocked" in out


def test_who_cannot_be_read_is_shown_and_does_not_hide_that_the_others_have_nothing_to_do(run, clio_sandbox, manifest):
    run("apply", manifest, "--yes")
    clio_sandbox.fault("status", status=403, path="/api/v4/custom_actions*", times=1)
    code, out, _ = run("plan", manifest)
    assert code == 0
    assert "2 blocked" in out


def test_without_a_site_it_says_how_to_name_one(run, manifest):
    code, _, err = run("status", site=False)
    assert code == 1
    assert "us, eu, ca or au" in err


def launched(site):
    session = clio_nb.login(site)
    action = session.create_action("Go", "https://partner.example/x", "matters")
    return site.click(session.user.id, action.id, session.list_records("matters")[0].subject.path)


def test_verify_says_the_state_the_steps_and_the_record_and_never_the_nonce(run, clio_sandbox):
    url = launched(clio_sandbox)
    code, out, _ = run("launch", "verify", url, "--json")
    told = json.loads(out)
    assert (code, told["state"], told["ok"]) == (0, "verified", True)
    assert [step["name"] for step in told["steps"]] == ["parsed", "known action", "user has a token", "Clio answered"]
    assert told["record"]["id"]
    assert url.rpartition("nonce=")[2].partition("&")[0] not in out
    code, out, _ = run("launch", "verify", url)
    assert code == 1
    assert out.startswith("refused")


def test_probe_names_the_mistakes_of_a_receiver_and_writes_junit(run, clio_sandbox, tmp_path):
    import http.server
    import threading

    class Gullible(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Gullible) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/launch"
        code, out, _ = run("probe", url, "--json", "--junit", tmp_path / "probe.xml")
        told = json.loads(out)
        assert (code, told["ok"]) == (1, False)
        assert told["mistakes"]
        assert "<failure" in (tmp_path / "probe.xml").read_text()
        code, out, _ = run("probe", url)
        assert code == 1
        assert next(iter(told["mistakes"])) in out
        server.shutdown()


def test_probe_of_a_public_address_is_refused(run):
    code, _, err = run("probe", "https://partner.example/launch")
    assert code == 1
    assert err.count("\n") == 1


def test_every_command_explains_itself(run):
    for command in app.registered_commands:
        code, out, _ = run(command.name, "--help", site=False)
        assert code == 0
        assert out.strip()


@pytest.mark.parametrize("bad", ["missing/x.db", "text.db"])
def test_a_db_that_cannot_be_used_is_one_sentence(run, tmp_path, bad):
    (tmp_path / "text.db").write_text("no sandbox")
    code, _, err = run("sandbox", "--port", "0", "--db", tmp_path / bad, site=False)
    assert code == 1
    assert err.count("\n") == 1
