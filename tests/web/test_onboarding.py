"""Users connect by the web (C1 to C7): an invitation or a link, Clio's consent, and at once their buttons."""

from __future__ import annotations

import logging
import re
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from urllib.parse import parse_qs, urlsplit

import cryptography.fernet
import httpx
import numpy as np
import pytest

import clio_nb as clio
from clio_nb import errors
from clio_nb.web import asgi

from ..launches.conftest import KEY
from .connecting import MANIFEST, Partner, Visitor

OWNER = [("Send for signature", "documents"), ("Send for signature", "matters"), ("Send to accounts", "activities")]


@pytest.fixture(params=["asgi", "wsgi"])
def kind(request):
    return request.param


@pytest.fixture
def partner(serve, tmp_path, kind):
    here = Partner(serve, tmp_path, kind)
    yield here.open()
    here.close()


@pytest.fixture
def workers(serve, tmp_path):
    """Two servers with a vault object each, over one SQLite file."""
    key = tmp_path / "key"
    here = Partner(
        serve, tmp_path, vault=lambda: clio.Vault.open(tmp_path / "v.sqlite", key_file=key), workers=2, users=40
    )
    yield here.open()
    here.close()


def sent(site, before=0):
    return [(one["method"], one["path"].removeprefix("/api/v4/")) for one in site.requests[before:]]


def test_whoever_allows_the_app_has_the_buttons_and_sees_where_they_are(partner):
    user = partner.site.users[0]
    page = Visitor(partner).connect(user)
    assert page.status_code == 200
    assert "Connected" in page.text
    assert page.text.count("<svg") == 6
    assert partner.actions(user) == OWNER
    assert partner.names == ["connected"]
    assert partner.vaults[0].firms(partner.site) == [str(partner.site.account_id)]


def test_c3_it_costs_who_she_is_her_list_and_her_creates(partner):
    user = partner.site.users[1]
    before = len(partner.site.requests)
    Visitor(partner).connect(user)
    assert sorted(sent(partner.site, before)) == [
        ("GET", "custom_actions"),
        ("GET", "users/who_am_i"),
        ("POST", "custom_actions"),
        ("POST", "custom_actions"),
    ]


def test_to_connect_again_makes_no_second_button(partner):
    user = partner.site.users[0]
    for _ in range(2):
        assert Visitor(partner).connect(user).status_code == 200
    assert partner.actions(user) == OWNER


def test_after_connecting_she_clicks_and_the_door_knows_her(partner):
    user = partner.site.users[0]
    visitor = Visitor(partner)
    visitor.connect(user)
    launch = partner.site.click_on(user.id, f"{partner.base}/launch")
    assert f"user {user.id}" in visitor.browser.get(launch, follow_redirects=True).text


def test_l24_who_has_not_connected_is_shown_where_to_and_nothing_else(partner):
    user, other = partner.site.users[:2]
    Visitor(partner).connect(user)
    launch = partner.site.click_on(user.id, f"{partner.base}/launch").replace(str(user.id), str(other.id))
    refused = Visitor(partner).browser.get(launch)
    assert refused.status_code == 403
    assert 'href="/clio/connect"' in refused.text


def test_c1_connect_on_one_worker_and_callback_on_another(workers):
    user, visitor = workers.site.users[0], Visitor(workers)
    consent = visitor.begin(worker=0)
    assert visitor.back(visitor.decide(consent, user), worker=1).status_code == 200
    assert workers.actions(user) == OWNER


def test_c1_the_workers_restart_between_connect_and_callback(workers):
    user, visitor = workers.site.users[0], Visitor(workers)
    address = visitor.decide(visitor.begin(), user)
    workers.open()
    assert visitor.back(address).status_code == 200
    assert workers.actions(user) == OWNER


def test_c1_the_key_is_replaced_between_connect_and_callback(workers):
    user, visitor = workers.site.users[0], Visitor(workers)
    address = visitor.decide(visitor.begin(), user)
    workers.open(key=["another key that is long enough to seal", KEY])
    assert visitor.back(address).status_code == 200


