"""One user's session against the embedded Clio."""

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import clio_nb
from clio_nb import errors
from clio_nb.http import loop, timeouts, transport
from clio_nb.models import CustomAction, Subject, Token
from clio_nb.secret import Secret
from clio_nb.vocabulary import Location

TARGET = "https://partner.example/launch"


def create(session, label="Send for signature", at="matters"):
    return clio_nb.create_action(session, label, TARGET, at=at)


def test_a_session_knows_its_user_and_firm(session, clio_sandbox):
    assert session.user.name == clio_sandbox.users[0].name
    assert session.user.account.name
    assert clio_sandbox.users[0].name in repr(session)


@pytest.mark.parametrize("location", list(Location))
def test_an_action_is_created_in_each_place_and_read_back(session, location):
    made = create(session, at=location)
    assert (made.label, made.target_url, made.location) == ("Send for signature", TARGET, location)
    assert session.get_action(made.id) == made
    assert session.list_actions() == [made]


def test_an_action_belongs_to_one_user(session, clio_sandbox):
    create(session)
    assert clio_nb.login(clio_sandbox, clio_sandbox.users[1].id).list_actions() == []


def test_a_change_is_made_in_place(session):
    made = create(session)
    changed = session.update_action(made, label="Send again", at="contacts")
    assert (changed.id, changed.label, changed.location) == (made.id, "Send again", Location.CONTACTS)
    assert changed.target_url == TARGET


def test_a_change_of_what_somebody_else_changed_is_a_conflict(session):
    made = create(session)
    session.update_action(made.id, label="By somebody else")
    with pytest.raises(errors.Conflict, match="read it again"):
        session.update_action(made, label="Mine")
    assert session.get_action(made.id).label == "By somebody else"


def test_a_deleted_action_is_gone(session):
    made = create(session)
    session.delete_action(made)
    with pytest.raises(errors.NotFound):
        session.get_action(made.id)


def test_a_function_and_a_method_are_one(session):
    assert clio_nb.create_action(session, "Sign", TARGET, "matters") == session.list_actions()[0]
    assert clio_nb.who_am_i(session) == session.who_am_i()


def test_the_async_class_works_from_any_loop(session):
    async def story():
        async with clio_nb.aio.Session(session.site, await session.aio.token()) as s:
            await s.create_action("Async", TARGET, "folders")
            return [action.label for action in await s.list_actions()]

    assert asyncio.run(story()) == ["Async"]
    assert asyncio.run(session.aio.list_actions())[0].label == "Async"


@pytest.mark.clio_sandbox(rate_limit=None)
def test_many_threads_share_one_session(session):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: create(session, f"Action {n}"), range(24)))
    assert len({action.id for action in made}) == 24


def test_records_have_a_title_a_person_knows(session):
    matters = session.list_records("matters")
    record = session.record(matters[0].subject)
    assert record.title == record.data["display_number"]
    assert session.record(session.list_records("activities")[0].subject).title


def test_users_of_the_firm_are_listed(session, clio_sandbox):
    assert {user.id for user in clio_sandbox.users} <= {user.id for user in session.list_users()}


