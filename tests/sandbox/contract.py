"""Clio's own document as a judge: whether an answer of the sandbox is one that the document allows."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import referencing
import referencing.jsonschema

WHOLE = Path(__file__).parents[2].parent / "shared" / "clio-api" / "openapi_full.json"
PLACE = Path(__file__).parents[2].parent / "shared" / "clio-api" / "openapi_subset.json"
MISSING = f"Clio's document is not here ({PLACE.relative_to(PLACE.parents[2])} beside the project)"

DEVIATIONS = {
    "null": "A value that is not set is null, as live Clio answers; the document has no nullable.",
    "redacted": "Without permission a nested record is {id, redacted: true}: Clio's reference of 2022, no schema.",
    "meta": "Lists carry meta, as Clio's paging documentation says; the List schemas declare data alone.",
    "invalid_token": "A bad bearer token gets OAuth's 401 with a string error (observed); the document has one 401.",
    "410": "An unknown version is 410 Gone: said in the document's introduction, listed on no operation.",
    "delete": "DELETE lists 204 and 403 alone; bad tokens, unknown ids, bad queries, rate limits exist there too.",
    "offset": "An offset above 10,000 is 422 on lists: Clio's reference of 2022.",
    "413": "A body over a megabyte is refused, so that no test can fill the memory.",
}
"""Where the sandbox answers otherwise than the document says, by name, with the reason."""

NOT_IMPLEMENTED = {
    "Activity#create": "records are read-only here: custom actions are what this stand-in is for",
    "Activity#update": "as above",
    "Activity#destroy": "as above",
    "Contact#create": "as above",
    "Contact#update": "as above",
    "Contact#destroy": "as above",
    "Document#create": "as above",
    "Document#update": "as above",
    "Document#destroy": "as above",
    "Document#download": "a demo document has no file behind it",
    "Folder#create": "as above",
    "Folder#update": "as above",
    "Folder#destroy": "as above",
    "Folder#list": "a mixed list of folders and documents; no launch has such a subject",
    "Matter#create": "as above",
    "Matter#update": "as above",
    "Matter#destroy": "as above",
    "Webhook#index": "no webhook exists for custom actions",
    "Webhook#create": "as above",
    "Webhook#show": "as above",
    "Webhook#update": "as above",
    "Webhook#destroy": "as above",
}
"""Operations of the document that answer 501, with the reason."""

_ROOT = "urn:clio"
_FORMATS = jsonschema.FormatChecker(["date"])


@_FORMATS.checks("date-time", raises=ValueError)
def _is_moment(value: object) -> bool:
    return not isinstance(value, str) or dt.datetime.fromisoformat(value).tzinfo is not None


class Contract:
    """The document, with the deviations applied; ``used`` counts how often each was needed."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.used: Counter[str] = Counter()
        self._known: dict[str, dict[str, Any]] = {}
        self.operations = {
            operation["operationId"]: (method.upper(), path, operation)
            for path, item in document["paths"].items()
            for method, operation in item.items()
        }
        self._strict, self._tolerant = (self._validators(document, nullable=each) for each in (False, True))

    @classmethod
    def read(cls) -> Contract | None:
        """Read the document; None where it is missing."""
        return cls(msgspec.json.decode(PLACE.read_bytes())) if PLACE.is_file() else None

    @property
    def implemented(self) -> list[str]:
        return [name for name in self.operations if name not in NOT_IMPLEMENTED]

    def operation(self, method: str, path: str) -> str | None:
        """Return the operation that a path of the API belongs to."""
        plain = path.removeprefix("/api/v4").rstrip("/").removesuffix(".json")
        method = "GET" if method == "HEAD" else method
        named = [
            (name, "{" in template)
            for name, (verb, template, _) in self.operations.items()
            if verb == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template.removesuffix(".json")), plain)
        ]
        return min(named, key=lambda each: each[1])[0] if named else None

    def judge(self, method: str, path: str, status: int, headers: Any, body: bytes) -> None:
        """Raise AssertionError if the document does not allow an answer, deviations aside."""
        name = self.operation(method, path)
        if name is None or name in NOT_IMPLEMENTED:
            assert status in (401, 404, 410, 429, 501), (method, path, status)
            return
        responses = self.operations[name][2]["responses"]
        if str(status) not in responses:
            self._excuse(name, status)
        elif status == 401 and b'"invalid_token"' in body:
            self.used["invalid_token"] += 1
            assert isinstance(msgspec.json.decode(body)["error"], str)
        elif method != "HEAD":
            self._check_body(responses[str(status)], headers, body)

    def _excuse(self, name: str, status: int) -> None:
        if status == 410:
            self.used["410"] += 1
        elif status == 413:
            self.used["413"] += 1
        elif status == 422 and name.endswith("#index"):
            self.used["offset"] += 1
        elif name == "CustomAction#destroy" and status in (400, 401, 404, 429):
            self.used["delete"] += 1
        else:
            raise AssertionError(f"{name} answered {status}, which Clio's document does not list")

    def _check_body(self, response: dict[str, Any], headers: Any, body: bytes) -> None:
        content = response.get("content")
        if content is None:
            assert body == b"", "an answer without a body has none"
            return
        [(media_type, declared)] = content.items()
        assert headers["content-type"] == media_type
        schema, value = declared["schema"]["$ref"], msgspec.json.decode(body)
        self._check_names(schema, value)
        if not self._strict(schema).is_valid(value):
            self.used["null"] += 1
            self._tolerant(schema).validate(value)

    def _check_names(self, schema: str, value: Any) -> None:
        """Whether each value is one that the document knows; JSON Schema itself would let any other pass."""
        owner = schema.rpartition("/")[2]
        if owner == "Error":
            assert value.keys() == {"error"}
            assert isinstance(value["error"], dict)
            assert value["error"].keys() == {"type", "message"}
            return
        if "meta" in value:
            self.used["meta"] += 1
        assert value.keys() - {"meta"} == {"data"}
        rows = value["data"] if isinstance(value["data"], list) else [value["data"]]
        for row in rows:
            self._check_fields(owner.rpartition("_")[0], row)

    def _check_fields(self, owner: str, row: dict[str, Any]) -> None:
        known = self._properties(owner)
        if "redacted" in row:
            self.used["redacted"] += 1
            assert row.keys() <= {"id", "redacted", "display_number"}
            return
        assert row.keys() <= known.keys(), f"{owner} has no {row.keys() - known.keys()}"
        for name, value in row.items():
            inner = known[name].get("items", known[name]).get("$ref", "").rpartition("/")[2]
            for each in value if isinstance(value, list) else [value]:
                if inner and isinstance(each, dict):
                    self._check_fields(inner, each)

    def _properties(self, owner: str) -> dict[str, Any]:
        """Return the fields of an object; of a nested one as well those that only its full form declares."""
        if owner not in self._known:
            self._known[owner] = {**self._own(owner), **self._own(owner.removesuffix("_base"))}
        return self._known[owner]

    def _own(self, name: str) -> dict[str, Any]:
        schema = self.document["components"]["schemas"].get(name, {})
        found: dict[str, Any] = {}
        for part in schema.get("allOf", [schema]):
            if "$ref" in part:
                found.update(self._own(part["$ref"].rpartition("/")[2]))
            found.update(part.get("properties", {}))
        return found

    @staticmethod
    def _validators(document: dict[str, Any], *, nullable: bool) -> Any:
        schemas = {"components": _nullable(document["components"]) if nullable else document["components"]}
        resource = referencing.Resource(schemas, referencing.jsonschema.DRAFT202012)
        registry = referencing.Registry().with_resource(_ROOT, resource)

        def validator(reference: str) -> jsonschema.Draft202012Validator:
            return jsonschema.Draft202012Validator(
                {"$ref": _ROOT + reference}, registry=registry, format_checker=_FORMATS
            )

        return validator


def _nullable(node: Any) -> Any:
    """Return a schema in which every property may be null as well."""
    if isinstance(node, list):
        return [_nullable(each) for each in node]
    if not isinstance(node, dict):
        return node
    changed = {key: _nullable(value) for key, value in node.items()}
    if isinstance(changed.get("properties"), dict):
        changed["properties"] = {
            name: {"anyOf": [schema, {"type": "null"}]} for name, schema in changed["properties"].items()
        }
    return changed
