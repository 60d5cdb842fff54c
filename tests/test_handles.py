"""Handles: every verb shows its arguments, has one awaited twin, and says what to pass when it was given less."""

import importlib
import inspect
import pydoc
import typing

import pandas as pd
import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

import clio_nb
from clio_nb import aio, launches
from clio_nb.errors import InvalidInput
from clio_nb.firm.pictures import Picture

login = importlib.import_module("clio_nb.login")  # the package, beside the verb of its name

FUNCTIONS = [name for name in dir(aio) if inspect.isfunction(getattr(aio, name))]
CLASSES = [name for name in dir(aio) if inspect.isclass(getattr(aio, name))]
ON_A_SESSION = [name for name in FUNCTIONS if "session" in inspect.signature(getattr(aio, name)).parameters]
BELOW = {"request", "token", "renew", "the_user"}  # of an awaited session: what the package builds on
OFFLINE = {"inspect_launch", "lint", "locations_matrix", "allow_nested_asyncio", "network", "timeout"}


def waits(name: str):
    """Return what waits, by the name that the awaited one has."""
    return next(getattr(home, name) for home in (clio_nb, launches, login) if hasattr(home, name))


def methods(owner: str) -> list[str]:
    verbs = vars(getattr(aio, owner)).items()
    return [name for name, verb in verbs if name[0] != "_" and inspect.iscoroutinefunction(verb) and name not in BELOW]


TWINS = [(name, getattr(aio, name), waits(name)) for name in FUNCTIONS] + [
    (f"{owner}.{name}", getattr(getattr(aio, owner), name), getattr(waits(owner), name))
    for owner in CLASSES
    for name in methods(owner)
]
BUILT = [(owner, getattr(aio, owner), waits(owner)) for owner in CLASSES if owner != "Inbox"]  # one is made by inbox()
EACH_TWIN = pytest.mark.parametrize(("awaited", "waiting"), [pytest.param(a, w, id=name) for name, a, w in TWINS])


def parameters(function) -> list[tuple[object, ...]]:
    shown = inspect.signature(function).parameters.values()
    return [(each.name, each.kind, each.default, spoken(each.annotation)) for each in shown]


def spoken(annotation: object) -> str:
    """Return an annotation as text, in which the two twins of a class are one."""
    return (
        (annotation if isinstance(annotation, str) else inspect.formatannotation(annotation))
        .replace("Async", "")
        .replace("clio_nb.aio.", "")
        .replace("clio_nb.session.", "")
    )


@EACH_TWIN
def test_what_waits_and_what_is_awaited_have_one_name_and_the_same_arguments(awaited, waiting):
    assert inspect.iscoroutinefunction(awaited) or awaited is aio.verify_launch  # it begins at the call
    assert not inspect.iscoroutinefunction(waiting)
    assert waiting.__name__ == awaited.__name__
    assert parameters(waiting) == parameters(awaited)


@pytest.mark.parametrize(("awaited", "waiting"), [pytest.param(a, w, id=name) for name, a, w in BUILT])
def test_the_twins_of_a_class_are_built_alike(awaited, waiting):
    assert parameters(waiting) == parameters(awaited)
    assert f"{awaited.__module__}.{awaited.__qualname__}" == f"clio_nb.aio.{waiting.__name__}"


def test_every_verb_of_the_face_that_talks_to_a_network_is_awaited_by_its_own_name():
    verbs = {name for name in clio_nb.__all__ if inspect.isroutine(getattr(clio_nb, name))}
    assert verbs - OFFLINE <= set(FUNCTIONS)


def test_every_method_that_waits_is_awaited_by_its_own_name():
    on_the_vault = {"import_tokens", "tokens", "export_tokens"}
    for owner in ("Session", "Firm", "Login"):
        verbs = {name for name, verb in vars(waits(owner)).items() if name[0] != "_" and inspect.isfunction(verb)}
        assert verbs - on_the_vault == set(methods(owner))