@pytest.mark.clio_sandbox(users=450)
def test_a_list_of_many_pages_is_read_to_its_end(session, clio_sandbox):
    users = session.list_users()
    assert len({user.id for user in users}) == len(users) >= 450
    assert [r["path"] for r in clio_sandbox.requests].count("/api/v4/users") == -(-len(users) // 200)


# What cannot be right is refused before anything is sent.


@pytest.mark.parametrize(
    ("label", "target", "at", "field", "words"),
    [
        ("", TARGET, "matters", "label", "is empty"),
        ("   ", TARGET, "matters", "label", "is empty"),
        ("x" * 34, TARGET, "matters", "label", "34 characters; Clio takes 32"),
        ("ok", "partner.example/launch", "matters", "target_url", "absolute"),
        ("ok", "javascript:alert(1)", "matters", "target_url", "absolute"),
        ("ok", TARGET, "tasks", "at", "Use one of"),
    ],
)
def test_bad_input_is_named_and_never_sent(session, clio_sandbox, label, target, at, field, words):
    before = len(clio_sandbox.requests)
    with pytest.raises(errors.InvalidInput, match=words) as caught:
        session.create_action(label, target, at=at)
    assert caught.value.field == field
    assert len(clio_sandbox.requests) == before


def test_a_label_taken_already_names_the_action_that_has_it(session):
    made = create(session)
    with pytest.raises(errors.ActionExists, match=f"id {made.id}") as caught:
        create(session)
    assert caught.value.action_id == made.id
    assert session.user.name in str(caught.value)


def test_an_update_that_says_nothing_is_refused(session):
    with pytest.raises(errors.InvalidInput, match="Say what to change"):
        session.update_action(create(session))


# Tokens.


def test_an_expired_token_is_renewed_once_for_fifty_calls(session, clio_sandbox, moved):
    clio_sandbox.advance(40 * 24 * 3600)

    async def fifty():
        return await asyncio.gather(*(session.aio.list_actions() for _ in range(50)))

    assert asyncio.run(fifty()) == [[]] * 50
    assert [r["path"] for r in clio_sandbox.oauth_requests].count("/oauth/token") == 1


def test_a_revoked_user_needs_a_login_and_is_named(session, clio_sandbox):
    clio_sandbox.revoke(session.user.id)
    with pytest.raises(errors.NeedsLogin, match="Sign the user in again") as caught:
        session.list_actions()
    assert session.user.name in str(caught.value)


def test_a_bare_token_that_ended_cannot_be_renewed(clio_sandbox):
    session = clio_nb.Session(clio_sandbox, "no-such-token")
    with pytest.raises(errors.NeedsLogin):
        session.list_actions()


def test_the_old_refresh_token_is_kept_when_none_comes_back(session, clio_sandbox):
    before = asyncio.run(session.aio.token())
    after = asyncio.run(session.aio.renew(before))
    assert after.access != before.access
    assert after.refresh == before.refresh


def test_a_token_about_to_end_is_renewed_before_it_is_used(session, clio_sandbox):
    token = asyncio.run(session.aio.token())
    ending = Token(access=token.access, refresh=token.refresh, expires_at=0.0)
    clio_nb.Session(clio_sandbox, ending).who_am_i()
    assert [r["path"] for r in clio_sandbox.oauth_requests] == ["/oauth/token"]


@pytest.mark.clio_sandbox(regions=("us", "eu"))
def test_a_token_of_one_region_is_refused_by_another(clio_sandbox):
    token = clio_sandbox.token(clio_sandbox.users[0].id)["access_token"]
    abroad = clio_nb.aio.Session(clio_sandbox.at("eu"), token)

    async def once():
        from clio_nb.http import messages

        await abroad.request(messages.who_am_i(), dict, once=True)

    with pytest.raises(errors.Unauthorized, match="region"):
        asyncio.run(once())


def test_after_logout_the_token_opens_nothing(session, clio_sandbox):
    token = asyncio.run(session.aio.token())
    session.logout()
    with pytest.raises(errors.NeedsLogin):
        clio_nb.Session(clio_sandbox, token.access).list_actions()


VERBS = {
    "read": lambda session: session.list_actions(),
    "write": lambda session: session.create_action("Sign", "https://partner.example/launch", at="matters"),
    "who am I": lambda session: session.who_am_i(),
    "the token itself": lambda session: loop.run(session.aio.token),
}


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
@pytest.mark.parametrize("kept", ["in the session", "in a vault"])
def test_after_logout_a_session_with_a_refresh_token_has_ended_too(clio_sandbox, verb, kept):
    session, again = signed_in(clio_sandbox, kept)
    session.logout()
    with pytest.raises(errors.NeedsLogin, match="again"):
        verb(session)
    if kept == "in a vault":
        again()
        assert session.list_actions() == []


def test_who_logs_out_again_sends_nothing_more(clio_sandbox):
    session, _ = signed_in(clio_sandbox, "in the session")
    session.logout()
    session.logout()
    assert [one["path"] for one in clio_sandbox.oauth_requests].count("/oauth/deauthorize") == 1


def test_a_session_whose_token_is_about_to_end_does_not_renew_it_after_logout(clio_sandbox):
    grant = clio_sandbox.token(clio_sandbox.users[0].id)
    token = clio_nb.Token(
        access=Secret(grant["access_token"]), refresh=Secret(grant["refresh_token"]), expires_at=time.time() + 30
    )
    session = clio_nb.Session(clio_sandbox, token)
    session.logout()
    with pytest.raises(errors.NeedsLogin):
        session.list_actions()
    assert [request["path"] for request in clio_sandbox.oauth_requests] == ["/oauth/deauthorize"]


def test_a_logout_that_fails_can_be_done_again(clio_sandbox):
    session, _ = signed_in(clio_sandbox, "in the session")
    clio_sandbox.fault("status", status=500, path="/oauth/deauthorize")
    with pytest.raises(errors.ServerError):
        session.logout()
    assert session.list_actions() == []
    session.logout()
    with pytest.raises(errors.NeedsLogin):
        session.list_actions()


def test_a_verb_under_way_at_a_logout_renews_nothing(clio_sandbox, monkeypatch):
    session, _ = signed_in(clio_sandbox, "in the session")
    exchange = transport.exchange

    async def story():
        asked, go = asyncio.Event(), asyncio.Event()

        async def held(method, *args, **options):
            if method == "GET":
                asked.set()
                await go.wait()
            return await exchange(method, *args, **options)

        monkeypatch.setattr(transport, "exchange", held)
        reading = asyncio.create_task(session.aio.list_actions())
        await asked.wait()
        await session.aio.logout()
        go.set()
        with pytest.raises(errors.NeedsLogin):
            await reading

    loop.run(story)
    assert [request["path"] for request in clio_sandbox.oauth_requests] == ["/oauth/deauthorize"]


def signed_in(site, kept):
    """A session that can renew its token, and how its user signs in again."""
    user = site.users[0]
    if kept == "in a vault":
        firm = clio_nb.Firm(site, clio_nb.Vault())
        firm.sign_in_everyone()
        return firm.session_of(user.id), firm.sign_in_everyone
    grant = site.token(user.id)
    token = clio_nb.Token(access=Secret(grant["access_token"]), refresh=Secret(grant["refresh_token"]))
    return clio_nb.Session(site, token), None


# H1 to H4, H9, H14 of what can go wrong.


@pytest.mark.parametrize("kind", ["seconds", "date", "none", "nonsense"])
def test_h1_a_429_in_any_form_is_waited_out_within_bounds(session, clio_sandbox, moved, kind):
    clio_sandbox.fault("rate_limit", path="/api/v4/custom_actions", retry_after=kind)
    assert session.list_actions() == []
    assert 0 < sum(moved) <= 120


def test_h1_a_429_does_not_hold_up_another_user(session, clio_sandbox, moved):
    other = clio_nb.login(clio_sandbox, clio_sandbox.users[1].id)
    clio_sandbox.fault("rate_limit", user_id=session.user.id, times=None)
    with pytest.raises(errors.RateLimited):
        session.list_actions()
    waited = len(moved)
    assert other.list_actions() == []
    assert len(moved) == waited


def test_h1_pacing_meets_no_429_at_all(session, clio_sandbox, moved):
    for _ in range(120):
        session.list_actions()
    assert {r["status"] for r in clio_sandbox.requests} == {200}
    assert sum(moved) <= 2 * 60


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 503},
        {"kind": "status", "status": 500},
        {"kind": "reset"},
        {"kind": "html", "status": 502},
    ],
)
def test_h2_a_read_is_repeated_after_trouble(session, clio_sandbox, moved, fault):
    clio_sandbox.fault(**fault, method="GET", times=2)
    assert session.list_actions() == []


