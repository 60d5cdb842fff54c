"""The sandbox's own OpenAPI document, made from the catalogue: what it answers, where it listens."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from .api.catalogue import OBJECT_OF, FieldType, Nested, filters, objects
from .api.endpoints import VERSION, VERSIONS
from .api.operations import names_not_played
from .api.paging import LIMIT_MAX
from .control.endpoints import REQUESTS

Schema = dict[str, Any]

_SINGLE: Final[dict[str, Schema]] = {
    **{kind: {"type": kind} for kind in ("boolean", "object", "string")},
    **{kind: {"type": "string", "format": kind} for kind in ("date", "date-time")},
    **{kind: {"type": "integer", "format": kind} for kind in ("int32", "int64")},
    **{kind: {"type": "number", "format": kind} for kind in ("double", "float")},
    "decimal": {"type": "number"},
    "dates": {"type": "array", "items": {"type": "string", "pattern": r"^(>=|<=|>|<|=)?\d{4}-\d\d-\d\d$"}},
}
_KINDS: Final = _SINGLE | {f"{kind}[]": {"type": "array", "items": one} for kind, one in _SINGLE.items()}
_REASONS: Final = {
    "200": "OK",
    "201": "Created",
    "204": "Deleted",
    "304": "Not modified",
    "400": "A field or value that cannot be read",
    "401": "No token, or a bad one",
    "403": "No permission, or a nonce that is refused",
    "404": "No such record, or not for this user",
    "410": "An unknown API version",
    "412": "Changed since it was read",
    "413": "The body is too long",
    "422": "Values that may not be saved",
    "429": "Over the rate limit",
}
_READ: Final = ("400", "401", "403", "410", "429")
_WRITE: Final = (*_READ, "404", "413", "422")


def document(origin: str) -> Schema:
    """Return the document of the sandbox at an origin."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Sandbox of clio_nb (this is not Clio)",
            "version": VERSION,
            "description": "A stateful stand-in of the part of Clio Manage's API around custom actions, for tests. "
            "x-not-played lists Clio's other operations: they are answered with 501.",
        },
        "servers": [{"url": origin}],
        "security": [{"bearer": []}],
        "x-not-played": names_not_played(),
        "paths": {**_api_paths(), **_oauth_paths(), **_control_paths()},
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {key: {"type": "http", "scheme": "bearer"} for key in ("bearer", "control_key")},
        },
    }


def _api_paths() -> Schema:
    paths: Schema = {}
    for resource, owner in OBJECT_OF.items():
        paths[f"/api/v4/{resource}.json"] = {"get": _index(resource, owner)}
        paths[f"/api/v4/{resource}/{{id}}.json"] = {"get": _show(owner, [_ID])}
    paths["/api/v4/users/who_am_i.json"] = {"get": {**_show("User", []), "operationId": "User#who_am_i"}}
    paths["/api/v4/custom_actions.json"]["post"] = _create()
    paths["/api/v4/custom_actions/{id}.json"].update(patch=_update(), delete=_destroy())
    return paths


def _index(resource: str, owner: str) -> Schema:
    listed = [_query(name, kind) for name, kind in filters(resource).items()]
    paging = [
        _parameter("query", "limit", {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX}),
        _parameter("query", "page_token", {"type": "string"}),
        _parameter("query", "offset", {"type": "integer", "minimum": 0}),
    ]
    return _operation(f"{owner}#index", [*_COMMON, *listed, *paging], {"200": f"{owner}_List"}, (*_READ, "422"))


def _show(owner: str, parameters: list[Schema]) -> Schema:
    conditions = [_parameter("header", name, {"type": "string"}) for name in ("If-None-Match", "If-Modified-Since")]
    answers = {"200": f"{owner}_Show", "304": None}
    return _operation(f"{owner}#show", [*_COMMON, *conditions, *parameters], answers, (*_READ, "404"))


def _create() -> Schema:
    operation = _operation("CustomAction#create", _COMMON, {"201": "CustomAction_Show"}, _WRITE)
    return {**operation, "requestBody": _body(["label", "target_url", "ui_reference"])}


def _update() -> Schema:
    condition = _parameter("header", "If-Match", {"type": "string"})
    parameters = [*_COMMON, condition, _ID]
    operation = _operation("CustomAction#update", parameters, {"200": "CustomAction_Show"}, (*_WRITE, "412"))
    return {**operation, "requestBody": _body([])}


def _destroy() -> Schema:
    return _operation("CustomAction#destroy", [_VERSION, _NONCE, _ID], {"204": None}, (*_READ, "404"))


def _body(required: list[str]) -> Schema:
    fields = objects()["CustomAction"]
    properties = {name: _schema(fields[name]) for name in ("label", "target_url", "ui_reference")}
    data = {"type": "object", "properties": properties, **({"required": required} if required else {})}
    schema = {"type": "object", "properties": {"data": data}, "required": ["data"]}
    media = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data")
    return {"required": True, "content": {kind: {"schema": schema} for kind in media}}