@pytest.mark.parametrize(
    "spoil",
    [
        lambda url: re.sub(r"state=[^&]+", "state=forged", url),
        lambda url: re.sub(r"&state=[^&]+", "", url),
        lambda url: url.partition("?")[0],
        lambda url: re.sub(r"code=[^&]+", "error=access_denied", re.sub(r"state=[^&]+", "state=x", url)),
    ],
    ids=["another state", "no state", "nothing", "a decline of another sign-in"],
)
def test_c2_an_answer_that_is_not_of_this_sign_in_is_refused_and_the_genuine_one_still_counts(partner, spoil):
    user, visitor = partner.site.users[0], Visitor(partner)
    address = visitor.decide(visitor.begin(), user)
    refused = visitor.back(spoil(address))
    assert refused.status_code == 400
    assert "/clio/connect" in refused.text
    assert partner.told == []
    assert visitor.back(address).status_code == 200


def test_c2_a_state_is_used_once_also_at_two_workers_at_the_same_time(workers):
    user, visitor = workers.site.users[0], Visitor(workers)
    address = visitor.decide(visitor.begin(), user)
    cookies = dict(visitor.browser.cookies)

    def back(worker):
        url = address.replace(workers.base, workers.origins[worker], 1)
        return httpx.get(url, cookies=cookies, trust_env=False, timeout=60).status_code

    with ThreadPoolExecutor(8) as many:
        codes = sorted(many.map(back, [0, 1] * 4))
    assert codes == [200] + [409] * 7
    assert workers.actions(user) == OWNER


def test_c2_another_browser_cannot_complete_a_sign_in(partner):
    user, visitor = partner.site.users[0], Visitor(partner)
    address = visitor.decide(visitor.begin(), user)
    assert Visitor(partner).back(address).status_code == 400
    mixed = Visitor(partner)
    mixed.begin()
    assert mixed.back(address).status_code == 400
    assert partner.vaults[0].firms(partner.site) == []


def test_c2_a_sign_in_of_more_than_ten_minutes_is_refused(partner, monkeypatch):
    visitor = Visitor(partner)
    address = visitor.decide(visitor.begin(), partner.site.users[0])

    class Later:
        time = staticmethod(lambda: time.time() + 601)

    monkeypatch.setattr(cryptography.fernet, "time", Later)
    refused = visitor.back(address)
    assert refused.status_code == 400
    assert "ten minutes" in refused.text


def test_c2_of_two_sign_ins_in_one_browser_the_newer_counts(partner):
    user, visitor = partner.site.users[0], Visitor(partner)
    first = visitor.decide(visitor.begin(), user)
    second = visitor.decide(visitor.begin(), user)
    assert visitor.back(first).status_code == 400
    assert visitor.back(second).status_code == 200


def test_c2_the_cookie_is_sealed_bound_to_the_prefix_and_kept_from_scripts(partner):
    visitor = Visitor(partner)
    answer = visitor.browser.get(f"{partner.base}/clio/connect")
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Lax", "Path=/clio", "Max-Age=600"} <= set(cookie.split("; "))
    asked = parse_qs(urlsplit(answer.headers["location"]).query)
    assert asked["state"][0] not in cookie
    assert asked["code_challenge_method"] == ["S256"]


def test_c3_many_colleagues_connect_at_the_same_time_at_two_workers(workers):
    people = workers.site.users[:12]
    before = len(workers.site.requests)

    def connect(numbered):
        number, user = numbered
        visitor = Visitor(workers)
        return visitor.back(visitor.decide(visitor.begin(worker=number % 2), user), worker=1 - number % 2).status_code

    with ThreadPoolExecutor(12) as many:
        assert list(many.map(connect, enumerate(people))) == [200] * 12
    counted = sent(workers.site, before)
    assert counted.count(("GET", "users/who_am_i")) == 12
    assert counted.count(("GET", "custom_actions")) == 12
    wanted = [workers.actions(user) for user in people]
    assert counted.count(("POST", "custom_actions")) == sum(map(len, wanted))
    assert all(one[:2] == OWNER[:2] for one in wanted)
    assert ("GET", "users") not in counted


def test_c4_she_declines_and_nothing_is_kept_and_the_next_try_completes(partner):
    user = partner.site.users[0]
    page = Visitor(partner).connect(user, decision="decline")
    assert page.status_code == 200
    assert "declined" in page.text
    assert partner.told == [("declined", partner.site.region)]
    assert partner.vaults[0].firms(partner.site) == []
    assert Visitor(partner).connect(user).status_code == 200


