"""Starting and stopping: ports, addresses, regions, and state that outlives the process."""

import gc
import socket
import subprocess
import sys
import threading

import httpx
import pytest

import clio_nb
from clio_nb.sandbox import Assumptions, PortInUse, Sandbox
from clio_nb.vocabulary import Region

from .conftest import ACTION, data


def test_the_module_itself_can_be_called():
    with clio_nb.sandbox(users=2) as site:
        assert isinstance(site, Sandbox)
        assert len(site.users) == 2
        assert httpx.get(f"{site.origin}/openapi.json").status_code == 200


def test_a_closed_sandbox_is_gone(sandbox):
    site = sandbox()
    port = int(site.origin.rpartition(":")[2])
    site.close()
    site.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=60)
    assert sandbox(port=port).origin == site.origin
    assert not [thread for thread in threading.enumerate() if "sandbox" in thread.name][1:]


def test_a_sandbox_that_nobody_holds_stops(sandbox):
    site = Sandbox()
    port = int(site.origin.rpartition(":")[2])
    del site
    gc.collect()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=60)


def test_a_program_that_forgets_to_close_still_ends():
    program = "import clio_nb, sys; site = clio_nb.sandbox(); sys.stdout.write(site.origin)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("http://127.0.0.1:")
    assert done.stderr == ""


def test_wait_returns_when_the_sandbox_is_closed(sandbox):
    site = sandbox()
    waiting = threading.Thread(target=site.wait)
    waiting.start()
    assert waiting.is_alive()
    site.close()
    waiting.join(60)
    assert not waiting.is_alive()


def test_a_port_in_use_is_named(sandbox):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse, match=str(port)) as refused:
            sandbox(port=port)
    assert refused.value.port == port
    assert isinstance(refused.value, OSError)


def test_the_other_loopback_addresses_need_no_key(sandbox):
    site = sandbox(host="127.0.0.2")
    assert site.origin.startswith("http://127.0.0.2:")
    assert httpx.get(f"{site.origin}/control").status_code == 200


@pytest.mark.parametrize(
    "options",
    [
        {"users": 0},
        {"port": 65535, "regions": ("us", "eu")},
        {"public_url": "http://clio:65535", "regions": ("us", "eu")},
        {"host": ""},
        {"host": "", "control_key": "long-enough"},
        {"firms": 0},
        {"regions": ("us", "us")},
        {"deauthorization_url": "ftp://app.example/"},
        {"add_to_clio_url": "javascript:alert(1)"},
        {"regions": ()},
        {"regions": ("mars",)},
        {"redirect_uris": ()},
        {"permissions": {"everything"}},
        {"clock": "sundial"},
    ],
)
def test_settings_that_cannot_be_are_refused_and_leave_no_port(sandbox, options):
    with pytest.raises(ValueError, match=r"\w"):
        sandbox(**options)


def test_an_unknown_option_is_a_type_error(sandbox):
    with pytest.raises(TypeError, match="colour"):
        sandbox(colour="red")


def test_the_same_seed_makes_the_same_firm(sandbox):
    one, same, other = sandbox(seed=7), sandbox(seed=7), sandbox(seed=8)
    for value in ("users", "client_id", "client_secret"):
        assert getattr(one, value) == getattr(same, value) != getattr(other, value)
    assert one.records("matters") == same.records("matters") != other.records("matters")


def test_records_can_be_picked_as_subjects(site):
    for resource in ("activities", "contacts", "documents", "folders", "matters"):
        rows = site.records(resource)
        assert len(rows) >= 10
        assert all(row["name"] and row["subject_url"] == f"/api/v4/{resource}/{row['id']}" for row in rows)
    with pytest.raises(LookupError):
        site.records("tasks")


def test_the_firm_has_people_of_different_roles(sandbox):
    people = sandbox(users=10).records("users")
    assert [person["account_owner"] for person in people] == [True] + [False] * 9
    assert {person["subscription_type"] for person in people} == {"Attorney", "NonAttorney"}
    assert len({person["name"] for person in people}) == len({person["email"] for person in people}) == 10
    assert all(person["email"].endswith(".example") for person in people)


def test_five_thousand_users_are_there_at_once(sandbox, call):
    site = sandbox(users=5000)
    caller = call(site, site.users[4999].id)
    assert caller.get("users", params={"limit": 1}).json()["meta"]["records"] == 5000
    assert len({user.name for user in site.users}) == 5000


REGIONS = ("us", "eu", "ca", "au")


@pytest.fixture
def world(sandbox):
    return sandbox(regions=REGIONS)


def test_one_sandbox_plays_every_region_on_a_port_of_its_own(world, call):
    hosts = [world.at(region) for region in REGIONS]
    assert [host.region for host in hosts] == list(Region)
    assert world.at("us") is world
    assert world.region is Region.US
    for values in ("origin", "client_id", "client_secret"):
        assert len({getattr(host, values) for host in hosts}) == 4
    for host in hosts:
        assert data(call(host, host.users[0].id).get("users/who_am_i"))["id"] == host.users[0].id
        assert httpx.get(host.control_url).json()["region"] == host.region


def test_a_token_of_one_region_is_refused_by_another(world, call):
    eu = call(world.at("eu"), world.at("eu").users[0].id)
    refused = eu.get(f"{world.origin}/api/v4/users")
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_token")
    assert eu.get("users").status_code == 200