def test_nothing_public_says_async_in_its_name():
    public = [name for room in (clio_nb, aio, launches) for name in dir(room)]
    public += [
        name for each in CLASSES for side in (aio, None) for name in dir(getattr(aio, each) if side else waits(each))
    ]
    assert [name for name in public if "async" in name.lower() and name != "allow_nested_asyncio"] == []


@EACH_TWIN
def test_a_verb_shows_the_arguments_types_defaults_and_documentation_of_its_source(awaited, waiting):
    for verb in (awaited, waiting):
        source = inspect.unwrap(verb)
        first, *others = parameters(verb)
        assert others == parameters(source)[1:]
        assert first == parameters(source)[0] or (first[0], parameters(source)[0][0]) == ("session", "self")
        assert "args" not in str(inspect.signature(verb))
        assert verb.__doc__
        assert verb.__module__ == source.__module__
        names = typing.get_type_hints(verb, localns={"pd": pd, "Picture": Picture})
        assert set(names) - {"return"} == {name for name, *_ in parameters(verb)} - {"self"}
        assert "return" in names


@pytest.mark.parametrize("name", ON_A_SESSION)
def test_help_shows_the_arguments_of_a_function(name):
    shown = pydoc.plain(pydoc.render_doc(getattr(clio_nb, name)))
    assert f"{name}(session" in shown
    assert inspect.getdoc(getattr(clio_nb, name)).splitlines()[0] in shown


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("clio.sandbox(", {"users=", "seed=", "rate_limit="}),
        ("clio.create_action(session, ", {"label=", "target_url=", "at="}),
        ("session.create_action(", {"label=", "target_url=", "at="}),
        ("session.update_action(1, ", {"label=", "target_url=", "at="}),
        ("clio.login(", {"site=", "user=", "show=", "timeout="}),
        ("clio.verify_launch(url, ", {"sessions=", "fields=", "target=", "actions="}),
        ("clio.probe(", {"receiver_url=", "site=", "user="}),
        ("clio.inbox(", {"site=", "sessions=", "verify=", "port="}),
        ("clio.Firm(", {"site=", "vault=", "name=", "timeout="}),
        ("clio.connect(", {"region=", "client_id=", "client_secret="}),
        ("clio.aio.create_action(session, ", {"label=", "target_url=", "at="}),
    ],
)
@pytest.mark.parametrize("jedi", [True, False])
def test_a_notebook_completes_arguments(clio_sandbox, line, completed, jedi):
    shell = InteractiveShell.instance()
    shell.Completer.use_jedi = jedi
    shell.user_ns.update(clio=clio_nb, session=clio_nb.login(clio_sandbox), url="")
    with provisionalcompleter():
        found = {each.text for each in shell.Completer.completions(line, len(line))}
    assert completed <= found


def test_the_sandbox_is_a_class_whose_help_is_its_own():
    assert inspect.isclass(clio_nb.sandbox)
    assert {"users", "seed", "rate_limit"} <= set(inspect.signature(clio_nb.sandbox).parameters)
    assert "rate_limit" in pydoc.plain(pydoc.render_doc(clio_nb.sandbox))


@pytest.fixture
def others(clio_sandbox):
    """Everything that somebody might pass first by mistake."""
    session = clio_nb.login(clio_sandbox)
    return {
        "a site": clio_sandbox,
        "a firm": clio_nb.Firm(clio_sandbox),
        "a form": clio_nb.forms.login(clio_sandbox),
        "a class": clio_nb.Session,
        "an awaited class": aio.Session,
        "nothing": None,
        "a text": "Send",
        "a number": 7,
        "a user": session.user,
        "the verb itself": clio_nb.login,
    }


REST = {
    "get_action": [1],
    "create_action": ["Sign", "https://partner.example/", "matters"],
    "update_action": [1],
    "delete_action": [1],
    "record": [None],
    "list_records": ["matters"],
}


