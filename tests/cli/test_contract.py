"""The terminal contract that scripts rely on, with the real command in a process of its own."""

import contextlib
import importlib.metadata
import json
import signal
import socket
import subprocess
import sys

import httpx
import pytest

COMMAND = [sys.executable, "-c", "from clio_nb.cli import main; main()"]
GOOD = (
    "https://partner.example/launch?custom_action_id=1&user_id=2"
    "&subject_url=%2Fapi%2Fv4%2Fmatters%2F3&custom_action_nonce=canary-nonce-1"
)
FORGED = GOOD.replace("%2Fapi", "https%3A%2F%2Fevil.example%2Fapi")


PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


def run(*words, text=None):
    return subprocess.run([*COMMAND, *words], input=text, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def served():
    """Start ``clio-nb sandbox --json`` and give its first line; end it as Ctrl-C does."""
    running = []

    def start(*options):
        process = subprocess.Popen(
            [*COMMAND, "sandbox", "--port", "0", "--json", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return json.loads(process.stdout.readline()), process

    yield start
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_sandbox_describes_itself_in_its_first_line_and_ends_with_ctrl_c(served):
    told, process = served("--users", "3")
    assert set(told) >= {"base_url", "api_url", "client_id", "client_secret", "redirect_uri", "control_url", "users"}
    assert [set(user) for user in told["users"]] == [{"id", "name", "email"}] * 3
    assert httpx.get(told["control_url"], trust_env=False).json() == told
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert process.stderr.read() == ""


def test_the_sandbox_takes_every_setting_from_its_options(served, monkeypatch):
    monkeypatch.delenv("CLIO_NB_CONTROL_KEY", raising=False)
    told, _ = served(
        *("--firms", "2", "--regions", "us, eu", "--users", "2", "--permissions", "users,custom_actions:read"),
        *("--deauthorization-url", "http://127.0.0.1:9/gone", "--add-to-clio-url", "http://127.0.0.1:9/connect"),
        *("--assume", "expires_in=60", "--assume", "pkce=require", "--control-key", "key-on-the-line"),
    )
    assert [firm["region"] for firm in told["firms"]] == ["us", "us", "eu", "eu"]
    bearer = {"authorization": "Bearer key-on-the-line"}
    with httpx.Client(trust_env=False, headers=bearer) as control:
        assert httpx.get(told["control_url"], trust_env=False).status_code == 403
        for firm in told["firms"]:
            app = control.patch(f"{firm['control_url']}/app", json={}).json()
            assert app == {
                "permissions": ["custom_actions:read", "users"],
                "deauthorization_url": "http://127.0.0.1:9/gone",
                "add_to_clio_url": "http://127.0.0.1:9/connect",
            }
        assert control.post(f"{told['control_url']}/tokens").json()["expires_in"] == 60


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--host", "0.0.0.0"), "control key"),  # noqa: S104
        (("--host", "0.0.0.0", "--control-key", "short"), "8 to 512"),  # noqa: S104
        (("--assume", "moon=cheese"), "'moon' is not an assumption"),
        (("--assume", "expires_in=soon"), "Expected `int`"),
        (("--permissions", "everything"), "no such permission"),
        (("--regions", "mars"), "mars"),
        (("--regions", ""), "at least"),
        (("--public-url", "clio"), "public_url"),
        (("--deauthorization-url", "gone"), "deauthorization_url"),
        (("--host", "192.0.2.1", "--control-key", "long-enough"), "--host 192.0.2.1"),
    ],
)
def test_a_sandbox_that_cannot_be_is_refused_in_a_sentence(options, sentence, monkeypatch):
    monkeypatch.delenv("CLIO_NB_CONTROL_KEY", raising=False)
    answer = run("sandbox", "--port", "0", *options)
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert sentence in answer.stderr
    assert "Traceback" not in answer.stderr


def test_the_control_endpoints_grant_click_move_the_clock_list_and_reset(served):
    told, _ = served()
    with httpx.Client(base_url=told["control_url"] + "/", trust_env=False) as control:
        user = told["users"][0]["id"]
        token = control.post("tokens", json={"user_id": user}).json()
        assert set(token) >= {"token_type", "access_token", "expires_in", "refresh_token"}
        api = httpx.Client(base_url=told["api_url"] + "/", trust_env=False)
        api.headers["authorization"] = f"Bearer {token['access_token']}"
        data = {"label": "Go", "target_url": "https://partner.example/x", "ui_reference": "matters/show"}
        action = api.post("custom_actions?fields=id", json={"data": data}).json()["data"]["id"]
        matter = api.get("matters").json()["data"][0]["id"]
        click = {"user_id": user, "custom_action_id": action, "subject_url": f"/api/v4/matters/{matter}"}
        launched = control.post("clicks", json=click).json()["launch_url"]
        assert launched.startswith("https://partner.example/x?")
        seen = control.get("requests").json()
        assert token["access_token"] not in json.dumps(seen)
        assert control.post("clock/advance", json={"seconds": 61}).is_success
        nonce = httpx.URL(launched).params["custom_action_nonce"]
        assert api.get(f"matters/{matter}", params={"custom_action_nonce": nonce}).status_code == 403
        assert control.post("reset").is_success
        assert api.get("users/who_am_i").status_code == 401
        api.close()


def test_the_control_endpoints_refuse_foreign_hosts_and_origins(served):
    told, _ = served()
    for headers in ({"host": "evil.example"}, {"origin": "https://evil.example"}):
        answer = httpx.post(told["control_url"] + "/reset", headers=headers, trust_env=False)
        assert answer.status_code == 403


def test_the_same_seed_gives_the_same_firm_and_another_one_another(served):
    (first, _), (again, _), (other, _) = served("--seed", "7"), served("--seed", "7"), served("--seed", "8")
    assert first["users"] == again["users"] != other["users"]


def test_the_rate_limit_is_the_one_asked_for(served):
    told, _ = served("--rate-limit", "2")
    token = httpx.post(
        told["control_url"] + "/tokens", json={"user_id": told["users"][0]["id"]}, trust_env=False
    ).json()
    headers = {"authorization": f"Bearer {token['access_token']}"}
    statuses = [httpx.get(told["api_url"] + "/matters", headers=headers, trust_env=False).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]


def test_an_app_in_any_language_names_its_own_redirect_uri(served):
    told, _ = served("--redirect-uri", "http://127.0.0.1:3000/back", "--redirect-uri", "http://127.0.0.1:3001/back")
    assert told["redirect_uri"] == "http://127.0.0.1:3000/back"
    asked = {"response_type": "code", "client_id": told["client_id"]}
    for uri, status in (("http://127.0.0.1:3001/back", 200), ("http://127.0.0.1:8765/callback", 400)):
        query = {**asked, "redirect_uri": uri}
        assert httpx.get(f"{told['base_url']}/oauth/authorize", params=query, trust_env=False).status_code == status


def test_a_busy_port_is_one_sentence(served):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answer = run("sandbox", "--port", str(port))
    assert answer.returncode == 1
    assert answer.stderr.startswith(f"clio-nb: Port {port} is in use")
    assert "Traceback" not in answer.stderr


def test_inspect_prints_one_object_a_line_and_never_the_nonce():
    answer = run("launch", "inspect", "-", "--json", text=f"{GOOD}\n\n{FORGED}\n")
    good, forged = map(json.loads, answer.stdout.splitlines())
    assert good == {
        "ok": True,
        "reasons": [],
        "launch": {
            "custom_action_id": 1,
            "user_id": 2,
            "subject_url": "/api/v4/matters/3",
            "resource": "matters",
            "record_id": 3,
        },
    }
    assert (forged["ok"], forged["launch"]) == (False, None)
    assert forged["reasons"]
    assert "canary" not in answer.stdout + answer.stderr
    assert answer.returncode == 1


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((GOOD, "--json"), 0),
        ((FORGED,), 1),
        ((GOOD, "--target", "https://other.example/launch"), 1),
        ((GOOD, "--targett", "x"), 2),
    ],
)
def test_inspect_exits_by_what_it_found(words, code):
    assert run("launch", "inspect", *words).returncode == code


