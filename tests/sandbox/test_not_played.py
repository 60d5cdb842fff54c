"""What Clio has and the sandbox does not play: 501 that says so, and never a record that was not found."""

from __future__ import annotations

import re

import httpx
import msgspec
import pytest

from clio_nb.sandbox.api import operations

from .contract import MISSING, WHOLE

LIST = operations.files(operations.__package__).joinpath("operations.txt").read_text()
OPERATIONS = [
    (operation.partition("=")[0], line.split()[0], operation.partition("=")[2])
    for line in LIST.splitlines()
    if line and not line.startswith("#")
    for operation in line.split()[1:]
]
NOT_PLAYED = [each for each in OPERATIONS if not operations.PLAYED.fullmatch(each[2])]


def test_every_operation_of_clio_is_played_or_501(owner):
    assert len(OPERATIONS) == 282
    for method, path, name in OPERATIONS:
        answer = owner.request(method, re.sub(r"{\w+}", "1", path), json={"data": {}})
        played = operations.PLAYED.fullmatch(name)
        assert (answer.status_code == 501) != bool(played), (method, path, answer.status_code)


@pytest.mark.parametrize(("method", "path", "name"), NOT_PLAYED[::9])
@pytest.mark.parametrize("form", ["{}", "{}.json", "{}/", "{}?fields=id&limit=1"])
def test_the_refusal_names_the_operation_and_the_list(owner, site, method, path, name, form):
    answer = owner.request(method, form.format(re.sub(r"{\w+}", "123", path)))
    assert answer.status_code == 501
    refused = answer.json()["error"]
    assert refused["type"] == "NotPlayed"
    assert name in refused["message"]
    assert f"{site.origin}/openapi.json" in refused["message"]


def test_the_list_says_what_is_not_played(site):
    document = httpx.get(f"{site.origin}/openapi.json").json()
    played = {
        operation["operationId"]
        for path, item in document["paths"].items()
        if path.startswith("/api/")
        for operation in item.values()
    }
    assert set(document["x-not-played"]) == {name for _, _, name in NOT_PLAYED}
    assert played.isdisjoint(document["x-not-played"])
    assert played | set(document["x-not-played"]) == {name for _, _, name in OPERATIONS}


def test_head_is_as_get(owner):
    assert owner.head("tasks").status_code == 501
    assert owner.head("matters").status_code == 200


def test_it_is_401_to_a_stranger_and_counts_against_the_limit(sandbox, call, stranger):
    assert stranger.get("tasks").status_code == 401
    site = sandbox(rate_limit=1)
    caller = call(site, site.users[0].id)
    assert [caller.get("tasks").status_code for _ in range(2)] == [501, 429]


@pytest.mark.parametrize("path", ["widgets", "tasks/1/2/3", "matters/1/widgets", "tasks/", "TASKS"])
def test_what_clio_does_not_have_is_404(owner, path):
    assert owner.get(path).status_code == (501 if path == "tasks/" else 404)


@pytest.mark.skipif(not WHOLE.is_file(), reason=MISSING)
def test_the_list_says_what_clios_document_says():
    paths = msgspec.json.decode(WHOLE.read_bytes())["paths"]
    declared = {
        (method.upper(), path.removeprefix("/").removesuffix(".json"), operation["operationId"])
        for path, item in paths.items()
        for method, operation in item.items()
    }
    assert set(OPERATIONS) == declared
