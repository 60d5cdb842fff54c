"""The control endpoints, as a test in any language uses them, and the document that describes everything."""

import re

import httpx
import pytest

from clio_nb.sandbox import Sandbox

from .conftest import data, error, nonce_of


@pytest.fixture
def control(site):
    with httpx.Client(base_url=site.control_url, trust_env=False) as client:
        yield client


def test_the_description_says_what_an_app_needs(control, site):
    said = httpx.get(site.control_url).json()
    assert said == control.get("/").json() == site.describe()
    assert said == {
        "base_url": site.origin,
        "api_url": f"{site.origin}/api/v4",
        "region": "us",
        "client_id": site.client_id,
        "client_secret": site.client_secret,
        "redirect_uri": "http://127.0.0.1:8765/callback",
        "control_url": f"{site.origin}/control",
        "account_id": site.account_id,
        "name": "Marrowby & Quill LLP",
        "users": [{"id": user.id, "name": user.name, "email": user.email} for user in site.users],
        "firms": [
            {
                "account_id": site.account_id,
                "name": site.name,
                "region": "us",
                "control_url": f"{site.origin}/control",
            }
        ],
    }


def test_tokens_are_as_oauth_gives_them(control, site):
    tokens = control.post("tokens", json={"user_id": site.users[1].id}).json()
    assert tokens.keys() == {"token_type", "access_token", "expires_in", "refresh_token"}
    headers = {"authorization": f"Bearer {tokens['access_token']}"}
    assert data(httpx.get(f"{site.api_url}/users/who_am_i", headers=headers))["id"] == site.users[1].id


def test_without_a_user_the_token_is_the_account_owners(control, site):
    for body in (b"", b"{}"):
        tokens = control.post("tokens", content=body).json()
        headers = {"authorization": f"Bearer {tokens['access_token']}"}
        assert data(httpx.get(f"{site.api_url}/users/who_am_i", headers=headers))["id"] == site.users[0].id


def test_a_click_gives_the_launch_url(control, site, owner):
    action = data(owner.create())
    subject = site.records("matters")[0]["subject_url"]
    click = {"user_id": owner.user_id, "custom_action_id": action["id"], "subject_url": subject}
    launch_url = control.post("clicks", json=click).json()["launch_url"]
    assert owner.get(subject, params={"custom_action_nonce": nonce_of(launch_url)}).status_code == 200


def test_the_clock_is_told_and_advanced(control, site):
    assert control.get("clock").json() == {"now": 1_768_496_400.0, "iso": "2026-01-15T17:00:00Z", "mode": "frozen"}
    assert control.post("clock/advance", json={"seconds": 61}).json()["iso"] == "2026-01-15T17:01:01Z"
    assert site.now() == 1_768_496_461


def test_requests_are_told_without_any_value(control, site, owner):
    owner.get("matters.json", params={"custom_action_nonce": "s3cret", "fields": "id"})
    assert control.get("requests").json() == site.requests
    assert site.requests == [
        {
            "method": "GET",
            "path": "/api/v4/matters.json",
            "query": ["custom_action_nonce", "fields"],
            "status": 403,
            "user_id": owner.user_id,
        }
    ]


def test_a_reset_is_a_new_beginning(control, site, owner):
    owner.create()
    site.advance(60)
    assert control.post("reset").status_code == 200
    assert site.requests == []
    assert control.get("clock").json()["iso"] == "2026-01-15T17:00:00Z"


def test_a_user_can_revoke(control, site, owner):
    assert control.post("revocations", json={"user_id": owner.user_id}).status_code == 200
    assert owner.get("users").status_code == 401
    assert error(control.post("revocations", json={"user_id": owner.user_id})) == (404, "RecordNotFound")


def test_faults_are_armed_listed_and_cleared(control, owner):
    fault = {"kind": "status", "status": 418, "path": "/api/v4/users", "times": None}
    assert control.post("faults", json=fault).status_code == 200
    assert owner.get("users").status_code == 418
    [armed] = control.get("faults").json()
    assert armed["seen"] == 1
    assert fault.items() <= armed.items()
    assert control.delete("faults").status_code == 200
    assert control.get("faults").json() == []
    assert owner.get("users").status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("tokens", {"user_id": 1}, 404),
        ("tokens", {"user_id": "x"}, 422),
        ("tokens", {"user": 1}, 422),
        ("tokens", [], 422),
        ("clicks", {}, 422),
        ("clicks", {"user_id": 1, "custom_action_id": 1, "subject_url": "/api/v4/matters/1"}, 404),
        ("clock/advance", {"seconds": -1}, 422),
        ("clock/advance", {"seconds": "long"}, 422),
        ("clock/advance", {}, 422),
        ("faults", {"kind": "earthquake"}, 422),
        ("faults", {}, 422),
        ("elsewhere", {}, 404),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_in_a_sentence(control, path, body, status):
    answer = control.post(path, json=body)
    assert answer.status_code == status
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 100_000, b"1e999", b'{"seconds": 1e999}'])
def test_a_malformed_request_is_refused(control, body):
    assert control.post("clock/advance", content=body).status_code == 422


def test_an_oversized_request_is_refused(control):
    assert control.post("tokens", content=b" " * 1_000_001).status_code == 413


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "evil.example:80"},
        {"host": "127.0.0.1.evil.example"},
        {"host": ""},
        {"host": "["},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", "tokens"), ("DELETE", "faults"), ("POST", "reset")])
def test_control_is_for_this_machine_only(control, headers, method, path):
    answer = control.request(method, path, headers=headers)
    assert answer.status_code == 403
    assert "client_secret" not in answer.text


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "127.9.9.9"])
def test_this_machine_may_be_named_in_any_way(control, site, name):
    host = f"{name}:{site.origin.rpartition(':')[2]}"
    assert control.get("", headers={"host": host, "origin": f"http://{host}"}).status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/nothing", "/control//", "/control/nothing", "/openapi.json/", "/%00", "//evil.example/"]
)
@pytest.mark.parametrize("host", ["[", "a b", "evil.example", "x:y:z"])
def test_no_path_and_no_host_breaks_anything(site, path, host):
    with httpx.Client(trust_env=False) as client:
        assert client.get(f"{site.origin}{path}", headers={"host": host}).status_code < 500


def test_the_own_document_names_every_address(control, site):
    document = httpx.get(f"{site.origin}/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert document["servers"] == [{"url": site.origin}]
    assert "not Clio" in document["info"]["title"]
    for path, item in document["paths"].items():
        for method in item:
            seen = httpx.request(method, site.origin + re.sub(r"{\w+}", "1", path), trust_env=False)
            assert seen.status_code not in (405, 501), (method, path)
            assert "no such" not in seen.text, (method, path)


def test_the_repr_shows_no_secret(site: Sandbox):
    assert site.client_secret not in repr(site)
    assert site.origin in repr(site)
