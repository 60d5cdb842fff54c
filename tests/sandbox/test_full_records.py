"""Records as full as a real firm's, the same for the same seed, with empty arrays where Clio declares an array."""

from __future__ import annotations

import pytest

from clio_nb.sandbox.api import catalogue
from clio_nb.sandbox.api.catalogue import Nested

from .conftest import data

MAILS = "primary_email_address,secondary_email_address,email_addresses{address,name,primary}"
PHONES = "primary_phone_number,secondary_phone_number,phone_numbers{number,name,primary}"
ADDRESSES = "primary_address{id,street},primary_work_address{id},addresses{id,street,city,postal_code,country,primary}"
VERSION = "id,uuid,version_number,filename,size,content_type,fully_uploaded,document_id,received_at,put_headers"


def arrays(owner: str) -> list[str]:
    return [
        name
        for name, kind in catalogue.objects()[owner].items()
        if (kind.many if isinstance(kind, Nested) else isinstance(kind, str) and kind.endswith("[]"))
    ]


def test_the_plain_mail_and_phone_agree_with_the_lists(owner):
    contacts = data(owner.get("contacts", params={"fields": f"type,{MAILS},{PHONES}"}))
    for contact in contacts:
        for plain, many, value in [
            ("email_address", "email_addresses", "address"),
            ("phone_number", "phone_numbers", "number"),
        ]:
            listed = contact[many]
            assert [each["primary"] for each in listed] == [True, False][: len(listed)]
            given = [contact[f"{which}_{plain}"] for which in ("primary", "secondary")]
            assert [each for each in given if each is not None] == [each[value] for each in listed]
        assert bool(contact["email_addresses"]) == (contact["type"] == "Person")
    assert {len(contact["email_addresses"]) for contact in contacts} == {0, 1, 2}


def test_every_contact_has_an_address_and_custom_fields(owner):
    values = "custom_field_values{id,field_name,field_type,value,custom_field}"
    for contact in data(owner.get("contacts", params={"fields": f"{ADDRESSES},{values}"})):
        [address] = contact["addresses"]
        assert address["id"] == contact["primary_address"]["id"] == contact["primary_work_address"]["id"]
        assert all(address[name] for name in ("street", "city", "postal_code", "country"))
        assert contact["custom_field_values"]
        for each in contact["custom_field_values"]:
            assert each["value"]
            assert each["custom_field"]["id"]


def test_one_custom_field_is_one_field_on_every_record(owner):
    fields = {"fields": "custom_field_values{field_name,custom_field}"}
    for resource in ("contacts", "matters"):
        named = {
            (each["field_name"], each["custom_field"]["id"])
            for row in data(owner.get(resource, params=fields))
            for each in row["custom_field_values"]
        }
        assert len({name for name, _ in named}) == len(named) >= 1


def test_every_document_has_the_version_that_it_shows(owner):
    fields = f"id,size,content_type,filename,latest_document_version{{{VERSION}}}"
    documents = data(owner.get("documents", params={"fields": fields}))
    assert documents
    for document in documents:
        version = document["latest_document_version"]
        assert {name: version[name] for name in ("size", "content_type", "filename")} == {
            name: document[name] for name in ("size", "content_type", "filename")
        }
        assert (version["document_id"], version["version_number"], version["fully_uploaded"]) == (
            document["id"],
            1,
            True,
        )
        assert version["put_headers"] == []
    assert len({document["latest_document_version"]["uuid"] for document in documents}) == len(documents)


@pytest.mark.parametrize("resource", ["users", "contacts", "matters", "folders", "documents", "activities"])
def test_an_array_is_never_null(owner, resource):
    names = arrays(catalogue.OBJECT_OF[resource])
    assert names
    for row in data(owner.get(resource, params={"fields": ",".join(["id", *names])})):
        assert {name: type(row[name]) for name in names} == dict.fromkeys(names, list)


@pytest.mark.parametrize(
    ("resource", "fields", "path"),
    [
        ("matters", "user{groups,roles,notification_methods}", "user"),
        ("matters", "client{email_addresses,account_balances}", "client"),
        ("activities", "matter{relationships,custom_field_values}", "matter"),
        ("documents", "latest_document_version{multiparts}", "latest_document_version"),
    ],
)
def test_a_nested_array_is_not_null_either(owner, resource, fields, path):
    for row in data(owner.get(resource, params={"fields": fields})):
        assert row[path]
        assert all(isinstance(value, list) for value in row[path].values())


def test_the_same_seed_makes_the_same_records(sandbox, call):
    def told(seed):
        site = sandbox(seed=seed)
        caller = call(site, site.users[0].id)
        fields = f"etag,{MAILS},{PHONES},{ADDRESSES},custom_field_values{{id,value}}"
        documents = f"latest_document_version{{{VERSION}}}"
        return (
            caller.get("contacts", params={"fields": fields}).content,
            caller.get("documents", params={"fields": documents}).content,
        )

    assert told(3) == told(3) != told(4)