@pytest.mark.parametrize(
    ("fault", "status", "says"),
    [
        ({"kind": "status", "status": 500, "path": "/oauth/token", "times": None}, 502, "does not answer"),
        ({"kind": "reset", "path": "/oauth/token", "times": None}, 502, "does not answer"),
        ({"kind": "status", "status": 403, "path": "/api/v4/users/who_am_i", "times": None}, 403, "permission"),
        ({"kind": "status", "status": 403, "path": "/api/v4/custom_actions", "times": None}, 403, "permission"),
        ({"kind": "html", "status": 200, "path": "/api/v4/users/who_am_i", "times": None}, 502, "does not answer"),
    ],
    ids=["token endpoint down", "no answer", "may not read users", "may not write actions", "a page instead"],
)
def test_c4_what_goes_wrong_at_clio_is_said_and_the_next_try_completes(partner, monkeypatch, fault, status, says):
    user = partner.site.users[0]
    partner.site.fault(**fault)
    page = Visitor(partner).connect(user)
    assert (page.status_code, says in page.text) == (status, True), page.text
    assert partner.names == (["failed"] if status != 403 or "users" in fault["path"] else partner.names)
    assert "/clio/connect" in page.text
    assert partner.vaults[0].firms(partner.site) == []
    partner.site.clear_faults()
    assert Visitor(partner).connect(user).status_code == 200
    assert partner.actions(user) == OWNER


def test_c4_who_was_connected_stays_so_when_connecting_again_fails(partner):
    user = partner.site.users[0]
    Visitor(partner).connect(user)
    before = partner.vaults[0].grant(partner.site, user.id, firm=str(partner.site.account_id)).token
    partner.site.fault(kind="status", status=403, path="/api/v4/custom_actions", times=None)
    assert Visitor(partner).connect(user).status_code == 403
    assert partner.vaults[0].grant(partner.site, user.id, firm=str(partner.site.account_id)).token == before


def boom(*_said):
    raise RuntimeError("a fault of the app")


async def boom_awaited(*_said):
    raise RuntimeError("a fault of the app")


@pytest.mark.parametrize("fault", [boom, boom_awaited, lambda *_: time.sleep(3)], ids=["plain", "awaited", "slow"])
def test_c5_whom_the_app_cannot_judge_does_not_come_in_and_the_access_is_given_back(partner, caplog, fault):
    partner.open(may_connect=fault, timeout=2)
    page = Visitor(partner).connect(partner.site.users[0])
    assert (page.status_code, "error of its own" in page.text) == (500, True)
    assert partner.vaults[0].firms(partner.site) == []
    assert settled(partner, lambda: "/oauth/deauthorize" in [one["path"] for one in partner.site.oauth_requests])
    assert "may_connect of the app failed" in caplog.text


@pytest.mark.parametrize("name", ["connected", "declined", "failed"])
def test_a_fault_of_the_app_in_what_it_is_told_ends_nothing(partner, caplog, name):
    partner.open(**{name: boom})
    visitor, user = Visitor(partner), partner.site.users[0]
    if name == "failed":
        partner.site.fault(kind="status", status=500, path="/oauth/token", times=None)
    page = visitor.connect(user, decision="decline" if name == "declined" else "allow")
    assert (page.status_code, name in caplog.text) == ({"failed": 502}.get(name, 200), True)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda url: re.sub(r"code=[^&]+&", "", url),
        lambda url: re.sub(r"code=[^&]+", "code=", url),
        lambda url: f"{url}&code=another",
        lambda url: url.replace("state=", "state=x&state="),
    ],
    ids=["no code", "an empty code", "two codes", "two states"],
)
def test_c2_an_answer_that_is_not_whole_is_refused_and_the_whole_one_still_counts(partner, spoil):
    user, visitor = partner.site.users[0], Visitor(partner)
    address = visitor.decide(visitor.begin(), user)
    refused = visitor.back(spoil(address))
    assert (refused.status_code, "whole" in refused.text) == (400, True)
    assert visitor.back(address).status_code == 200


def test_c4_a_manifest_that_broke_meanwhile_keeps_nothing_half(partner):
    user = partner.site.users[0]
    partner.manifest.write_text("[app")
    page = Visitor(partner).connect(user)
    assert page.status_code == 500
    assert "list of buttons" in page.text
    assert partner.vaults[0].firms(partner.site) == []
    partner.manifest.write_text(MANIFEST.format(base=partner.base))
    assert Visitor(partner).connect(user).status_code == 200


