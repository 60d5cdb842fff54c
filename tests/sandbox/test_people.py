"""What an administrator does: hire, rename, disable and remove people, close a matter; and a world saved and loaded."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from clio_nb.sandbox import Sandbox

from .conftest import Caller, data, error


class Control(httpx.Client):
    """The control endpoints of a firm."""

    def __init__(self, firm: Any) -> None:
        super().__init__(base_url=firm.control_url, trust_env=False)


@pytest.fixture(params=["python", "http"])
def admin(request: pytest.FixtureRequest, site: Sandbox) -> Iterator[Any]:
    """The same acts from Python and over HTTP."""
    if request.param == "python":
        yield site
        return
    with Control(site) as control:
        yield OverHttp(site, control)


class OverHttp:
    """The acts of a host, over its control endpoints."""

    def __init__(self, site: Sandbox, control: Control) -> None:
        self._site, self._control = site, control

    def hire(self, name: str, email: str | None = None) -> Any:
        told = self._said("POST", "users", {"name": name, **({"email": email} if email else {})})
        return next(user for user in self._site.users if user.id == told["id"])

    def rename(self, user_id: int, name: str) -> None:
        self._said("PATCH", f"users/{user_id}", {"name": name})

    def disable(self, user_id: int) -> None:
        self._said("PATCH", f"users/{user_id}", {"enabled": False})

    def remove(self, user_id: int) -> None:
        self._said("DELETE", f"users/{user_id}")

    def close_matter(self, matter_id: int, user_ids: list[int]) -> None:
        self._said("PUT", f"closed_matters/{matter_id}", {"user_ids": user_ids})

    def _said(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._control.request(method, path, json=body)
        if answer.status_code == 404:
            raise LookupError(answer.json()["error"]["message"])
        if answer.status_code == 422:
            raise ValueError(answer.json()["error"]["message"])
        return answer.raise_for_status().json()


def test_a_hired_user_can_do_what_all_can(admin, site, call, owner):
    hired = admin.hire("Ada Example")
    assert hired == site.users[-1]
    assert hired.email.endswith("@marrowby-quill.example")
    row = data(owner.get(f"users/{hired.id}", params={"fields": "name,first_name,last_name,initials,enabled,email"}))
    assert row == {
        "name": "Ada Example",
        "first_name": "Ada",
        "last_name": "Example",
        "initials": "AE",
        "enabled": True,
        "email": hired.email,
    }
    hers = call(site, hired.id)
    assert hers.create().status_code == 201
    assert hired.name in httpx.get(f"{site.origin}/").text


def test_people_hired_one_after_another_have_ids_of_their_own(admin, site):
    first = admin.hire("Ada Example")
    admin.remove(first.id)
    second = admin.hire("Ada Example", "ada@partner.example")
    assert second.id > first.id
    assert second.email == "ada@partner.example"


def test_a_renamed_user_has_another_etag(admin, site, owner):
    user = site.users[2]
    before = owner.get(f"users/{user.id}").headers["etag"]
    site.advance(5)
    admin.rename(user.id, "Grace de la Example")
    row = data(owner.get(f"users/{user.id}", params={"fields": "name,last_name,updated_at,etag"}))
    assert (row["name"], row["last_name"]) == ("Grace de la Example", "de la Example")
    assert row["updated_at"] == "2026-01-15T17:00:05Z"
    assert row["etag"] != before
    assert site.users[2].name == "Grace de la Example"


def test_a_disabled_user_is_out_and_still_listed(admin, site, call, owner):
    user = site.users[2]
    hers = call(site, user.id)
    admin.disable(user.id)
    assert hers.get("users").status_code == 401
    assert data(owner.get(f"users/{user.id}", params={"fields": "enabled"})) == {"enabled": False}
    with pytest.raises(LookupError, match="disabled"):
        site.token(user.id)


def test_a_removed_user_is_gone_with_tokens_and_actions(admin, site, call, owner):
    user = site.users[2]
    hers = call(site, user.id)
    hers.create()
    admin.remove(user.id)
    assert hers.get("custom_actions").status_code == 401
    assert owner.get(f"users/{user.id}").status_code == 404
    assert user.id not in {row["id"] for row in data(owner.get("users"))}
    assert user not in site.users
    assert f"Sign in as {user.name}" not in httpx.get(f"{site.origin}/").text
    with pytest.raises(LookupError):
        site.token(user.id)


def test_a_user_of_the_account_owner_too_may_go_but_never_the_last(admin, site):
    for user in site.users[:-1]:
        admin.remove(user.id)
    with pytest.raises(ValueError, match="at least one user"):
        admin.remove(site.users[0].id)


@pytest.mark.parametrize("name", ["", "   ", "x" * 201, "two\nlines", "\x07"])
def test_a_name_that_is_none_is_refused(admin, site, name):
    before = site.users
    with pytest.raises(ValueError, match="name"):
        admin.hire(name)
    with pytest.raises(ValueError, match="name"):
        admin.rename(site.users[0].id, name)
    assert site.users == before


def test_nobody_is_nobody(admin):
    for act in (lambda: admin.rename(1, "Ada"), lambda: admin.disable(1), lambda: admin.remove(1)):
        with pytest.raises(LookupError, match="no user 1"):
            act()


def test_what_ends_while_a_request_is_under_way_breaks_nothing(site):
    """A token is revoked, and a user hired and removed, from Python at the very time of the requests."""
    stop = threading.Event()

    def administrate() -> int:
        done = 0
        while not stop.is_set():
            hired = site.hire("Ada Example")
            site.token(site.users[0].id)
            site.revoke(site.users[0].id)
            site.remove(hired.id)
            done += 1
        return done

    with ThreadPoolExecutor(1) as pool, httpx.Client(base_url=f"{site.api_url}/", trust_env=False) as client:
        busy = pool.submit(administrate)
        answers = set()
        for _ in range(150):
            token = site.token(site.users[0].id)["access_token"]
            answers.add(client.get("users", headers={"authorization": f"Bearer {token}"}).status_code)
        stop.set()
        assert busy.result()
    assert answers <= {200, 401}


def test_a_closed_matter_is_403_for_one_and_open_for_others(admin, site, owner, colleague):
    matter, other = (row["id"] for row in site.records("matters")[:2])
    admin.close_matter(matter, [colleague.user_id])
    assert error(colleague.get(f"matters/{matter}")) == (403, "ForbiddenError")
    assert colleague.get(f"matters/{other}").status_code == 200
    assert owner.get(f"matters/{matter}").status_code == 200
    listed = colleague.get("matters").json()
    assert matter not in {row["id"] for row in listed["data"]}
    assert listed["meta"]["records"] == len(site.records("matters")) - 1
    admin.close_matter(matter, [])
    assert colleague.get(f"matters/{matter}").status_code == 200


def test_what_belongs_to_a_closed_matter_is_closed_too(admin, site, owner, colleague):
    matter = site.records("matters")[0]["id"]
    inside = {
        resource: {
            row["id"]
            for row in data(owner.get(resource, params={"fields": "id,matter{id}"}))
            if (row["matter"] or {}).get("id") == matter
        }
        for resource in ("activities", "documents", "folders")
    }
    admin.close_matter(matter, [colleague.user_id])
    for resource, hidden in inside.items():
        assert hidden
        assert not hidden & {row["id"] for row in data(colleague.get(resource))}
        assert {colleague.get(f"{resource}/{each}").status_code for each in hidden} == {403}
        assert {owner.get(f"{resource}/{each}").status_code for each in hidden} == {200}


def test_a_closed_matter_is_not_on_the_screens_and_cannot_be_clicked(admin, site, colleague):
    action = data(colleague.create())
    matter = site.records("matters")[0]
    url = f"{site.origin}/as/{colleague.user_id}/matters"
    assert f'matters/{matter["id"]}"' in httpx.get(url).text
    admin.close_matter(matter["id"], [colleague.user_id])
    assert f'matters/{matter["id"]}"' not in httpx.get(url).text
    assert httpx.get(f"{url}/{matter['id']}").status_code == 403
    with pytest.raises(LookupError, match="for this user"):
        site.click(colleague.user_id, action["id"], matter["subject_url"])


def test_a_matter_or_a_user_that_is_not_there_closes_nothing(admin, site):
    with pytest.raises(LookupError, match="no matter 1"):
        admin.close_matter(1, [])
    with pytest.raises(LookupError, match="no user 1"):
        admin.close_matter(site.records("matters")[0]["id"], [1])


def test_permissions_change_for_those_who_consent_anew(site, call):
    before = call(site, site.users[0].id)
    with Control(site) as control:
        told = control.patch("app", json={"permissions": ["users", "matters:read"]}).json()
        assert told["permissions"] == ["matters:read", "users"]
        assert control.patch("app", json={"permissions": ["everything"]}).status_code == 422
    assert before.create().status_code == 201
    after = call(site, site.users[0].id)
    assert after.create().status_code == 403
    assert before.create(label="Again").status_code == 403, "a user's grant is one, whichever token carries it"
    site.reset()
    assert "custom_actions" in site.permissions


def test_the_apps_addresses_are_changed_and_forgotten(site):
    with Control(site) as control:
        urls = {"deauthorization_url": "http://127.0.0.1:9/gone", "add_to_clio_url": "http://127.0.0.1:9/connect"}
        assert urls.items() <= control.patch("app", json=urls).json().items()
        assert (site.deauthorization_url, site.add_to_clio_url) == tuple(urls.values())
        assert control.patch("app", json={"deauthorization_url": None}).json()["deauthorization_url"] is None
        assert site.add_to_clio_url == urls["add_to_clio_url"]
        for wrong in ("javascript:alert(1)", "gone", "http://", "http://[", ""):
            assert control.patch("app", json={"add_to_clio_url": wrong}).status_code == (200 if not wrong else 422)


def everything(site: Sandbox) -> Any:
    """All that a world is made of, as far as it can be seen."""
    firms = []
    for firm in site.firms:
        with Caller(firm, firm.users[0].id) as caller:
            fields = {"users": "id,name,email,enabled,etag", "custom_actions": "id,label,etag", "matters": "id"}
            firms.append({name: data(caller.get(name, params={"fields": fields[name]})) for name in fields})
        firms[-1]["app"] = (sorted(firm.permissions), firm.deauthorization_url, firm.add_to_clio_url)
    return site.now(), firms


def changed(site: Sandbox) -> None:
    """Change something of every kind."""
    first, second = site.firms
    hired = first.hire("Ada Example")
    first.rename(hired.id, "Ada Renamed")
    first.rename(first.users[1].id, "Grace Example")
    first.disable(first.users[2].id)
    first.remove(first.users[3].id)
    second.close_matter(second.records("matters")[0]["id"], [second.users[0].id])
    second.permissions = {"users", "custom_actions", "matters:read"}
    second.deauthorization_url = "http://127.0.0.1:9/gone"
    with Caller(second, second.users[1].id) as caller:
        caller.create(label="Kept")
    site.advance(77)


def test_a_saved_world_is_the_same_when_it_is_loaded(tmp_path, sandbox):
    site = sandbox(firms=2)
    changed(site)
    before = everything(site)
    token = site.token(site.users[0].id)["access_token"]
    site.save(tmp_path / "world.json")
    site.reset()
    assert everything(site) != before
    site.load(tmp_path / "world.json")
    assert everything(site) == before
    again = sandbox(firms=2)
    again.load(tmp_path / "world.json")
    assert everything(again) == before
    bearer = {"authorization": f"Bearer {token}"}
    assert httpx.get(f"{again.api_url}/users", headers=bearer).status_code == 200
    assert token not in (tmp_path / "world.json").read_text()


def test_a_world_is_saved_and_loaded_over_http(sandbox):
    site = sandbox(firms=2)
    changed(site)
    before = everything(site)
    with Control(site.firms[1]) as control:
        saved = control.get("world").raise_for_status().content
        control.post("reset")
        assert everything(site) != before
        assert control.put("world", content=saved).status_code == 200
    assert everything(site) == before


def test_the_same_survives_a_restart(tmp_path):
    with Sandbox(db=tmp_path / "clio.db", firms=2, rate_limit=None) as site:
        changed(site)
        before = everything(site)
    with Sandbox(db=tmp_path / "clio.db", firms=2, rate_limit=None) as again:
        assert everything(again) == before


@pytest.mark.parametrize(
    "saved",
    [
        b"",
        b"{",
        b"{}",
        b"[1]",
        b'[["us","action","x",{}]]',
        b'[["us","action","1",{"owner":1}]]',
        b'[["us","person","1",{"name":1}]]',
        b'[["us","closed","x",[]]]',
        b'[["us","grant","1",{"user_id":"x"}]]',
        b'[["","shifted","","soon"]]',
        b'[["","made","",{"seed":1,"users":5}]]',
        b"[" * 100_000,
    ],
)
def test_what_is_no_saved_world_changes_nothing(site, owner, saved):
    owner.create()
    site.advance(5)
    before = everything(site)
    with Control(site) as control:
        refused = control.put("world", content=saved)
    assert refused.status_code == 422
    assert refused.json()["error"]["message"]
    assert site.requests, "not even the log"
    assert everything(site) == before
