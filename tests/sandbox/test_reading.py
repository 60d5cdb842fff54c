"""Reading: fields, pages, filters, order, conditional requests and versions."""

from email.utils import format_datetime, parsedate_to_datetime
from itertools import pairwise

import pytest

from .conftest import data, error

RECORDS = ["activities", "contacts", "documents", "folders", "matters"]


def read_all(caller, path, **params):
    """Follow ``meta.paging.next`` to the end; return the pages."""
    pages = [caller.get(path, params=params).json()]
    while "next" in pages[-1]["meta"]["paging"]:
        pages.append(caller.get(pages[-1]["meta"]["paging"]["next"]).json())
    return pages


@pytest.mark.parametrize("resource", RECORDS)
def test_records_are_listed_and_shown(owner, site, resource):
    listed = owner.get(f"{resource}.json").json()
    assert [row["id"] for row in listed["data"]] == [row["id"] for row in site.records(resource)]
    assert listed["meta"] == {"paging": {}, "records": len(listed["data"])}
    one = listed["data"][0]
    assert data(owner.get(f"{resource}/{one['id']}")) == one
    assert error(owner.get(f"{resource}/1")) == (404, "RecordNotFound")


@pytest.mark.parametrize("id", ["0", "-1", "x", "1.5", "9" * 30, "%00", "²", "1e3", "who_am_i", "1%2F2", "01x"])
def test_what_is_no_id_is_404(owner, id):
    assert error(owner.get(f"matters/{id}")) == (404, "RecordNotFound")


def test_defaults_are_id_and_etag_and_what_clio_has_shown_besides(owner):
    assert set(data(owner.get("contacts"))[0]) == {"id", "etag"}
    assert set(data(owner.get("matters"))[0]) == {"id", "etag", "display_number"}
    assert set(data(owner.get("users/who_am_i"))) == {"id", "etag", "name"}


def test_who_am_i_is_the_user_of_the_token(owner, colleague, site):
    assert data(owner.get("users/who_am_i.json"))["id"] == site.users[0].id
    assert data(colleague.get("users/who_am_i"))["id"] == site.users[1].id
    account = data(owner.get("users/who_am_i", params={"fields": "account{name}"}))["account"]
    assert account == {"name": "Marrowby & Quill LLP"}


def test_fields_select_plain_and_nested_values(owner):
    matter = data(owner.get("matters", params={"fields": "id,client{id,name},practice_area"}))[0]
    assert set(matter) == {"id", "client", "practice_area"}
    assert set(matter["client"]) == {"id", "name"}
    assert set(matter["practice_area"]) == {"id", "etag"}


def test_blanks_around_names_do_not_matter(owner):
    assert set(data(owner.get("matters", params={"fields": "id, client{ id, name }"}))[0]) == {"id", "client"}


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ("colour", "colour"),
        ("id,colour", "colour"),
        ("client{colour}", "client{colour}"),
        ("id{name}", "id{name}"),
        ("client{id", "client{id"),
        ("client}", "client}"),
        ("client{company{name}}", "client{company{name}}"),
        (",", ","),
        ("id,", ""),
        ("client{}", "client{}"),
        ("id,,etag", ",etag"),
        ("İd", "İd"),
        ("id\x00", "id\x00"),
    ],
)
def test_a_field_that_clio_does_not_have_is_named(owner, fields, named):
    refused = owner.get("matters", params={"fields": fields})
    assert error(refused) == (400, "InvalidFields")
    assert refused.json()["error"]["message"] == f"{named} is not a valid field"


def test_a_second_level_without_braces_gives_its_defaults(owner):
    parent = data(owner.get("documents", params={"fields": "matter{id,client}"}))[0]["matter"]
    assert set(parent["client"]) == {"id", "etag"}


def test_a_list_comes_in_pages_that_link_both_ways(sandbox, call):
    site = sandbox(users=23)
    caller = call(site, site.users[0].id)
    pages = read_all(caller, "users.json", limit=5, fields="name")
    assert [len(page["data"]) for page in pages] == [5, 5, 5, 5, 3]
    assert [row["name"] for page in pages for row in page["data"]] == [user.name for user in site.users]
    assert {page["meta"]["records"] for page in pages} == {23}
    assert "previous" not in pages[0]["meta"]["paging"]
    for before, after in pairwise(pages):
        assert caller.get(after["meta"]["paging"]["previous"]).json() == before
    assert pages[0]["meta"]["paging"]["next"].startswith(
        f"{site.origin}/api/v4/users.json?limit=5&fields=name&page_token="
    )


def test_a_page_without_limit_holds_200(sandbox, call):
    site = sandbox(users=201)
    pages = read_all(call(site, site.users[0].id), "users")
    assert [len(page["data"]) for page in pages] == [200, 1]