def test_c5_the_app_decides_who_may_come_in_before_anything_is_kept(partner):
    asked = []

    def may_connect(user, region):
        asked.append((user.account.id, region))
        return False

    partner.open(may_connect=may_connect)
    user = partner.site.users[0]
    page = Visitor(partner).connect(user)
    assert page.status_code == 403
    assert asked == [(partner.site.account_id, partner.site.region)]
    assert partner.vaults[0].firms(partner.site) == []
    assert partner.actions(user) == []
    assert ("POST", "/oauth/deauthorize") in [(one["method"], one["path"]) for one in partner.site.oauth_requests]


def test_c5_a_hook_may_be_awaited(partner):
    async def may_connect(user, region):
        return user.account is not None

    partner.open(may_connect=may_connect)
    assert Visitor(partner).connect(partner.site.users[0]).status_code == 200


def tell(partner, **said):
    return httpx.post(f"{partner.base}/clio/deauthorized", json=said, trust_env=False)


def settled(partner, until):
    """Wait for the check that goes on beside the answer."""
    deadline = time.monotonic() + 60
    while not until():
        assert time.monotonic() < deadline, partner.told
        time.sleep(0.01)
    return True


def test_c6_a_genuine_deauthorization_is_believed_once_clio_confirms_it(workers, caplog):
    user = workers.site.users[0]
    Visitor(workers).connect(user)
    session = workers.firm(worker=1).session_of(user.id)
    with caplog.at_level(logging.DEBUG):
        workers.site.revoke(user.id)
        assert settled(workers, lambda: "disconnected" in workers.names)
    assert workers.vaults[1].firms_of(workers.site, user.id) == []
    with pytest.raises(errors.ClioError):
        session.list_actions()
    by_hand = workers.firm().plan_offboard()
    assert {item.user_id for item in by_hand.blocked} == {user.id}
    assert "access_token" not in caplog.text


@pytest.mark.parametrize("token", ["all", "an-access-token"])
def test_c6_a_forged_deauthorization_forgets_nobody(partner, caplog, token):
    user = partner.site.users[0]
    Visitor(partner).connect(user)
    before = len(partner.site.requests)
    with caplog.at_level(logging.DEBUG):
        for _ in range(5):
            answer = tell(partner, client_id=partner.site.client_id, user_id=user.id, access_token=token)
            assert answer.status_code == 200
        assert settled(partner, lambda: ("GET", "users/who_am_i") in sent(partner.site, before))
    assert partner.vaults[0].firms_of(partner.site, user.id) == [str(partner.site.account_id)]
    assert sent(partner.site, before) == [("GET", "users/who_am_i")]
    assert "an-access-token" not in caplog.text


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b'{"client_id": 1}', b'{"client_id": "x", "user_id": -1}', b"\xff" * 100, b"[" * 5000],
)
def test_c6_what_is_not_clios_message_does_nothing(partner, body):
    answer = httpx.post(f"{partner.base}/clio/deauthorized", content=body, trust_env=False)
    assert answer.status_code == 200
    assert sent(partner.site) == []


def test_c6_a_deauthorization_reaches_every_firm_of_the_vault_whatever_its_name(partner):
    user = partner.site.users[0]
    clio.Firm(partner.site, partner.vaults[0]).add(clio.login(partner.site, user.id))
    Visitor(partner).connect(user)
    partner.site.revoke(user.id)
    assert settled(partner, lambda: partner.names.count("disconnected") == 2)
    assert partner.vaults[0].firms_of(partner.site, user.id) == []


def test_c6_a_body_that_is_too_large_is_refused(partner):
    answer = httpx.post(f"{partner.base}/clio/deauthorized", content=b" " * 20_000, trust_env=False)
    assert answer.status_code == 413


def test_c6_the_answer_is_the_same_for_people_who_exist_and_who_do_not(partner):
    user = partner.site.users[0]
    Visitor(partner).connect(user)
    answers = [tell(partner, client_id=partner.site.client_id, user_id=one, access_token="x") for one in (user.id, 1)]
    assert len({(one.status_code, one.text) for one in answers}) == 1


@pytest.mark.parametrize(
    "where",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/a\nb", "evil", "/é"],
)
def test_c7_next_leads_nowhere_but_within_this_site(partner, where):
    user, visitor = partner.site.users[0], Visitor(partner)
    consent = visitor.begin(f"?{httpx.QueryParams(next=where)}")
    page = visitor.back(visitor.decide(consent, user))
    assert page.status_code == 200
    assert "evil" not in page.text
    assert "Continue" not in page.text