def test_an_app_belongs_to_one_region(world):
    eu = world.at("eu")
    refresh = {"grant_type": "refresh_token", "refresh_token": eu.token(eu.users[0].id)["refresh_token"]}
    app = {"client_id": eu.client_id, "client_secret": eu.client_secret}
    answer = httpx.post(f"{world.origin}/oauth/token", data={**refresh, **app})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert httpx.post(f"{eu.origin}/oauth/token", data={**refresh, **app}).status_code == 200


def test_regions_share_the_clock_and_nothing_else(world, call):
    us, eu = call(world, world.users[0].id), call(world.at("eu"), world.at("eu").users[0].id)
    us.create()
    assert data(eu.get("custom_actions")) == []
    assert len(world.requests) == len(world.at("eu").requests) == 1
    world.advance(60)
    assert us.get("users").headers["date"] == eu.get("users").headers["date"]
    world.at("eu").fault("status")
    assert us.get("users").status_code == 200
    assert eu.get("users").status_code == 503


def test_a_region_that_is_not_played_is_named(site):
    with pytest.raises(LookupError, match="eu"):
        site.at("eu")


def test_the_host_of_a_region_keeps_the_sandbox_running():
    eu = Sandbox(regions=("us", "eu")).at("eu")
    gc.collect()
    assert httpx.get(eu.control_url).status_code == 200


def test_given_ports_follow_each_other(sandbox):
    with socket.create_server(("127.0.0.1", 0)) as probe, socket.create_server(("127.0.0.1", 0)):
        port = probe.getsockname()[1]
    try:
        site = sandbox(port=port, regions=("us", "eu"))
    except PortInUse:
        pytest.skip("the port after a free one is taken on this machine")
    assert site.at("eu").origin == f"http://127.0.0.1:{port + 1}"


def test_state_outlives_the_process(tmp_path, call):
    file = tmp_path / "clio.db"
    with Sandbox(db=file, regions=("us", "eu"), rate_limit=None) as site:
        caller = call(site, site.users[0].id)
        action, gone = data(caller.create()), data(caller.create(label="Gone"))
        eu = call(site.at("eu"), site.at("eu").users[0].id)
        elsewhere = data(eu.create(label="European"))
        caller.patch(f"custom_actions/{action['id']}", json={"data": {"label": "Renamed"}})
        etag = caller.get(f"custom_actions/{action['id']}").headers["etag"]
        caller.delete(f"custom_actions/{gone['id']}")
        used, fresh = caller.click(action), caller.click(action)
        assert caller.get("users", params={"custom_action_nonce": used}).status_code == 200
        site.disable(site.users[4].id)
        site.advance(30)
    with Sandbox(db=file, regions=("us", "eu"), rate_limit=None) as again:
        assert again.now() == 1_768_496_430
        headers = {"authorization": caller.headers["authorization"]}
        with httpx.Client(base_url=f"{again.origin}/api/v4/", headers=headers, trust_env=False) as client:
            kept = client.get("custom_actions", params={"fields": "id,label,etag"})
            assert data(kept) == [{"id": action["id"], "label": "Renamed", "etag": etag}]
            assert client.get("users", params={"custom_action_nonce": used}).status_code == 403
            assert client.get("users", params={"custom_action_nonce": fresh}).status_code == 200
            assert len(data(client.get("users", params={"enabled": "false"}))) == 1
            made = client.post("custom_actions", json={"data": ACTION})
            assert data(made)["id"] > gone["id"]
        renewed = httpx.post(
            f"{again.origin}/oauth/token",
            data={
                "grant_type": "refresh_token",
                "refresh_token": caller.tokens["refresh_token"],
                "client_id": again.client_id,
                "client_secret": again.client_secret,
            },
        )
        assert renewed.status_code == 200
        rows = data(call(again.at("eu"), again.at("eu").users[0].id).get("custom_actions"))
        assert [row["id"] for row in rows] == [elsewhere["id"]]
        again.reset()
    with Sandbox(db=file, regions=("us", "eu")) as last:
        assert last.now() == 1_768_496_400
        assert data(call(last, last.users[0].id).get("custom_actions")) == []


def test_no_secret_and_no_stranger_gets_to_the_file(tmp_path, call):
    file = tmp_path / "clio.db"
    with Sandbox(db=file) as site:
        caller = call(site, site.users[0].id)
        nonce = caller.click(data(caller.create()))
        secrets = [caller.tokens["access_token"], caller.tokens["refresh_token"], nonce]
    assert file.stat().st_mode & 0o077 == 0
    for each in tmp_path.iterdir():
        content = each.read_bytes()
        assert not any(secret.encode() in content for secret in secrets)


def test_a_file_of_another_firm_is_refused(tmp_path):
    file = tmp_path / "clio.db"
    Sandbox(db=file, users=5).close()
    with pytest.raises(ValueError, match="seed=0, users=5 and firms=1"):
        Sandbox(db=file, users=6)


def test_a_file_is_for_one_sandbox_at_a_time(tmp_path):
    with Sandbox(db=tmp_path / "clio.db"), pytest.raises(ValueError, match="in use"):
        Sandbox(db=tmp_path / "clio.db")


def test_a_file_that_is_none_of_ours_is_refused(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("not a database, but a text of more than a few bytes" * 50)
    with pytest.raises(ValueError, match="no file of a sandbox"):
        Sandbox(db=file)
    assert file.read_text().startswith("not a database")
    with pytest.raises(OSError, match="nowhere"):
        Sandbox(db=tmp_path / "nowhere" / "clio.db")


def test_assumptions_are_refused_by_an_unknown_name():
    with pytest.raises(TypeError):
        Assumptions(moon="cheese")