def test_pages_stay_whole_while_rows_come_and_go(owner):
    made = [data(owner.create(label=f"L{number}"))["id"] for number in range(6)]
    first = owner.get("custom_actions", params={"limit": 2}).json()
    owner.delete(f"custom_actions/{made[0]}")
    owner.delete(f"custom_actions/{made[1]}")
    new = data(owner.create(label="new"))["id"]
    rest = read_all(owner, first["meta"]["paging"]["next"])
    assert [row["id"] for page in rest for row in page["data"]] == [*made[2:], new]


@pytest.mark.parametrize("order", ["name(asc)", "name(desc)", "enabled(desc)", "subscription_type(asc)", "id(desc)"])
def test_pages_follow_the_order_asked_for(sandbox, call, order):
    site = sandbox(users=17)
    caller = call(site, site.users[0].id)
    field, way = order.removesuffix(")").split("(")
    pages = read_all(caller, "users", order=order, limit=4, fields=f"id,{field}")
    rows = [row for page in pages for row in page["data"]]
    assert sorted(row["id"] for row in rows) == [user.id for user in site.users]
    assert rows == sorted(rows, key=lambda row: (row[field], row["id"]), reverse=way == "desc")
    back = caller.get(pages[-1]["meta"]["paging"]["previous"]).json()
    assert back["data"] == pages[-2]["data"]


def test_a_record_can_be_ordered_by_a_nested_name(owner):
    rows = data(owner.get("matters", params={"order": "client.name(asc)", "fields": "client{name}"}))
    names = [row["client"]["name"] for row in rows]
    assert names == sorted(names)


@pytest.mark.parametrize("limit", ["0", "201", "-1", "x", "", "1.5", "9" * 40])
def test_a_limit_outside_1_to_200_is_refused(owner, limit):
    assert error(owner.get("custom_actions", params={"limit": limit})) == (400, "ArgumentError")


@pytest.mark.parametrize("token", ["", "x", "AAAA", "%%%", "ünïcode", "=" * 50, "bm90IGEgdG9rZW4gYnV0IGxvbmcgZW5vdWdo"])
def test_a_page_token_that_was_never_given_is_refused(owner, token):
    assert error(owner.get("custom_actions", params={"page_token": token})) == (400, "ArgumentError")


def test_a_page_token_of_another_order_is_refused(owner):
    pages = owner.get("users", params={"limit": 1, "order": "name(asc)"}).json()
    link = pages["meta"]["paging"]["next"].replace("order=name%28asc%29", "order=name%28desc%29")
    assert error(owner.get(link)) == (400, "ArgumentError")


def test_offset_skips_and_ends_at_ten_thousand(owner, site):
    assert [row["id"] for row in data(owner.get("users", params={"offset": 3}))] == [user.id for user in site.users[3:]]
    assert data(owner.get("users", params={"offset": 10_000})) == []
    assert error(owner.get("users", params={"offset": 10_001})) == (422, "ArgumentError")
    assert error(owner.get("users", params={"offset": -1})) == (400, "ArgumentError")


def ids(caller, path, **params):
    answer = caller.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return [row["id"] for row in data(answer)]


def test_ids_choose_among_rows(owner, site):
    wanted = [user.id for user in site.users[1:3]]
    assert ids(owner, "users", **{"ids[]": [*wanted, 1]}) == wanted


def test_since_filters_by_creation_and_change(owner, site):
    old = data(owner.create(label="old"))["id"]
    site.advance(60)
    new = data(owner.create(label="new"))["id"]
    assert ids(owner, "custom_actions", created_since="2026-01-15T17:00:30Z") == [new]
    owner.patch(f"custom_actions/{old}", json={"data": {"label": "touched"}})
    assert ids(owner, "custom_actions", updated_since="2026-01-15T09:00:30-08:00") == [old, new]
    for moment in ("2026-01-15T17:00:00", "2026-01-15T17:00:00.000Z", "2026-01-15T18:00:00+01:00"):
        assert ids(owner, "custom_actions", created_since=moment) == [old, new]


@pytest.mark.parametrize(
    "moment",
    [
        "",
        "yesterday",
        "17:00",
        "2025-01-01",
        "20250101",
        "2025-W01-1",
        "2026-01-15 17:00:00",
        "2026-01-15T17:00",
        "2026-01-15T17",
        "20260115T170000Z",
        "2026-01-15T17:00:00,5Z",
        "2026-01-15T17:00:00+0100",
        "2026-01-15T17:00:00+99:00",
        "2026-01-15t17:00:00z ",
        "2026-13-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "٢٠٢٦-01-15T17:00:00Z",
    ],
)
def test_a_moment_that_is_none_is_refused_in_clios_words(owner, moment):
    refused = owner.get("custom_actions", params={"created_since": moment})
    assert error(refused) == (400, "ArgumentError")
    assert "invalid xmlschema format" in refused.json()["error"]["message"]