def test_h2_a_lasting_outage_ends_after_four_tries(session, clio_sandbox, moved):
    before = len(clio_sandbox.requests)
    clio_sandbox.fault("status", status=503, times=None)
    with pytest.raises(errors.ServerError, match="503"):
        session.list_actions()
    assert len(clio_sandbox.requests) - before == 4


def test_h2_an_outage_of_all_users_spends_one_shared_budget(clio_sandbox, moved, monkeypatch):
    from clio_nb.http import retry

    monkeypatch.setattr(retry._Budget, "left", 5.0)
    clio_sandbox.rate_limit = None
    session = clio_nb.login(clio_sandbox)
    clio_sandbox.fault("status", status=503, times=None)
    before = len(clio_sandbox.requests)
    for _ in range(20):
        with pytest.raises(errors.ServerError):
            session.list_actions()
    assert len(clio_sandbox.requests) - before == 20 + 5


@pytest.mark.parametrize(
    "fault", [{"kind": "reset", "after": True}, {"kind": "truncated"}, {"kind": "status", "status": 504, "after": True}]
)
def test_h3_a_create_whose_answer_is_lost_is_read_back_not_repeated(session, clio_sandbox, moved, fault):
    clio_sandbox.fault(**fault, method="POST", path="/api/v4/custom_actions")
    made = create(session)
    assert session.list_actions() == [made]
    assert [r["method"] for r in clio_sandbox.requests].count("POST") == 1