@pytest.mark.parametrize("name", [*ON_A_SESSION, "actions_table"])
def test_a_wrong_first_argument_is_a_sentence_that_says_what_to_pass(others, clio_sandbox, name):
    session = clio_nb.login(clio_sandbox)
    for face, stranger in ((clio_nb, session.aio), (aio, session)):
        for said, value in [*others.items(), ("the other twin", stranger)]:
            with pytest.raises(
                InvalidInput, match=r"(?s)\) needs a session, not .*\. (Pass|For|Sign|Await)"
            ) as refused:
                clio_nb.http.loop.run(_called, getattr(face, name), value, *REST.get(name, []))
            assert name in str(refused.value), said
    with pytest.raises(InvalidInput, match="not None"):
        getattr(clio_nb, name)(None, *REST.get(name, []))


async def _called(verb, *arguments):
    outcome = verb(*arguments)
    return await outcome if inspect.isawaitable(outcome) else outcome


@pytest.mark.parametrize("name", ON_A_SESSION)
def test_the_first_argument_can_be_named(clio_sandbox, name):
    with pytest.raises(InvalidInput, match="needs a session"):
        getattr(clio_nb, name)(session=clio_sandbox)
    assert clio_nb.who_am_i(session=clio_nb.login(clio_sandbox)).id == clio_sandbox.users[0].id


@pytest.mark.parametrize(
    "call",
    [
        clio_nb.login,
        lambda wrong: clio_nb.Session(wrong, "token"),
        clio_nb.Firm,
        clio_nb.inbox,
        login.Login,
        lambda wrong: clio_nb.probe("http://127.0.0.1:1/", wrong),
        lambda wrong: aio.Session(wrong, "token"),
        aio.Firm,
        lambda wrong: clio_nb.http.loop.run(aio.login, wrong),
    ],
)
def test_a_wrong_site_is_a_sentence_that_says_what_to_pass(others, call):
    for said, value in others.items():
        if said != "a site":
            with pytest.raises(InvalidInput, match=r"Expected a site, got .*\. Pass what clio\.connect"):
                call(value)


@pytest.mark.parametrize("wrong", ["a site", "a form", "a class", "nothing", "a text", "a number"])
def test_a_launch_and_a_form_say_which_sessions_they_need(others, wrong):
    with pytest.raises(InvalidInput, match=r"Pass the session of the user who clicked"):
        clio_nb.verify_launch("https://partner.example/", others[wrong])
    if wrong not in ("a site", "a form"):  # which tell who is signed in
        for form in (clio_nb.forms.create_action, clio_nb.forms.launch, clio_nb.forms.my_actions):
            with pytest.raises(InvalidInput, match="needs a session, not"):
                form(others[wrong])
    with pytest.raises(InvalidInput, match="Pass a table of actions"):
        clio_nb.locations_matrix(others[wrong])


def test_the_user_of_a_bare_token_is_asked_for_first(clio_sandbox):
    token = clio_sandbox.token(clio_sandbox.users[1].id)["access_token"]
    session = clio_nb.Session(clio_sandbox, token)
    for side in (session, session.aio):
        with pytest.raises(InvalidInput, match=r"Call who_am_i\(\) first\."):
            side.user  # noqa: B018 -- the access is the test
    assert session.who_am_i() == session.user == session.aio.user


def test_what_is_awaited_of_a_firm_is_plain_and_the_same_as_the_table(clio_sandbox):
    firm = clio_nb.Firm(clio_sandbox)
    session = clio_nb.login(clio_sandbox)
    session.create_action("Sign", "https://partner.example/", "matters")
    firm.add(session)
    for name in ("users", "actions", "coverage", "drift", "audit", "runs"):
        rows, table = clio_nb.http.loop.run(getattr(firm.aio, name)), getattr(firm, name)()
        assert isinstance(rows, list)
        assert isinstance(table, pd.DataFrame)
        assert len(rows) == len(table)
    rows = clio_nb.http.loop.run(aio.actions_table, session.aio)
    assert [(user.id, action.id) for user, action in rows] == [(session.user.id, session.list_actions()[0].id)]
