"""``clio-nb actions``: the custom actions of one user or of everyone, against a running sandbox."""

import json
import shlex

import pytest

import clio_nb as clio
from clio_nb.cli import main
from clio_nb.firm import Firm

TARGET = "https://partner.example/launch"


@pytest.fixture(autouse=True)
def _own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("CLIO_NB_SITE", raising=False)


@pytest.fixture
def run(clio_sandbox, monkeypatch, capsys):
    """Run ``clio-nb actions`` with words at the sandbox; gives its exit code and what it printed."""

    def start(verb, *words):
        line = ["clio-nb", "actions", verb, "--site", clio_sandbox.origin, *map(str, words)]
        monkeypatch.setattr("sys.argv", line)
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return start


@pytest.fixture
def users(clio_sandbox):
    return clio_sandbox.users


@pytest.fixture
def sessions(clio_sandbox, users):
    return [clio.login(clio_sandbox, user=user.id) for user in users[:2]]


def rows(out):
    return [json.loads(line) for line in out.splitlines()]


def test_one_is_created_listed_updated_and_deleted(run, users, sessions):
    mine = ("--user", users[0].id)
    code, out, err = run("create", "Sign", TARGET, "--at", "matters", *mine, "--json")
    [made] = rows(out)
    assert (code, err) == (0, "")
    assert (made["label"], made["target_url"], made["location"]) == ("Sign", TARGET, "matters/show")
    assert (made["user_id"], made["user"]) == (users[0].id, users[0].name)

    assert rows(run("list", *mine, "--json")[1]) == [made]
    code, out, _ = run("update", made["action_id"], "--label", "Signed", "--at", "Contact", *mine, "--json")
    [changed] = rows(out)
    assert (changed["action_id"], changed["label"], changed["location"]) == (
        made["action_id"],
        "Signed",
        "contacts/show",
    )
    assert changed["target_url"] == TARGET

    code, out, _ = run("delete", made["action_id"], *mine, "--yes", "--json")
    assert (code, rows(out)) == (0, [changed])
    assert sessions[0].list_actions() == []


def test_json_has_the_columns_of_the_table(run, users, sessions):
    clio.create_action(sessions[0], "Sign", TARGET, at="matters")
    [row] = rows(run("list", "--json")[1])
    assert list(row) == list(clio.actions_table(sessions[0]).columns)


def test_everyones_are_listed_and_one_users_by_id_or_address(run, users, sessions):
    for session in sessions:
        clio.create_action(session, f"Of {session.user.id}", TARGET, at="matters")
    assert [row["user_id"] for row in rows(run("list", "--json")[1])] == [users[0].id, users[1].id]
    for named in (users[1].id, users[1].email, f" {users[1].email.upper()}"):
        [row] = rows(run("list", "--json", "--user", named)[1])
        assert row["label"] == f"Of {users[1].id}"
    code, out, _ = run("list")
    assert (code, "Sign" in out) == (0, False)
    assert users[0].name.split()[0] in out


def test_without_any_there_is_a_word_for_a_person_and_nothing_for_a_program(run):
    assert run("list") == (0, "No actions.\n", "")
    assert run("list", "--json") == (0, "", "")


@pytest.mark.parametrize(
    ("verb", "words"),
    [("create", ["Sign", TARGET, "--at", "matters"]), ("update", [5, "--label", "x"]), ("delete", [5])],
)
def test_of_several_users_one_has_to_be_named(run, verb, words):
    code, out, err = run(verb, *words)
    assert (code, out) == (1, "")
    assert "5 users have signed in. Say whose action it is" in err


def test_the_only_user_need_not_be_named(run, clio_sandbox, users, monkeypatch):
    from clio_nb.cli import actions

    alone = Firm(clio_sandbox)
    alone.add(clio.login(clio_sandbox, user=users[1].id))
    monkeypatch.setattr(actions, "firm_at", lambda site, vault, firm: alone)
    assert run("create", "Sign", TARGET, "--at", "matters", "--json")[0] == 0
    assert [row["user_id"] for row in rows(run("list", "--json")[1])] == [users[1].id]