def test_users_are_filtered(owner, site):
    everyone = [user.id for user in site.users]
    assert ids(owner, "users", name=site.users[2].name.split()[0].upper()) == [everyone[2]]
    assert ids(owner, "users", role="admin") == [everyone[0]]
    assert ids(owner, "users", role="billing") == [everyone[0], everyone[3]]
    assert ids(owner, "users", subscription_type="attorney") == everyone[:3]
    assert ids(owner, "users", subscription_type="nonattorney") == everyone[3:]
    assert ids(owner, "users", enabled="true") == everyone
    assert ids(owner, "users", pending_setup="true") == []
    assert ids(owner, "users", include_co_counsel="true") == everyone
    site.disable(everyone[4])
    assert ids(owner, "users", enabled="false") == [everyone[4]]


@pytest.mark.parametrize(
    ("params", "kept"),
    [
        ({"status": "closed"}, lambda row: row["status"] == "Closed"),
        ({"status": "open,pending"}, lambda row: row["status"] in ("Open", "Pending")),
        ({"query": "LEASE"}, lambda row: "Lease" in row["description"]),
        ({"open_date[]": ">=2025-06-01"}, lambda row: row["open_date"] >= "2025-06-01"),
        ({"open_date[]": [">2025-03-01", "<2025-06-01"]}, lambda row: "2025-03-01" < row["open_date"] < "2025-06-01"),
        ({"close_date[]": "<=2026-01-15"}, lambda row: bool(row["close_date"])),
        ({"billable": "false"}, lambda row: False),
        ({"client_id": "{client}"}, lambda row: row["number"] == 1),
        ({"responsible_attorney_id": "{attorney}"}, lambda row: row["number"] % 3 == 1),
        ({"practice_area_id": 1}, lambda row: False),
        ({"custom_field_ids[]": 5}, lambda row: True),
        ({"grant_id": 5}, lambda row: False),
    ],
)
def test_matters_are_filtered(owner, site, params, kept):
    rows = site.records("matters")
    known = {"{client}": rows[0]["client_id"], "{attorney}": site.users[0].id}
    params = {name: known.get(value, value) if isinstance(value, str) else value for name, value in params.items()}
    assert ids(owner, "matters", **params) == [row["id"] for row in rows if kept(row)]


@pytest.mark.parametrize(
    ("params", "kept"),
    [
        ({"type": "ExpenseEntry"}, lambda row: row["type"] == "ExpenseEntry"),
        ({"status": "billed"}, lambda row: row["billed"]),
        ({"status": "non_billable"}, lambda row: row["non_billable"]),
        ({"status": "draft"}, lambda row: False),
        ({"only_unaccounted_for": "true"}, lambda row: not row["on_bill"]),
        ({"query": "hearing"}, lambda row: row["note"] == "Hearing"),
        ({"start_date": "2026-01-01T00:00:00Z"}, lambda row: row["date"] >= "2026-01-01"),
        ({"end_date": "2025-12-01T00:00:00Z"}, lambda row: row["date"] <= "2025-12-01"),
        ({"flat_rate": "true"}, lambda row: False),
        ({"task_id": 1}, lambda row: False),
    ],
)
def test_activities_are_filtered(owner, site, params, kept):
    assert ids(owner, "activities", **params) == [row["id"] for row in site.records("activities") if kept(row)]


@pytest.mark.parametrize(
    ("params", "kept"),
    [
        ({"type": "Company"}, lambda row: row["type"] == "Company"),
        ({"client_only": "true"}, lambda row: row["is_client"]),
        ({"email_only": "true"}, lambda row: row["type"] == "Person"),
        ({"initial": "B"}, lambda row: row["name"][0] == "B"),
        ({"query": "robotics"}, lambda row: "Robotics" in row["name"]),
        ({"clio_connect_only": "true"}, lambda row: False),
        ({"shared_resource_id": 1}, lambda row: False),
    ],
)
def test_contacts_are_filtered(owner, site, params, kept):
    assert ids(owner, "contacts", **params) == [row["id"] for row in site.records("contacts") if kept(row)]


def test_contacts_can_be_left_out_by_id(owner, site):
    first, *others = [row["id"] for row in site.records("contacts")]
    assert ids(owner, "contacts", **{"exclude_ids[]": first}) == others


