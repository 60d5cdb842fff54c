"""Several firms in several regions: each an account of its own, kept apart as Clio keeps them."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import combinations
from typing import Any

import httpx
import msgspec
import pytest

import clio_nb
from clio_nb.sandbox import Sandbox

from .conftest import ACTION, Caller, data, error

COLLECTIONS = ("users", "contacts", "matters", "folders", "documents", "activities")


@pytest.fixture
def site(sandbox: Callable[..., Sandbox]) -> Sandbox:
    return sandbox(firms=3, regions=("us", "eu"), users=4)


@pytest.fixture
def app() -> Iterator[Callable[[], tuple[str, list[dict[str, Any]]]]]:
    """Start an app that is told of deauthorizations; gives its URL and what it was told."""
    servers = []

    def start() -> tuple[str, list[dict[str, Any]]]:
        told: list[dict[str, Any]] = []

        class App(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                told.append(msgspec.json.decode(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        server = HTTPServer(("127.0.0.1", 0), App)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/gone", told

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_each_region_has_so_many_firms(site):
    assert [firm.region.value for firm in site.firms] == ["us"] * 3 + ["eu"] * 3
    assert site.firms[0] is site
    assert site.at("eu") is site.firms[3]
    assert len({firm.name for firm in site.firms}) == len({firm.account_id for firm in site.firms}) == 6
    assert len({firm.origin for firm in site.firms}) == 2, "firms of a region share its host"
    assert len({firm.client_id for firm in site.firms}) == 2, "an app belongs to a region, not to a firm"


def test_the_first_firm_is_as_it_is_alone(site, sandbox):
    alone = sandbox(users=4)
    for resource in COLLECTIONS:
        assert site.records(resource) == alone.records(resource)
    assert (site.name, site.account_id, site.client_id) == (alone.name, alone.account_id, alone.client_id)


def test_a_firm_is_the_same_whatever_stands_beside_it(site, sandbox):
    turned, more = sandbox(firms=1, regions=("eu", "us"), users=4), sandbox(firms=5, regions=("eu",), users=4)
    assert turned.describe()["users"] == site.at("eu").describe()["users"] == more.describe()["users"]
    assert turned.at("us").records("matters") == site.records("matters")
    assert more.firms[2].records("contacts") == site.firms[5].records("contacts")


def test_people_and_records_are_each_firms_own(site):
    for one, other in combinations(site.firms, 2):
        assert {user.name for user in one.users}.isdisjoint(user.name for user in other.users)
        assert {user.email for user in one.users}.isdisjoint(user.email for user in other.users)
        assert one.records("matters")[0]["name"] != other.records("matters")[0]["name"] or one.region != other.region


def test_no_id_is_given_twice(sandbox, call):
    site = sandbox(firms=9, regions=("us", "eu", "ca", "au"), users=3)
    for resource in COLLECTIONS:
        ids = [row["id"] for firm in site.firms for row in firm.records(resource)]
        assert len(set(ids)) == len(ids)
    actions = [data(call(firm, firm.users[0].id).create())["id"] for firm in site.firms]
    hired = [firm.hire("Ada Example").id for firm in site.firms]
    assert len(set(actions)) == len(set(hired)) == len(site.firms)
    assert not set(hired) & {user.id for firm in site.firms for user in firm.users[:-1]}


def test_many_firms_have_different_names(sandbox):
    site = sandbox(firms=40, users=1)
    assert len({firm.name for firm in site.firms}) == len({firm.users[0].email for firm in site.firms}) == 40


def test_a_token_of_one_firm_sees_nothing_of_another(site, call):
    for one, other in combinations(site.firms, 2):
        caller = call(one, one.users[0].id)
        for resource in COLLECTIONS:
            for row in other.records(resource)[:2]:
                path = f"{other.origin}/api/v4/{resource}/{row['id']}"
                refused = caller.get(path)
                assert refused.status_code == (404 if one.region == other.region else 401)
        if one.region == other.region:
            mine = {row["id"] for resource in COLLECTIONS for row in one.records(resource)}
            seen = {row["id"] for resource in COLLECTIONS for row in data(caller.get(resource))}
            assert seen == mine


def test_custom_actions_are_kept_apart(site, call):
    one, other = (call(firm, firm.users[0].id) for firm in site.firms[:2])
    made = data(one.create())
    assert data(other.get("custom_actions")) == []
    assert other.get(f"custom_actions/{made['id']}").status_code == 404
    assert data(other.create(label=ACTION["label"]))["label"] == ACTION["label"]
    with pytest.raises(LookupError):
        site.firms[1].click(one.user_id, made["id"], site.records("matters")[0]["subject_url"])
    with pytest.raises(LookupError):
        site.click(one.user_id, made["id"], site.firms[1].records("matters")[0]["subject_url"])


def test_who_am_i_names_the_firm(site, call):
    for firm in site.firms:
        me = data(call(firm, firm.users[0].id).get("users/who_am_i", params={"fields": "id,account{id,name}"}))
        assert me == {"id": firm.users[0].id, "account": {"id": firm.account_id, "name": firm.name}}


def test_one_consent_page_serves_all_firms_of_a_region(site, call):
    for region in ("us", "eu"):
        firms = [firm for firm in site.firms if firm.region == region]
        asked = {"response_type": "code", "client_id": firms[0].client_id, "redirect_uri": firms[0].redirect_uri}
        for firm in firms:
            page = httpx.get(f"{firm.origin}/oauth/authorize", params=asked).text
            shown = {int(each) for each in re.findall(r'<option value="(\d+)"', page)}
            assert shown == {user.id for each in firms for user in each.users}
            assert page.count("<optgroup") == 3
            consent = re.search(r'name="consent" value="([^"]+)"', page)[1]
            said = {"consent": consent, "user_id": firm.users[1].id, "decision": "allow"}
            back = httpx.post(f"{firm.origin}/oauth/authorize", data=said).headers["location"]
            code = {
                "grant_type": "authorization_code",
                "code": httpx.URL(back).params["code"],
                "redirect_uri": firm.redirect_uri,
                "client_id": firm.client_id,
                "client_secret": firm.client_secret,
            }
            token = httpx.post(f"{firm.origin}/oauth/token", data=code).json()["access_token"]
            me = httpx.get(f"{firm.api_url}/users/who_am_i", headers={"authorization": f"Bearer {token}"}).json()
            assert me["data"]["id"] == firm.users[1].id


def test_a_user_of_another_region_cannot_consent(site):
    asked = {"response_type": "code", "client_id": site.client_id, "redirect_uri": site.redirect_uri}
    page = httpx.get(f"{site.origin}/oauth/authorize", params=asked).text
    consent = re.search(r'name="consent" value="([^"]+)"', page)[1]
    said = {"consent": consent, "user_id": site.at("eu").users[0].id, "decision": "allow"}
    assert httpx.post(f"{site.origin}/oauth/authorize", data=said).status_code == 400


def test_faults_limits_and_logs_are_each_firms_own(site, call):
    one, other = (call(firm, firm.users[0].id) for firm in site.firms[:2])
    site.firms[1].fault("status", status=503, times=None)
    assert (one.get("users").status_code, other.get("users").status_code) == (200, 503)
    assert [seen["user_id"] for seen in site.requests] == [one.user_id]
    assert [seen["user_id"] for seen in site.firms[1].requests] == [other.user_id]
    site.firms[1].clear_faults()
    site.firms[1].rate_limit = 0
    assert (one.get("users").status_code, other.get("users").status_code) == (200, 429)


def test_each_firm_tells_its_own_deauthorization_url(site, call, app):
    first, second = site.firms[:2]
    (first.deauthorization_url, told_first), (second.deauthorization_url, told_second) = app(), app()
    for firm in site.firms[:3]:
        call(firm, firm.users[0].id)
        firm.revoke(firm.users[0].id)
    assert told_first == [{"client_id": first.client_id, "user_id": first.users[0].id, "access_token": "all"}]
    assert told_second == [{"client_id": second.client_id, "user_id": second.users[0].id, "access_token": "all"}]
    assert [len(firm.deliveries) for firm in site.firms] == [1, 1, 0, 0, 0, 0]


def test_a_token_that_is_given_back_is_told_where_its_firm_says(site, call, app):
    second = site.firms[1]
    second.deauthorization_url, told = app()
    caller = call(second, second.users[2].id)
    token = caller.tokens["access_token"]
    caller.post(f"{second.origin}/oauth/deauthorize", data={"token": token})
    second._messenger.settle()
    assert [each["user_id"] for each in told] == [caller.user_id]


def test_control_finds_every_firm_from_the_first(site):
    told = httpx.get(site.control_url).json()["firms"]
    assert [(each["account_id"], each["name"], each["region"]) for each in told] == [
        (firm.account_id, firm.name, firm.region.value) for firm in site.firms
    ]
    for firm, each in zip(site.firms, told, strict=True):
        assert httpx.get(each["control_url"]).json() == firm.describe()
        token = httpx.post(f"{each['control_url']}/tokens").json()["access_token"]
        me = httpx.get(f"{firm.api_url}/users/who_am_i", headers={"authorization": f"Bearer {token}"})
        assert data(me)["id"] == firm.users[0].id


def test_a_firm_that_is_not_there_is_named(site):
    eu = site.at("eu")
    answer = httpx.get(f"{site.origin}/control/firms/{eu.account_id}")
    assert error(answer) == (404, "RecordNotFound")
    assert str(eu.account_id) in answer.json()["error"]["message"]


def test_the_library_works_with_each_firm(site):
    for firm in site.firms:
        for place in (firm, clio_nb.connect(firm.control_url)):
            session = clio_nb.login(place)
            assert session.user.id == firm.users[0].id
            assert [user.id for user in clio_nb.list_users(session)] == [user.id for user in firm.users]


def test_everything_goes_back_to_the_beginning_together(site, call):
    first = [firm.describe() for firm in site.firms]
    for firm in site.firms:
        call(firm, firm.users[0].id).create()
        firm.hire("Ada Example")
    site.reset()
    assert [firm.describe() for firm in site.firms] == first
    for firm in site.firms:
        with Caller(firm, firm.users[0].id) as caller:
            assert data(caller.get("custom_actions")) == []


def test_the_state_of_every_firm_outlives_the_process(tmp_path, call):
    options = {"db": tmp_path / "clio.db", "regions": ("us", "eu"), "firms": 2, "users": 2}
    with Sandbox(**options) as site:
        made = [data(call(firm, firm.users[0].id).create(label=firm.name[:20]))["id"] for firm in site.firms]
        tokens = [firm.token(firm.users[0].id)["access_token"] for firm in site.firms]
    with Sandbox(**options) as again:
        for firm, action, token in zip(again.firms, made, tokens, strict=True):
            answer = httpx.get(f"{firm.api_url}/custom_actions", headers={"authorization": f"Bearer {token}"})
            assert [row["id"] for row in data(answer)] == [action]
    with pytest.raises(ValueError, match="firms=2"):
        Sandbox(**{**options, "firms": 3})