def test_h3_a_create_that_never_took_effect_is_made_once(session, clio_sandbox, moved):
    clio_sandbox.fault("reset", method="POST", path="/api/v4/custom_actions")
    made = create(session)
    assert session.list_actions() == [made]


@pytest.mark.parametrize("kind", ["truncated", "html", "redirect"])
def test_h4_what_is_no_answer_of_the_api_is_a_typed_error(session, clio_sandbox, kind):
    clio_sandbox.fault(kind, status=200) if kind == "html" else clio_sandbox.fault(kind)
    with pytest.raises(errors.UnexpectedAnswer, match="GET /api/v4/custom_actions"):
        session.list_actions()


def test_h9_pages_that_go_round_end_with_an_error(session, clio_sandbox):
    loop = f"{clio_sandbox.api_url}/custom_actions?page_token=again"
    clio_sandbox.fault("status", status=200, times=None, body={"data": [], "meta": {"paging": {"next": loop}}})
    with pytest.raises(errors.UnexpectedAnswer, match="was already read"):
        session.list_actions()


def test_h14_an_endless_body_is_not_read(session, clio_sandbox, moved, monkeypatch):
    from clio_nb.http import httpx_engine

    monkeypatch.setattr(httpx_engine, "BODY_CAP", 1000)
    clio_sandbox.fault("status", status=200, times=None, body={"data": "x" * 5000})
    with pytest.raises(errors.NetworkError):
        session.list_actions()


def test_no_network_is_said_in_one_sentence(clio_sandbox, monkeypatch):
    async def at_once(seconds):
        pass

    monkeypatch.setattr(timeouts, "sleep", at_once)
    token = clio_sandbox.token(clio_sandbox.users[0].id)["access_token"]
    session = clio_nb.Session(clio_sandbox, token)
    clio_sandbox.close()
    with pytest.raises(errors.NetworkError, match=r"No answer from 127\.0\.0\.1.*Check the network"):
        session.list_actions()


def test_nothing_secret_is_logged_or_raised(session, clio_sandbox, caplog, moved):
    token = asyncio.run(session.aio.token())
    secrets = [token.access.reveal(), token.refresh.reveal(), clio_sandbox.client_secret]
    with caplog.at_level(logging.DEBUG):
        asyncio.run(session.aio.renew(token))
        clio_sandbox.fault("reset", times=None)
        with pytest.raises(errors.NetworkError) as caught:
            session.list_actions()
    text = caplog.text + repr(caught.value) + repr(session) + repr(session.aio.__dict__)
    assert "/api/v4/custom_actions" in caplog.text
    assert not [secret for secret in secrets if secret in text]


def test_a_subject_that_is_not_there_is_not_found(session):
    with pytest.raises(errors.NotFound, match="cannot see it"):
        session.record(Subject(Location.MATTERS, 999_999_999))


def test_another_record_than_asked_for_is_not_taken_for_it(session, clio_sandbox):
    subject = session.list_records("matters")[0].subject
    clio_sandbox.fault("wrong_record", path=subject.path)
    with pytest.raises(errors.UnexpectedAnswer, match="a different record"):
        session.record(subject)


def test_an_action_is_a_record_with_times(session):
    made = create(session)
    assert isinstance(made, CustomAction)
    assert made.created_at.tzinfo is not None
    assert isinstance(asyncio.run(session.aio.token()).access, Secret)
