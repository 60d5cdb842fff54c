"""Promise L19: a cookie opens the door for which it was signed, and that door's rules are asked on every visit."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import clio_nb as clio
from clio_nb.errors import InvalidInput
from clio_nb.launches import inspect_launch, load_launch, replay, save_launch, verify_launch
from clio_nb.launches.proof import known_actions
from clio_nb.models import App, CustomAction
from clio_nb.probe import probe
from clio_nb.sandbox import Sandbox
from clio_nb.secret import Secret
from clio_nb.vocabulary import Region
from clio_nb.web import asgi, wsgi

from .conftest import KEY, Person
from .test_receiver import APPS, asgi_page, at, wsgi_page

OTHER_KEY = "another key, long enough to sign cookies"
PATH = "/view"
LAUNCH = "https://partner.example/?custom_action_id=1&user_id=2&subject_url=/api/v4/matters/3&custom_action_nonce=x4"


@pytest.fixture(params=["asgi", "wsgi"])
def kind(request):
    return request.param


def behind(kind, page, sessions, key=KEY, **options):
    return {"asgi": asgi, "wsgi": wsgi}[kind].LaunchMiddleware(page, sessions, key, **options)


def page_of(kind):
    return {"asgi": asgi_page, "wsgi": wsgi_page}[kind]


def header(browser):
    """All cookies of a browser, sent to wherever they are tried."""
    return {"cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items())}


@pytest.fixture
def entered(anna, serve, kind, browser):
    """Launch at a door; returns the query of the clean address, with the cookies in ``browser``."""

    def enter(sessions, **options):
        origin = serve(behind(kind, page_of(kind), sessions, path=PATH, **options), kind)
        query = f"?{anna.click().partition('?')[2]}"
        moved = browser.get(f"{origin}{PATH}{query}", headers={"host": "public.example"})
        assert moved.status_code == 303
        clean = moved.headers["location"]
        shown = browser.get(f"{origin}{PATH}{clean}", headers={**header(browser), "host": "public.example"})
        assert shown.text == f"{anna.id} {anna.action().id} {anna.subject()}"
        return clean, query

    return enter


@pytest.fixture
def tried(serve, kind, browser, sent):
    """Go to a door with all that the browser has, by the clean address and by the launch; returns what it meets."""

    def go(clean, query, sessions, *, path=PATH, key=KEY, **options):
        origin = serve(behind(kind, page_of(kind), sessions, key, path=path, **options), kind)
        headers = {**header(browser), "host": "public.example"}
        sent()
        first = browser.get(f"{origin}{path}{clean}", headers=headers).status_code
        assert sent() == [], "the rules are asked without a request"
        return first, browser.get(f"{origin}{path}{query}", headers=headers).status_code

    return go


def test_l19_the_same_door_in_another_process_knows_it(anna, entered, tried):
    assert tried(*entered(anna.session, actions="any"), anna.session, actions="any") == (200, 303)
    known_actions.actions_cache.clear()
    assert tried(*entered(anna.session), anna.session) == (200, 303)
    assert tried(*entered(anna.session), [anna.session], key=[OTHER_KEY, KEY]) == (200, 303)


OTHERS = {
    "another path": {"path": "/admin"},
    "a longer path": {"path": "/view/more"},
    "a target": {"target": "http://public.example/view"},
    "a list without the action": {"actions": []},
    "a list with that id in another place": {"actions": "misplaced"},
    "another key": {"key": OTHER_KEY},
    "several other keys": {"key": [OTHER_KEY, OTHER_KEY[::-1]]},
}


@pytest.mark.parametrize("options", OTHERS.values(), ids=OTHERS)
def test_l19_a_launch_that_was_proved_at_one_door_opens_no_other(anna, entered, tried, options):
    if options.get("actions") == "misplaced":
        misplaced = CustomAction(id=anna.action().id, ui_reference="contacts/show")
        options = {"actions": [misplaced]}
    launch = entered(anna.session, actions="any")
    assert tried(*launch, anna.session, **{"actions": "any", **options}) in [(400, 403), (400, 400)]


def test_l19_two_doors_in_one_app_with_one_key(anna, serve, kind, browser):
    target = "http://public.example/admin"
    inner = behind(kind, page_of(kind), anna.session, path="/admin", target=target, actions=[anna.action()])
    origin = serve(behind(kind, inner, anna.session, path=PATH, actions="any"), kind)
    moved = browser.get(at(origin, anna.click(), PATH))
    assert moved.status_code == 303
    cookie, clean = header(browser), moved.headers["location"]
    assert browser.get(f"{origin}{PATH}{clean}").status_code == 200
    admin = browser.get(f"{origin}/admin{clean}", headers={**cookie, "host": "public.example"})
    assert admin.status_code == 400


def test_l19_the_cookie_stays_under_the_path_of_the_launches(anna, serve, kind, browser):
    moved = browser.get(at(serve(behind(kind, page_of(kind), anna.session, path=PATH), kind), anna.click(), PATH))
    assert f"; Path={PATH}; " in moved.headers["set-cookie"]


def test_l19_after_the_target_was_changed_what_was_proved_before_is_not_shown(anna, entered, tried):
    launch = entered(anna.session, target="http://public.example/view")
    same = {"target": "http://public.example/view"}
    assert tried(*launch, anna.session, **same) == (200, 303)
    assert tried(*launch, anna.session, target="http://public.example/view?tenant=7") == (400, 400)


@pytest.mark.parametrize("spoilt", ["tenant=8&", "", "tenant=7&tenant=8&"])
def test_l19_the_targets_own_parameters_are_asked_for_on_every_visit(anna, serve, kind, browser, spoilt):
    target = "http://public.example/view?tenant=7"
    origin = serve(behind(kind, page_of(kind), anna.session, path=PATH, target=target), kind)
    public = {"host": "public.example"}
    moved = browser.get(at(origin, anna.click(), PATH) + "&tenant=7", headers=public)
    clean = moved.headers["location"]
    cookies = {**header(browser), **public}
    assert browser.get(f"{origin}{PATH}{clean}", headers=cookies).status_code == 200
    assert browser.get(f"{origin}{PATH}{clean.replace('tenant=7&', spoilt)}", headers=cookies).status_code == 400


def test_l19_an_action_that_leaves_the_doors_list_is_shown_no_more(anna, serve, kind, browser):
    ours = [anna.action()]
    origin = serve(behind(kind, page_of(kind), anna.session, path=PATH, actions=ours), kind)
    clean = browser.get(at(origin, anna.click(), PATH)).headers["location"]
    assert browser.get(f"{origin}{PATH}{clean}").status_code == 200
    ours.clear()
    assert browser.get(f"{origin}{PATH}{clean}").status_code == 400


def test_l19_an_action_that_clio_lists_no_more_is_shown_no_more(anna, serve, kind, browser):
    origin = serve(behind(kind, page_of(kind), anna.session, path=PATH), kind)
    clean = browser.get(at(origin, anna.click(), PATH)).headers["location"]
    other = anna.click("contacts")
    clio.delete_action(anna.session, anna.action())
    assert browser.get(f"{origin}{PATH}{clean}").status_code == 200, "nobody has told this process so far"
    assert verify_launch(other, anna.session)
    assert browser.get(f"{origin}{PATH}{clean}").status_code == 400


@pytest.mark.parametrize("once", [iter, lambda items: (one for one in items), lambda items: filter(None, items)])
def test_l19_actions_and_sessions_that_can_be_looked_through_once_are_kept(anna, serve, kind, browser, once):
    sessions, actions = once([anna.session]), once([anna.action()])
    origin = serve(behind(kind, page_of(kind), sessions, path=PATH, actions=actions), kind)
    for number in range(3):
        moved = browser.get(at(origin, anna.click(number=number), PATH))
        assert moved.status_code == 303
        assert browser.get(moved.next_request.url).status_code == 200


def test_the_inbox_too_keeps_sessions_that_can_be_looked_through_once(anna, browser):
    with clio.inbox(anna.site, iter([anna.session])) as inbox:
        for number in range(2):
            browser.get(at(inbox.url, anna.click(number=number), ""))
        assert [received.state for received in inbox] == ["verified", "verified"]


def test_l19_another_app_or_another_clio_behind_the_same_door_does_not_count(anna, entered, tried):
    launch = entered(anna.session, actions="any")
    user = anna.session.user
    app = App(Region.US, "another", Secret("x" * 20), origin="http://127.0.0.1:9")
    other_app = clio.Session(SimpleNamespace(**{**vars_of(anna.site), "client_id": "another"}), "token", user=user)
    other_clio = clio.Session(app, "token", user=user)
    for stranger in (other_app, other_clio, [], [other_app, other_clio]):
        first, again = tried(*launch, stranger, actions="any")
        assert first == 400
        assert again in (403, 503)
    assert tried(*launch, [other_app, anna.session], actions="any")[0] == 200, "two apps behind one door"


def vars_of(site):
    return {name: getattr(site, name) for name in ("origin", "client_id", "client_secret", "region", "control_url")}


def test_l19_staging_and_production_with_one_key(anna, entered, tried):
    launch = entered(anna.session, actions="any")
    with Sandbox() as production:
        same_user = Person(production, next(user for user in production.users if user.id == anna.id))
        assert tried(*launch, same_user.session, actions="any") == (400, 403)


def test_l19_a_user_whose_access_was_taken_away_is_shown_nothing(anna, entered, tried):
    class Vault:
        session = anna.session

        def session_of(self, _):
            if self.session is None:
                raise clio.errors.NeedsLogin("Ask this user to sign in.")
            return self.session

    firm = Vault()
    launch = entered(firm)
    assert tried(*launch, firm) == (200, 303)
    firm.session = None
    assert tried(*launch, firm) == (400, 403)


def test_l19_a_session_whose_user_is_not_known_here_yet_is_not_asked(anna, site, entered, tried):
    launch = entered(anna.session, actions="any")
    bare = clio.Session(site, site.token(anna.id)["access_token"])
    assert tried(*launch, bare, actions="any") == (200, 303)


def test_l19_another_user_in_the_same_browser_gets_her_own_launch_only(anna, ben, serve, kind, browser):
    origin = serve(behind(kind, page_of(kind), [anna.session, ben.session], path=PATH), kind)
    mine = browser.get(at(origin, anna.click(), PATH)).headers["location"]
    his = browser.get(at(origin, ben.click(), PATH)).headers["location"]
    assert mine != his
    assert browser.get(f"{origin}{PATH}{mine}").text.startswith(f"{anna.id} ")
    assert browser.get(f"{origin}{PATH}{his}").text.startswith(f"{ben.id} ")
    swapped = at(origin, anna.click(), PATH).replace(f"user_id={anna.id}", f"user_id={ben.id}")
    assert browser.get(swapped).status_code == 403


def test_l19_a_firm_is_asked_its_vault_and_not_clio(anna, site, serve, kind, browser, sent):
    firm = clio.Firm(site)
    firm.add(anna.session)
    origin = serve(APPS[kind](firm if kind == "wsgi" else firm.aio), kind)
    clean = browser.get(at(origin, anna.click())).next_request.url
    sent()
    assert browser.get(clean).status_code == 200
    assert sent() == []


WRONG = {
    "sessions": [None, "token", 3, clio.Session],
    "key": [None, 3, [KEY, None], [], "short", [KEY, "short"]],
    "actions": ["all", None, 3],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_what_a_door_cannot_work_with_is_refused_when_it_is_made(kind, name, value):
    with pytest.raises(InvalidInput) as refused:
        behind(kind, None, **{"sessions": [], "key": KEY, name: value})
    assert refused.value.field == name


@pytest.mark.parametrize(
    ("field", "call"),
    [
        ("actions", lambda site: verify_launch("x", [], actions="all")),
        ("fields", lambda site: verify_launch("x", [], fields=3)),
        ("site", lambda site: clio.inbox(None)),
        ("site", lambda site: clio.inbox(None, [])),
        ("site", lambda site: clio.inbox(None, verify=False)),
        ("sessions", lambda site: clio.inbox(site, "token")),
        ("port", lambda site: clio.inbox(site, port="8000")),
        ("port", lambda site: clio.inbox(site, port=70_000)),
        ("launch", lambda site: replay(None, "http://127.0.0.1:1/", site)),
        ("to", lambda site: replay("saved.json", None, site)),
        ("site", lambda site: replay(inspect_launch(LAUNCH).launch, "http://127.0.0.1:1/", None)),
        ("received", lambda site: save_launch(None, "saved.json")),
        ("received", lambda site: save_launch(inspect_launch(LAUNCH), "saved.json")),
        ("path", lambda site: load_launch(None)),
        ("receiver_url", lambda site: probe(None, site)),
        ("site", lambda site: probe("http://127.0.0.1:1/", None)),
        ("at", lambda site: probe("http://127.0.0.1:1/", site, at=3)),
    ],
)
def test_a_wrong_argument_of_the_launch_room_is_refused_with_what_to_pass(site, field, call):
    with pytest.raises(InvalidInput) as refused:
        call(site)
    assert refused.value.field == field


def test_an_inbox_proves_only_launches_of_its_own(site):
    with clio.inbox(site) as box, pytest.raises(InvalidInput, match="one of its launches"):
        box.verify(None)