def _oauth_paths() -> Schema:
    text = {"type": "string"}
    names = ("grant_type", "client_id", "client_secret", "code", "redirect_uri", "refresh_token", "code_verifier")
    token = {"type": "object", "properties": dict.fromkeys(names, text), "required": ["grant_type"]}
    ended = {"type": "object", "properties": {"token": text}, "required": ["token"]}
    return {
        "/oauth/token": {"post": _form("token", token, "Tokens", security=[])},
        "/oauth/deauthorize": {"post": _form("deauthorize", ended, None, security=[{"bearer": []}])},
    }


def _form(name: str, schema: Schema, answer: str | None, security: list[Schema]) -> Schema:
    responses = {"200": _answer("200", answer), **{status: _answer(status, "OAuthError") for status in ("400", "401")}}
    body = {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": schema}}}
    return {"operationId": name, "security": security, "requestBody": body, "responses": responses}


def _control_paths() -> Schema:
    paths: Schema = {}
    for path, method, shape in REQUESTS:
        writes = method in ("POST", "PATCH", "PUT")
        refusals = ("403", *(("413", "422") if writes else ()), *(("404",) if writes or "{" in path else ()))
        name = f"control{re.sub(r'[/{}]+', '_', path)}_{method.lower()}"
        ids = [{**_parameter("path", each, _KINDS["int64"]), "required": True} for each in re.findall(r"{(\w+)}", path)]
        operation = _operation(name, ids, {"200": None}, refusals)
        operation["security"] = [{}, {"control_key": []}]
        if writes:
            named = f"#/components/schemas/{shape.__name__}"
            reference = {"type": "array"} if shape is msgspec.Raw else {"$ref": named}
            operation["requestBody"] = {"content": {"application/json": {"schema": reference}}}
        paths.setdefault(f"/control{path}", {})[method.lower()] = operation
    return paths


def _operation(
    name: str, parameters: list[Schema], answers: dict[str, str | None], refusals: tuple[str, ...]
) -> Schema:
    responses = {status: _answer(status, schema) for status, schema in answers.items()}
    responses.update({status: _answer(status, "Unauthorized" if status == "401" else "Error") for status in refusals})
    return {"operationId": name, "parameters": parameters, "responses": responses}


def _answer(status: str, schema: str | None) -> Schema:
    answer: Schema = {"description": _REASONS[status]}
    if schema:
        answer["content"] = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return answer


def _query(name: str, kind: FieldType) -> Schema:
    if name == "order" and isinstance(kind, tuple):
        kind = tuple(f"{field}({way})" for field in kind for way in ("asc", "desc"))
    if name == "status" and isinstance(kind, tuple):  # several, comma-separated
        one = "|".join(kind)
        return _parameter("query", name, {"type": "string", "pattern": f"^({one})(,({one}))*$"})
    return _parameter("query", name, _schema(kind))


def _parameter(place: str, name: str, schema: Schema) -> Schema:
    return {"in": place, "name": name, "schema": schema}


def _schema(kind: FieldType, *, nullable: bool = False) -> Schema:
    if isinstance(kind, Nested):
        reference: Schema = {"$ref": f"#/components/schemas/{kind.object}"}
        return {"type": "array", "items": reference} if kind.many else {"anyOf": [reference, {"type": "null"}]}
    schema = {"type": "string", "enum": list(kind)} if isinstance(kind, tuple) else dict(_KINDS[kind])
    return {"anyOf": [schema, {"type": "null"}]} if nullable else schema


def _schemas() -> Schema:
    text = {"type": "string"}
    schemas: Schema = {
        name: {"type": "object", "properties": {field: _schema(kind, nullable=True) for field, kind in fields.items()}}
        for name, fields in objects().items()
    }
    shapes = [shape for _, _, shape in REQUESTS if shape is not msgspec.Raw]
    schemas.update(msgspec.json.schema_components(shapes, ref_template="#/components/schemas/{name}")[1])
    for owner in OBJECT_OF.values():
        one = {"$ref": f"#/components/schemas/{owner}"}
        schemas[f"{owner}_Show"] = _struct(data=one)
        schemas[f"{owner}_List"] = _struct(data={"type": "array", "items": one}, meta=_META)
    schemas["Error"] = _struct(error=_struct(type=text, message=text))
    schemas["OAuthError"] = _struct(error=text, error_description=text)
    schemas["Unauthorized"] = {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in ("Error", "OAuthError")]}
    tokens = _struct(token_type={"const": "bearer"}, access_token=text, expires_in={"type": "integer"})
    schemas["Tokens"] = {**tokens, "properties": {**tokens["properties"], "refresh_token": text}}
    return schemas


def _struct(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


_URL: Final[Schema] = {"type": "string", "format": "uri"}
_META: Final = _struct(
    paging={"type": "object", "properties": {"previous": _URL, "next": _URL}}, records={"type": "integer"}
)
_ID: Final[Schema] = {**_parameter("path", "id", _KINDS["int64"]), "required": True}
_VERSION: Final = _parameter("header", "X-API-VERSION", {"type": "string", "enum": sorted(VERSIONS)})
_NONCE: Final = _parameter("query", "custom_action_nonce", {"type": "string"})
_COMMON: Final = [_VERSION, _NONCE, _parameter("query", "fields", {"type": "string"})]