def test_c7_next_within_this_site_is_a_link_on_the_page(partner):
    page = Visitor(partner).connect(partner.site.users[0], "?next=/settings%3Fa=1")
    assert 'href="/settings?a=1"' in page.text


@pytest.mark.parametrize("path", ["connect", "callback", "disconnect", "deauthorized", "team", "nothing"])
def test_c7_no_page_can_be_framed_stored_or_tells_a_referrer(partner, path):
    answer = Visitor(partner).browser.get(f"{partner.base}/clio/{path}")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    if answer.status_code != 303:
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT"])
def test_c7_no_other_method_begins_a_sign_in(partner, method):
    answer = httpx.request(method, f"{partner.base}/clio/connect", trust_env=False)
    assert answer.status_code == 405
    assert "set-cookie" not in answer.headers


def test_c7_secrets_are_in_no_log_and_no_page(partner, caplog):
    with caplog.at_level(logging.DEBUG):
        visitor = Visitor(partner)
        address = visitor.decide(visitor.begin(), partner.site.users[0])
        page = visitor.back(address)
    code = parse_qs(urlsplit(address).query)["code"][0]
    ours = "\n".join(f"{one.name} {one.getMessage()}" for one in caplog.records if one.name.startswith("clio_nb"))
    assert ours
    assert code not in ours + page.text
    assert partner.firm().tokens()["access_token"][0].reveal() not in ours + page.text


def test_an_invitation_names_the_person_and_lasts_seven_days(partner, monkeypatch):
    user, other = partner.site.users[:2]
    link = partner.pages[0].invitation(partner.site.account_id, user)
    query = f"?{urlsplit(link).query}"
    assert "somebody else" not in Visitor(partner).connect(user, query).text
    page = Visitor(partner).connect(other, query)
    assert page.status_code == 200
    assert f"you are <strong>{other.name}" in page.text
    now = time.time() + 7 * 24 * 3600 + 1
    monkeypatch.setattr(time, "time", lambda: now)
    assert Visitor(partner).browser.get(link).status_code == 400


@pytest.mark.parametrize("number", [0, -1, 2**63, 2**70, "5", 1.5, None], ids=repr)
@pytest.mark.parametrize("whose", ["firm", "user"])
def test_an_invitation_for_what_cannot_be_an_id_is_refused_when_it_is_made(partner, number, whose):
    with pytest.raises(errors.InvalidInput):
        partner.pages[0].invitation(*((number, 1) if whose == "firm" else (1, number)))


def test_an_invitation_takes_an_id_out_of_a_table(partner):
    user = partner.site.users[0]
    link = partner.pages[0].invitation(np.int64(partner.site.account_id), np.int64(user.id))
    assert "somebody else" not in Visitor(partner).connect(user, f"?{urlsplit(link).query}").text


def test_an_invitation_to_a_region_without_an_app_says_where_there_is_one(partner):
    with pytest.raises(errors.InvalidInput, match=r"there is an app in us\."):
        partner.pages[0].invitation(1, 2, region="eu")


def test_c4_a_team_that_cannot_be_read_says_why_and_the_next_visit_is_complete(partner):
    partner.open(may_see_team=lambda visit: partner.firm())
    team = partial(httpx.get, f"{partner.base}/clio/team", trust_env=False, timeout=60)
    nobody = team()
    assert (nobody.status_code, "cannot be shown" in nobody.text) == (502, True)
    Visitor(partner).connect(partner.site.users[0])
    partner.site.fault(kind="status", status=403, path="/api/v4/users", times=None)
    assert "1 of 1 people" in team().text  # those who have connected are known without Clio
    partner.site.clear_faults()
    assert f"1 of {len(partner.site.users)} people" in team().text


@pytest.mark.parametrize("nothing", [None, False, "", 0], ids=repr)
def test_nobody_sees_a_team_where_the_app_says_no_in_any_form(partner, nothing):
    partner.open(may_see_team=lambda visit: nothing)
    assert httpx.get(f"{partner.base}/clio/team", trust_env=False).status_code == 404


@pytest.mark.parametrize("spoil", [lambda text: text[:-3], lambda text: "x" + text, lambda _: "nonsense"])
def test_a_broken_invitation_says_what_to_do(partner, spoil):
    link = partner.pages[0].invitation(1, 2)
    text = parse_qs(urlsplit(link).query)["invitation"][0]
    answer = Visitor(partner).browser.get(f"{partner.base}/clio/connect", params={"invitation": spoil(text)})
    assert answer.status_code == 400
    assert "ask for a new one" in answer.text


