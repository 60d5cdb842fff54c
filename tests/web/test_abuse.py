"""What forged launches cost, what a page may read of a proved one, and whose token is used where there are many."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import event

import clio_nb as clio
from clio_nb.launches.proof.known_actions import CAREFUL, MOST, actions_cache
from clio_nb.models import Token, User
from clio_nb.sandbox import Sandbox
from clio_nb.secret import Secret
from clio_nb.vault._grants import Grant
from clio_nb.vault.vault import firm_key_of
from clio_nb.web import ProvedLaunch, VaultSessions, asgi

from . import apps
from .apps import KEY, SHOWN

MADE = {"asgi": ("asgi", apps.starlette), "wsgi": ("wsgi", apps.flask)}


@pytest.fixture(params=MADE)
def made(request):
    return MADE[request.param]


def query_of(click):
    return click.partition("?")[2]


# Abuse


def test_l24_forged_launches_do_not_empty_her_minute(anna, serve, browser, made, sent):
    origin = serve(made[1](anna.session), made[0])
    anna.click()
    sent()
    for number in range(100):
        forged = anna.click(custom_action_nonce=f"forged-{number}", custom_action_id=str(10_000 + number))
        browser.get(f"{origin}/launch?{query_of(forged)}")
    asked = [path for method, path, _, _ in sent() if method == "GET" and path.startswith("/api")]
    assert len(asked) <= CAREFUL + 1, "some nonces, and then the list of her actions, once"


def test_l24_forged_launches_of_an_action_that_is_hers_leave_her_most_of_her_minute(anna, serve, browser, made, sent):
    origin = serve(made[1](anna.session), made[0])
    clicks = [anna.click(custom_action_nonce=f"forged-{number}") for number in range(100)]
    sent()
    for forged in clicks:
        assert browser.get(f"{origin}/launch?{query_of(forged)}").status_code == 403
    asked = [path for method, path, _, _ in sent() if method == "GET" and path.startswith("/api")]
    assert len(asked) <= MOST + 1


def test_l24_many_forged_at_once_count_before_they_are_answered(anna, site, sent):
    door = asgi.LaunchMiddleware(None, anna.session, KEY)
    queries = [query_of(anna.click(custom_action_nonce=f"forged-{number}")) for number in range(60)]
    sent()

    async def all_at_once():
        from clio_nb.launches._pages import Visit

        visits = (door.admit(Visit("GET", "http", "x.example", "/launch", one, {}), ("/launch",)) for one in queries)
        await asyncio.gather(*visits)

    asyncio.run(all_at_once())
    assert len(sent()) <= MOST + 1


def test_l24_a_genuine_click_amid_forged_ones_is_let_in(anna, serve, browser, made):
    origin = serve(made[1](anna.session), made[0])
    for number in range(CAREFUL + 3):
        forged = anna.click(custom_action_nonce=f"forged-{number}", custom_action_id=str(10_000 + number))
        browser.get(f"{origin}/launch?{query_of(forged)}")
    page = browser.get(f"{origin}/launch?{query_of(anna.click())}", follow_redirects=True)
    assert page.text.startswith(SHOWN)


def test_l24_after_a_minute_all_is_forgiven(anna, serve, browser, made, clock):
    origin = serve(made[1](anna.session), made[0])
    for number in range(MOST + 2):
        browser.get(f"{origin}/launch?{query_of(anna.click(custom_action_nonce=f'forged-{number}'))}")
    assert browser.get(f"{origin}/launch?{query_of(anna.click())}").status_code == 403
    clock.advance(61)
    assert browser.get(f"{origin}/launch?{query_of(anna.click())}").status_code == 303


def test_an_action_that_was_made_a_moment_ago_is_let_in_however_well_her_others_are_known(anna, serve, browser, made):
    origin = serve(made[1](anna.session), made[0])
    for at in ("matters", "contacts", "documents", "activities"):  # each is new to the door
        click = anna.click(at)
        page = browser.get(f"{origin}/launch?{query_of(click)}", follow_redirects=True)
        assert page.text.startswith(SHOWN)


# The record


def page_with_record(kept, fields=None):
    """An app whose page shows the record."""
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def page(request):
        launch = asgi.launch_of(request)
        record = await launch.record(fields=fields)
        kept.append(launch)
        return PlainTextResponse(f"{launch.session.user.name}: {record.title}")

    def waiting(request):
        launch = ProvedLaunch.of(asgi.launch_of(request))
        return PlainTextResponse(f"{launch.session.user.name}: {launch.record().title}")

    return Starlette(routes=[Route("/launch", page), Route("/waiting", waiting)])


def test_the_page_gets_what_the_proof_has_read_and_else_reads_it(anna, site, serve, browser, sent, clock):
    kept = []
    app = page_with_record(kept)
    app.add_middleware(asgi.LaunchMiddleware, sessions=anna.session, key=KEY)
    origin = serve(app, "asgi")
    click = anna.click()
    sent()
    page = browser.get(f"{origin}/launch?{query_of(click)}", follow_redirects=True)
    title = site.records("matters")[0]["name"]
    assert page.text == f"{anna.session.user.name}: {title}"
    assert [nonce for _, path, nonce, _ in sent() if "/matters/" in path] == [True]
    clock.now += 61
    assert browser.get(page.url).text == page.text
    assert [nonce for _, path, nonce, _ in sent() if "/matters/" in path] == [False]
    assert kept[0] == kept[1]
    assert title not in repr(kept[0])


def test_the_page_reads_it_again_with_fields_of_its_own(anna, serve, browser, sent):
    kept = []
    app = page_with_record(kept, "id,client{name}")
    app.add_middleware(asgi.LaunchMiddleware, sessions=anna.session, key=KEY)
    origin = serve(app, "asgi")
    click = anna.click()
    sent()
    browser.get(f"{origin}/launch?{query_of(click)}", follow_redirects=True)
    assert [nonce for _, path, nonce, _ in sent() if "/matters/" in path] == [True, False]


def test_a_page_that_waits_has_the_same_launch(anna, site, serve, browser):
    app = page_with_record([])
    app.add_middleware(asgi.LaunchMiddleware, sessions=anna.session, key=KEY, path="/waiting")
    page = browser.get(f"{serve(app, 'asgi')}/waiting?{query_of(anna.click())}", follow_redirects=True)
    assert page.text == f"{anna.session.user.name}: {site.records('matters')[0]['name']}"


# Whose token


@pytest.fixture
def regions():
    with Sandbox(regions=("us", "eu")) as site:
        yield site, site.at("eu")


@pytest.fixture
def vault(tmp_path, monkeypatch):
    monkeypatch.setenv("CLIO_NB_KEY", clio.vault.new_key().reveal())
    return clio.Vault.open(tmp_path / "vault.sqlite")


def same_user_in_both(us, eu, vault):
    """Keep a user of each region under one id, as two regions may give it; returns both sessions."""
    sessions = [clio.login(one, one.users[0].id) for one in (us, eu)]
    for site, session in zip((us, eu), sessions, strict=True):
        token = site.token(session.user.id)["access_token"]
        user = User(id=us.users[0].id, name=session.user.name)
        vault.keep(site, user, Token.of(token), firm=f"firm {site.region}")
    return sessions


def test_one_door_serves_all_regions_and_firms_of_a_vault(regions, vault, serve, browser, made):
    us, eu = regions
    for each, user, firm in ((us, us.users[0], "one"), (eu, eu.users[1], "two")):
        vault.keep(each, User(id=user.id), Token.of(each.token(user.id)["access_token"]), firm=firm)
    origin = serve(made[1](VaultSessions(vault, [us, eu])), made[0])
    for site, user in ((us, us.users[0]), (eu, eu.users[1])):
        session = clio.login(site, user.id)
        action = clio.create_action(session, "Sign", "https://partner.example/launch", "matters")
        click = site.click(user.id, action.id, site.records("matters")[0]["subject_url"])
        page = browser.get(f"{origin}/launch?{query_of(click)}", follow_redirects=True)
        assert page.text.startswith(f"{SHOWN} {user.id}")


def requests_with_nonce(*sites):
    return [sum("custom_action_nonce" in one["query"] for one in site.requests) for site in sites]


def test_where_two_regions_know_one_user_id_the_action_tells_and_one_nonce_goes_to_one_of_them(regions, vault):
    us, eu = regions
    sessions = same_user_in_both(us, eu, vault)
    door = VaultSessions(vault, [us, eu])
    for number, (site, session) in enumerate(zip((us, eu), sessions, strict=True)):
        action = clio.create_action(session, f"Sign {number}", "https://partner.example/launch", "matters")
        click = site.click(session.user.id, action.id, site.records("matters")[0]["subject_url"])
        actions_cache.clear()
        before = requests_with_nonce(us, eu)
        assert clio.verify_launch(click.replace(f"={session.user.id}&", f"={us.users[0].id}&"), door)
        after = requests_with_nonce(us, eu)
        assert [one - two for one, two in zip(after, before, strict=True)] == [number == 0, number == 1]


def test_an_action_that_does_not_tell_the_region_is_refused_without_a_nonce(regions, vault):
    us, eu = regions
    same_user_in_both(us, eu, vault)
    launch = f"https://x.example/?custom_action_id=1&user_id={us.users[0].id}&subject_url=/api/v4/matters/1"
    before = requests_with_nonce(us, eu)
    verdict = clio.verify_launch(f"{launch}&custom_action_nonce=abc", VaultSessions(vault, [us, eu]))
    assert verdict.state in ("refused", "unknown")
    assert requests_with_nonce(us, eu) == before


def test_whose_token_is_one_look_up_among_four_hundred_firms(site, vault):
    grants = [
        (firm_key_of(site, f"firm {firm}"), Grant(User(id=firm * 100 + user), Token(access=Secret("t"))))
        for firm in range(400)
        for user in range(10)
    ]
    vault.sealed.keep_all(grants)
    door, asked = VaultSessions(vault, site), []
    engine = vault.database._opened()
    event.listen(engine, "before_cursor_execute", lambda *said: asked.append(said[2]))
    (session,) = asyncio.run(door.session_of(39_905))
    assert session.user.id == 39_905
    selects = [one for one in asked if one.lstrip().upper().startswith("SELECT")]
    assert len(selects) <= 2, "whose it is, and the token"
    with engine.connect() as database:
        plan = database.exec_driver_sql(f"EXPLAIN QUERY PLAN {selects[0]}", ("a", "b", 1, "")[: selects[0].count("?")])
        assert "clio_nb_grants_user" in str(plan.all())


def test_a_user_of_no_firm_has_no_session(site, vault):
    assert asyncio.run(VaultSessions(vault, site).session_of(5)) == []
    actions_cache.clear()
    assert (
        clio.verify_launch(
            "https://x.example/?custom_action_id=1&user_id=5&subject_url=/api/v4/matters/1&custom_action_nonce=a",
            VaultSessions(vault, site),
        ).reason
        == "There is no token for user 5. Ask that user to sign in."
    )