def test_inspect_explains_for_a_person_without_the_nonce():
    answer = run("launch", "inspect", GOOD)
    assert "the user who clicked" in answer.stdout
    assert "canary" not in answer.stdout


def test_inspect_survives_bytes_that_are_no_text():
    words = [*COMMAND, "launch", "inspect", "-", "--json"]
    hostile = b"\xff\xfe\x00\n" + b"x" * 3_000_000
    answer = subprocess.run(words, input=hostile, capture_output=True, timeout=60, check=False)
    assert answer.returncode == 1
    assert b"Traceback" not in answer.stderr
    assert all(not json.loads(line)["ok"] for line in answer.stdout.splitlines())


def test_a_closed_pipe_is_no_traceback():
    words = [*COMMAND, "launch", "inspect", "-", "--json"]
    first = subprocess.Popen(words, stdin=subprocess.PIPE, **PIPES, text=True)
    first.stdout.close()
    with contextlib.suppress(BrokenPipeError), first.stdin:
        first.stdin.write((GOOD + "\n") * 50)
    with first.stderr:
        assert "Traceback" not in first.stderr.read()
    first.wait(60)


def test_help_needs_no_account_and_names_every_command():
    answer = run("--help")
    assert answer.returncode == 0
    assert all(word in answer.stdout for word in ("demo", "lab", "sandbox", "launch"))


def test_the_demo_happens_and_says_so():
    answer = run("demo")
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr == ""
    assert "Everything worked" in answer.stdout
    assert answer.stdout.count("verified") == 1
    assert answer.stdout.count("refused") == 2


def test_the_demo_fails_aloud_when_a_step_does_not_happen(monkeypatch):
    from clio_nb import demo, firm

    whole = firm.actions_table
    monkeypatch.setattr(firm, "actions_table", lambda sessions: whole(sessions).head(3))
    with pytest.raises(demo.DemoFailed, match="a row for every action"):
        demo.run()


def test_a_site_says_which_clio_it_is():
    from clio_nb.models import App
    from clio_nb.sandbox import Sandbox
    from clio_nb.secret import Secret
    from clio_nb.vocabulary import Region

    with Sandbox(regions=("us", "eu")) as site:
        assert str(site) == str(site.at("eu")) == "On the embedded Clio: nothing real is touched."
        own = App(Region.US, "id", Secret("s"), origin=site.origin, control_url=site.control_url)
        assert str(own) == f"On the sandbox at {site.origin}: nothing real is touched."
    assert str(App(Region.EU, "id", Secret("s"))) == "On Clio itself, region eu: what is done here is real."


def test_the_version_is_printed():
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"clio-nb {importlib.metadata.version('clio-nb')}\n")