def test_what_began_in_clio_ends_in_clio(partner):
    page = Visitor(partner).connect(partner.site.users[0], "?from=clio")
    assert page.status_code == 303
    assert page.headers["location"] == f"{partner.site.origin}/app_integrations_callback"


def test_she_disconnects_by_herself(partner):
    user, visitor = partner.site.users[0], Visitor(partner)
    visitor.connect(user)
    assert "Disconnect" in visitor.browser.get(f"{partner.base}/clio/disconnect").text
    answer = visitor.browser.post(f"{partner.base}/clio/disconnect", data={"region": "us"})
    assert answer.status_code == 303
    page = visitor.back(visitor.decide(answer.headers["location"], user))
    assert "Disconnected" in page.text
    assert partner.actions(user) == []
    assert partner.vaults[0].firms_of(partner.site, user.id) == []
    assert partner.names == ["connected", "disconnected"]


def test_c7_another_site_cannot_make_her_disconnect(partner):
    answer = httpx.post(
        f"{partner.base}/clio/disconnect",
        data={"region": "us"},
        headers={"origin": "https://evil.example"},
        trust_env=False,
    )
    assert answer.status_code == 400


def test_the_team_is_closed_by_default_and_costs_one_list_in_ten_minutes(workers):
    user = workers.site.users[0]
    Visitor(workers).connect(user)
    browser = Visitor(workers).browser
    assert browser.get(f"{workers.base}/clio/team").status_code == 404
    workers.open(may_see_team=lambda visit: workers.firm())
    before = len(workers.site.requests)
    pages = [browser.get(f"{origin}/clio/team").text for origin in workers.origins * 2]
    assert sent(workers.site, before) == [("GET", "users")]
    assert all("1 of 40 people" in page for page in pages), pages[-1]
    links = re.findall(r'href="([^"]+)"', pages[-1])
    assert len(links) == 39
    assert Visitor(workers).begin(f"?{urlsplit(links[0]).query.replace('&amp;', '&')}")


def test_two_regions_ask_where_the_firm_is(serve, tmp_path):
    here = Partner(serve, tmp_path, regions=("us", "eu"))
    here.open([here.site, here.site.at("eu")])
    try:
        asked = Visitor(here).browser.get(f"{here.base}/clio/connect?next=/x")
        assert asked.status_code == 200
        assert "?region=eu&amp;next=%2Fx" in asked.text
        eu = here.site.at("eu")
        visitor = Visitor(here)
        consent = visitor.begin("?region=eu")
        assert consent.startswith(eu.origin)
        assert visitor.back(visitor.decide(consent, eu.users[0])).status_code == 200
        assert here.vaults[0].firms(eu) == [str(eu.account_id)]
        assert here.vaults[0].firms(here.site) == []
    finally:
        here.close()


@pytest.mark.parametrize(
    "url",
    ["http://app.example/clio", "app.example/clio", "https://app.example", "https://app.example/clio?a=1", "/clio", ""],
)
def test_an_address_that_is_not_public_is_refused_at_the_start(url, tmp_path):
    (tmp_path / "a.toml").write_text(MANIFEST.format(base="https://a.example"))
    with clio.sandbox() as site, pytest.raises(errors.InvalidInput, match="public address"):
        asgi.Onboarding(site, clio.Vault(), manifest=tmp_path / "a.toml", key=KEY, url=url)


def test_two_apps_in_one_region_are_refused_at_the_start(tmp_path):
    with clio.sandbox() as site, pytest.raises(errors.InvalidInput, match="one app for each region"):
        asgi.Onboarding([site, site], clio.Vault(), manifest=tmp_path, key=KEY, url="https://a.example/clio")


def test_one_app_in_two_regions_is_refused_at_the_start(tmp_path):
    apps = [clio.connect(region, client_id="the-same", client_secret=region) for region in ("us", "eu")]
    with pytest.raises(errors.InvalidInput, match="belongs to one region"):
        asgi.Onboarding(apps, clio.Vault(), manifest=tmp_path, key=KEY, url="https://a.example/clio")


def test_an_app_can_replace_the_pages(partner, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "connected.html").write_text("Fertig, {{ user.name }}!")
    partner.open(templates=tmp_path / "mine")
    assert Visitor(partner).connect(partner.site.users[0]).text == f"Fertig, {partner.site.users[0].name}!"
