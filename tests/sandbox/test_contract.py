"""The sandbox against Clio's own OpenAPI document, where that is at hand."""

import jsonschema
import pytest

from clio_nb.sandbox.api import catalogue
from clio_nb.sandbox.api.catalogue import Nested

from .conftest import ACTION, CONTRACT, Caller, data
from .contract import DEVIATIONS, MISSING, NOT_IMPLEMENTED, Contract

pytestmark = pytest.mark.skipif(CONTRACT is None, reason=MISSING)

RESOURCES = ["users", "activities", "contacts", "documents", "folders", "matters"]


def all_fields(owner: str) -> str:
    """Every field of an object, and every plain field of what is nested in it."""
    names = []
    for name, kind in catalogue.objects()[owner].items():
        if isinstance(kind, Nested):
            inner = catalogue.objects()[kind.object]
            names.append(f"{name}{{{','.join(inner)}}}")
        else:
            names.append(name)
    return ",".join(names)


def tour(caller: Caller, stranger: Caller) -> None:
    """Meet every operation and every status that the sandbox knows. Each answer is judged on its way in."""
    site = caller.site
    for resource in RESOURCES:
        fields = all_fields(catalogue.OBJECT_OF[resource])
        rows = data(caller.get(resource, params={"fields": fields}))
        assert rows
        shown = caller.get(f"{resource}/{rows[0]['id']}.json", params={"fields": fields})
        assert data(shown) == rows[0]
        assert caller.get(f"{resource}/1").status_code == 404
        assert caller.get(resource, params={"fields": "colour"}).status_code == 400
        assert stranger.get(resource).status_code == 401
        again = caller.get(f"{resource}/{rows[0]['id']}", headers={"if-none-match": shown.headers["etag"]})
        assert again.status_code == 304
    assert caller.get("users/who_am_i.json", params={"fields": all_fields("User")}).status_code == 200
    made = caller.create()
    path = f"custom_actions/{data(made)['id']}.json"
    assert caller.get("custom_actions.json", params={"fields": all_fields("CustomAction")}).status_code == 200
    assert caller.get(path, params={"fields": all_fields("CustomAction")}).status_code == 200
    assert caller.create().status_code == 422
    assert caller.patch(path, json={"data": {"label": "x" * 33}}).status_code == 422
    assert caller.patch(path, json={"data": {}}, headers={"if-match": '"x"'}).status_code == 412
    assert caller.patch(path, json={"data": {"label": "Renamed"}}).status_code == 200
    assert caller.patch("custom_actions/1", json={"data": {}}).status_code == 404
    assert caller.post("custom_actions", content=b" " * 1_000_001).status_code == 413
    assert caller.get("users", headers={"x-api-version": "1"}).status_code == 410
    assert caller.get("users", headers={"authorization": "Bearer x"}).status_code == 401
    assert caller.get("users", params={"offset": 10_001}).status_code == 422
    assert caller.get("users", params={"custom_action_nonce": "x"}).status_code == 403
    assert caller.delete(path).status_code == 204
    assert caller.delete(path).status_code == 404
    site.rate_limit = 0
    for resource in (*RESOURCES, "custom_actions"):
        assert caller.get(resource).status_code == 429
    assert caller.post("custom_actions", json={"data": ACTION}).status_code == 429


def test_every_answer_is_one_that_the_document_allows_and_every_deviation_is_needed(sandbox):
    contract = Contract.read()
    assert contract is not None
    site, limited = sandbox(), sandbox(permissions={"documents"})
    with Caller(site, site.users[0].id, contract) as caller, Caller(site, None, contract) as stranger:
        tour(caller, stranger)
    with Caller(limited, limited.users[0].id, contract) as caller:
        assert caller.get("documents", params={"fields": "matter"}).status_code == 200
    assert contract.used.keys() == DEVIATIONS.keys()


def test_every_operation_is_implemented_or_listed_with_a_reason(owner):
    assert CONTRACT is not None
    assert CONTRACT.operations.keys() >= NOT_IMPLEMENTED.keys()
    for name, (method, path, _) in CONTRACT.operations.items():
        answer = owner.request(method, path.lstrip("/").replace("{id}", "1"), json={"data": {}})
        assert (answer.status_code == 501) == (name in NOT_IMPLEMENTED), name


def test_a_judge_that_lets_everything_pass_would_be_a_defect():
    assert CONTRACT is not None
    headers = {"content-type": "application/json; charset=utf-8"}
    for path, status, body in [
        ("/api/v4/users", 200, b'{"data": {}}'),
        ("/api/v4/users", 200, b'{"data": [{"colour": 1}]}'),
        ("/api/v4/users", 200, b'{"data": [{"id": "1"}]}'),
        ("/api/v4/users", 200, b'{"data": [{"created_at": "yesterday"}]}'),
        ("/api/v4/users", 200, b'{"data": [{"account": {"colour": 1}}]}'),
        ("/api/v4/users/1", 404, b'{"error": "x"}'),
        ("/api/v4/users", 404, b'{"error": {"type": "x", "message": "y"}}'),
        ("/api/v4/users", 500, b""),
    ]:
        with pytest.raises((AssertionError, jsonschema.ValidationError)):
            CONTRACT.judge("GET", path, status, headers, body)


def test_the_catalogue_says_what_the_document_says():
    assert CONTRACT is not None
    for owner, fields in catalogue.objects().items():
        declared = CONTRACT._properties(f"{owner}_base")
        assert fields.keys() == declared.keys(), owner
        for name, kind in fields.items():
            assert same_type(kind, declared[name]), (owner, name)
    for resource in catalogue.OBJECT_OF:
        parameters = CONTRACT.document["paths"][f"/{resource}.json"]["get"]["parameters"]
        names = {each["name"] for each in parameters if each["in"] == "query"}
        everywhere = {"fields", "limit", "page_token", "custom_field_values"}
        assert catalogue.filters(resource).keys() == names - everywhere, resource


def same_type(kind: catalogue.FieldType, schema: dict) -> bool:
    if isinstance(kind, Nested):
        reference = schema["items"]["$ref"] if kind.many else schema["$ref"]
        return reference.rpartition("/")[2].removesuffix("_base") == kind.object
    if isinstance(kind, tuple):
        return list(kind) == schema["enum"]
    if kind.endswith("[]"):
        return schema["items"]["type"] == kind.removesuffix("[]")
    return kind in (schema.get("format"), schema["type"])