def test_documents_and_folders_are_found_by_matter_parent_and_name(owner, site):
    matter = site.records("matters")[0]["id"]
    folders = ids(owner, "folders", matter_id=matter)
    assert len(folders) in (2, 3)
    assert set(ids(owner, "folders", parent_id=folders[0])) == set(folders[1:])
    root = site.records("folders")[0]["id"]
    assert len(ids(owner, "folders", parent_id=root)) == 10
    assert len(ids(owner, "folders", parent_id=root, scope="descendants")) == len(site.records("folders")) - 1
    assert ids(owner, "documents", parent_id=root) == []
    assert len(ids(owner, "documents", parent_id=root, scope="descendants")) == len(site.records("documents"))
    assert len(ids(owner, "documents", locked="true")) == 1
    assert ids(owner, "documents", query="engagement")
    assert ids(owner, "documents", external_property_name="x") == []


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("users", {"enabled": "maybe"}),
        ("users", {"role": "boss"}),
        ("users", {"subscription_type": "Attorney"}),
        ("users", {"order": "name"}),
        ("users", {"order": "email(asc)"}),
        ("users", {"ids[]": "x"}),
        ("matters", {"status": "open,shut"}),
        ("matters", {"client_id": "1.0"}),
        ("matters", {"open_date[]": ">DATE"}),
        ("matters", {"open_date[]": "2026-02-30"}),
        ("activities", {"type": "Nap"}),
        ("contacts", {"initial": "ß"}),
        ("folders", {"scope": "all"}),
    ],
)
def test_a_filter_with_an_unreadable_value_is_refused(owner, path, params):
    assert error(owner.get(path, params=params)) == (400, "ArgumentError")


def test_an_unknown_filter_is_ignored(owner, site):
    assert len(ids(owner, "users", matter="123", order_by="x")) == len(site.users)
    assert len(ids(owner, "custom_actions", order="id(asc)")) == 0


@pytest.mark.parametrize("query", ["fields=%ff", "%zz&limit=%e2%28%a1", "&".join(f"a{n}=1" for n in range(600))])
def test_an_unreadable_query_is_refused(owner, query):
    answer = owner.get(f"users?{query}")
    assert error(answer) == (400, "ArgumentError")


def test_what_is_known_already_is_304_without_a_body(owner, site):
    action = owner.create()
    path = f"custom_actions/{data(action)['id']}"
    shown = owner.get(path)
    same = owner.get(path, headers={"if-none-match": shown.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    assert same.headers["etag"] == shown.headers["etag"]
    several = f'"other", W/{shown.headers["etag"]}'
    assert owner.get(path, headers={"if-none-match": several}).status_code == 304
    assert owner.get(path, headers={"if-none-match": '"other"'}).status_code == 200
    assert owner.get(path, headers={"if-modified-since": shown.headers["last-modified"]}).status_code == 304
    site.advance(60)
    owner.patch(path, json={"data": {"label": "B"}})
    assert owner.get(path, headers={"if-none-match": shown.headers["etag"]}).status_code == 200
    assert owner.get(path, headers={"if-modified-since": shown.headers["last-modified"]}).status_code == 200


@pytest.mark.parametrize("since", ["", "yesterday", "2026-01-15", "Thu, 99 Jan 2026 17:00:00 GMT", "\xff"])
def test_an_unreadable_if_modified_since_counts_as_none(owner, since):
    headers = {"if-modified-since": since.encode("latin-1")}
    assert owner.get("users/who_am_i", headers=headers).status_code == 200


@pytest.mark.parametrize("resource", ["users", *RECORDS])
def test_every_single_resource_has_etag_and_last_modified(owner, resource):
    one = data(owner.get(resource, params={"limit": 1, "fields": "id,etag,updated_at"}))[0]
    shown = owner.get(f"{resource}/{one['id']}")
    assert shown.headers["etag"] == one["etag"]
    modified = parsedate_to_datetime(shown.headers["last-modified"])
    assert modified.strftime("%Y-%m-%dT%H:%M:%SZ") == one["updated_at"]
    assert (
        owner.get(f"{resource}/{one['id']}", headers={"if-modified-since": format_datetime(modified)}).status_code
        == 304
    )


@pytest.mark.parametrize("version", ["4.0.4", "4.0.12", "4.0.13"])
def test_a_known_version_is_echoed(owner, version):
    assert owner.get("users", headers={"x-api-version": version}).headers["x-api-version"] == version


def test_without_a_version_it_is_the_default_and_refusals_echo_none(owner):
    assert owner.get("users").headers["x-api-version"] == "4.0.13"
    assert owner.create().headers["x-api-version"] == "4.0.13"
    assert "x-api-version" not in owner.get("users/1").headers


@pytest.mark.parametrize("version", ["4.0.11", "4", "v4.0.13", "", "\xff"])
def test_an_unknown_version_is_gone(owner, version):
    headers = {"x-api-version": version.encode("latin-1")}
    assert error(owner.get("users", headers=headers)) == (410, "Gone")