def test_who_cannot_be_read_is_named_and_the_others_are_listed(run, clio_sandbox, users, sessions):
    clio.create_action(sessions[0], "Sign", TARGET, at="matters")
    clio_sandbox.fault("status", status=403, path="/api/v4/custom_actions", user_id=users[1].id, times=None)
    code, out, err = run("list", "--json")
    assert code == 1
    assert [row["label"] for row in rows(out)] == ["Sign"]
    assert err.startswith(f"clio-nb: {users[1].name}")
    assert err.count("\n") == 1


def test_a_delete_without_a_terminal_needs_yes_and_deletes_nothing(run, users, sessions):
    made = clio.create_action(sessions[0], "Sign", TARGET, at="matters")
    code, out, err = run("delete", made.id, "--user", users[0].id)
    assert (code, out) == (1, "")
    assert "Nothing was deleted" in err
    assert sessions[0].list_actions() == [made]


@pytest.mark.parametrize(("answer", "left"), [("n", 1), ("", 1), ("y", 0)])
def test_a_delete_is_confirmed_in_a_terminal(run, users, sessions, monkeypatch, answer, left):
    import io

    made = clio.create_action(sessions[0], "Sign", TARGET, at="matters")
    terminal = io.StringIO(f"{answer}\n")
    terminal.isatty = lambda: True
    monkeypatch.setattr("sys.stdin", terminal)
    code, _, err = run("delete", made.id, "--user", users[0].id)
    assert code == (1 if left else 0)
    assert "Sign" in err
    assert len(sessions[0].list_actions()) == left


@pytest.mark.parametrize("label", ["Sign", "-x", "a 'quoted' \"one\"", "$HOME `id`", "--user"])
def test_a_delete_prints_the_command_that_makes_it_again(run, users, sessions, label):
    made = clio.create_action(sessions[0], label, f"{TARGET}?a=1&b=2", at="matters")
    code, out, _ = run("delete", made.id, "--user", users[0].id, "--yes")
    assert code == 0
    words = shlex.split(out.partition("clio-nb actions create ")[2])
    assert run("create", *words)[0] == 0
    [again] = sessions[0].list_actions()
    assert again.id != made.id
    assert (again.label, again.target_url, again.location) == (made.label, made.target_url, made.location)


@pytest.mark.parametrize("words", [("--label", "x" * 33), ("--target-url", "ftp://a.example"), ("--at", "mars"), ()])
def test_what_clio_would_refuse_is_not_sent(run, clio_sandbox, users, sessions, words):
    made = clio.create_action(sessions[0], "Sign", TARGET, at="matters")
    sent = len(clio_sandbox.requests)
    code, out, err = run("update", made.id, "--user", users[0].id, *words)
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert not [each for each in clio_sandbox.requests[sent:] if each["method"] == "PATCH"]


@pytest.mark.parametrize("kind", ["reset", "status", "html", "rate_limit"])
@pytest.mark.parametrize("verb", ["create", "update", "delete"])
def test_trouble_at_clio_is_one_sentence(run, clio_sandbox, users, sessions, verb, kind, monkeypatch):
    made = clio.create_action(sessions[0], "Sign", TARGET, at="matters")
    method = {"create": "POST", "update": "PATCH", "delete": "DELETE"}[verb]
    clio_sandbox.fault(kind, method=method, path="/api/v4/custom_actions*", times=None, seconds=3600)
    words = {"create": ["New", TARGET, "--at", "matters"], "update": [made.id, "--label", "New"], "delete": [made.id]}
    extra = ["--yes"] if verb == "delete" else []
    with clio.timeout(5):
        code, out, err = run(verb, *words[verb], *extra, "--user", users[0].id)
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    clio_sandbox.clear_faults()
    assert sessions[0].list_actions() == [made]
