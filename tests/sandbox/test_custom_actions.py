"""Custom actions: what may be saved, by whom, and what comes back."""

import pytest

from clio_nb.vocabulary import Location

from .conftest import ACTION, data, error


def test_a_new_action_gives_id_and_etag_unless_fields_are_asked_for(owner):
    made = owner.post("custom_actions.json", json={"data": ACTION})
    assert made.status_code == 201
    assert set(data(made)) == {"id", "etag"}
    assert made.headers["content-type"] == "application/json; charset=utf-8"


def test_the_etag_of_field_and_header_carries_its_own_quotes(owner):
    made = owner.create()
    assert data(made)["etag"].startswith('"')
    assert data(made)["etag"].endswith('"')
    assert made.headers["etag"] == data(made)["etag"]


@pytest.mark.parametrize("place", list(Location))
def test_an_action_can_be_made_shown_changed_and_deleted_in_every_place(owner, place):
    action = data(owner.create(ui_reference=place.value))
    path = f"custom_actions/{action['id']}"
    assert data(owner.get(path, params={"fields": "ui_reference"})) == {"ui_reference": place.value}
    changed = owner.patch(path, params={"fields": "label,target_url"}, json={"data": {"label": "Renamed"}})
    assert (changed.status_code, data(changed)) == (200, {"label": "Renamed", "target_url": ACTION["target_url"]})
    gone = owner.delete(path)
    assert (gone.status_code, gone.content) == (204, b"")
    assert error(owner.get(path)) == (404, "RecordNotFound")


def test_paths_work_with_and_without_json(owner):
    action = data(owner.create())
    for path in ("custom_actions", "custom_actions.json"):
        assert [each["id"] for each in data(owner.get(path))] == [action["id"]]
    for path in (f"custom_actions/{action['id']}", f"custom_actions/{action['id']}.json"):
        assert data(owner.get(path))["id"] == action["id"]


def test_actions_are_scoped_to_their_user(owner, colleague):
    action = data(owner.create())
    path = f"custom_actions/{action['id']}"
    assert data(colleague.get("custom_actions")) == []
    assert error(colleague.get(path))[0] == 404
    assert error(colleague.patch(path, json={"data": {"label": "Mine"}}))[0] == 404
    assert error(colleague.delete(path))[0] == 404
    assert data(owner.get(path, params={"fields": "label"})) == {"label": ACTION["label"]}


def test_a_label_is_unique_for_user_and_place(owner, colleague):
    assert owner.create().status_code == 201
    assert error(owner.create(target_url="https://other.example/")) == (422, "RecordInvalid")
    assert owner.create(ui_reference="contacts/show").status_code == 201
    assert colleague.create().status_code == 201


def test_a_change_into_a_taken_label_is_refused_and_changes_nothing(owner):
    owner.create()
    other = data(owner.create(label="Other"))
    path = f"custom_actions/{other['id']}"
    assert error(owner.patch(path, json={"data": {"label": ACTION["label"]}})) == (422, "RecordInvalid")
    assert data(owner.get(path, params={"fields": "label,etag"})) == {"label": "Other", "etag": other["etag"]}


def test_saving_an_action_as_it_is_moves_nothing(owner, site):
    action = data(owner.create())
    site.advance(30)
    again = owner.patch(f"custom_actions/{action['id']}", params={"fields": "etag,updated_at"}, json={"data": ACTION})
    assert data(again) == {"etag": action["etag"], "updated_at": action["updated_at"]}


def test_a_change_moves_etag_and_updated_at_even_while_the_clock_stands(owner, site):
    action = data(owner.create())
    path = f"custom_actions/{action['id']}"
    changed = data(owner.patch(path, params={"fields": "etag,updated_at"}, json={"data": {"label": "B"}}))
    assert changed["etag"] != action["etag"]
    site.advance(60)
    later = data(owner.patch(path, params={"fields": "updated_at"}, json={"data": {"label": "C"}}))
    assert later["updated_at"] == "2026-01-15T17:01:00Z" > changed["updated_at"]


@pytest.mark.parametrize(
    ("values", "refusal"),
    [
        ({"label": "x" * 33}, (422, "RecordInvalid")),
        ({"label": ""}, (422, "RecordInvalid")),
        ({"label": " \t"}, (422, "RecordInvalid")),
        ({"label": None}, (422, "RecordInvalid")),
        ({"label": 7}, (422, "RecordInvalid")),
        ({"target_url": "partner.example/launch"}, (422, "RecordInvalid")),
        ({"target_url": "javascript:alert(1)"}, (422, "RecordInvalid")),
        ({"target_url": "https://"}, (422, "RecordInvalid")),
        ({"target_url": "https://a b.example"}, (422, "RecordInvalid")),
        ({"target_url": "https://[::1"}, (422, "RecordInvalid")),
        ({"ui_reference": "tasks/show"}, (400, "ArgumentError")),
        ({"ui_reference": ""}, (422, "RecordInvalid")),
        ({"ui_reference": ["matters/show"]}, (422, "RecordInvalid")),
    ],
)
def test_what_clio_would_not_save_is_refused_on_create_and_on_change(owner, values, refusal):
    assert error(owner.create(**values)) == refusal
    assert data(owner.get("custom_actions")) == []
    action = data(owner.create())
    assert error(owner.patch(f"custom_actions/{action['id']}", json={"data": values})) == refusal
    assert data(owner.get(f"custom_actions/{action['id']}"))["etag"] == action["etag"]


def test_a_label_of_32_characters_is_taken_whatever_they_are(owner):
    assert data(owner.create(label="ß" * 32))["label"] == "ß" * 32


@pytest.mark.parametrize("missing", ["label", "target_url", "ui_reference"])
def test_a_missing_value_is_refused(owner, missing):
    body = {name: value for name, value in ACTION.items() if name != missing}
    assert error(owner.post("custom_actions", json={"data": body})) == (422, "RecordInvalid")


def test_unknown_keys_are_dropped(owner):
    made = owner.create(icon="x", id=1, etag="mine")
    assert made.status_code == 201
    assert data(made)["id"] != 1


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b"null", b'"data"', b'{"data": null}', b'{"data": []}', b'{"data": "x"}', b'{"label": "x"}'],
)
def test_a_body_without_the_data_wrapper_is_refused(owner, body):
    made = owner.post("custom_actions", content=body, headers={"content-type": "application/json"})
    assert error(made) == (400, "ArgumentError")


@pytest.mark.parametrize(
    "body", [b"{", b"\xff\xfe", b'{"data": {"label": "\xff"}}', b"[" * 100_000, b'{"data": {"label": "\\ud800"}}']
)
def test_a_malformed_body_is_refused(owner, body):
    made = owner.post("custom_actions", content=body, headers={"content-type": "application/json"})
    assert error(made) == (400, "ArgumentError")


def test_a_form_body_with_bracket_names_is_taken(owner):
    form = {f"data[{name}]": value for name, value in ACTION.items()}
    made = owner.post("custom_actions", params={"fields": "label"}, data=form)
    assert (made.status_code, data(made)) == (201, {"label": ACTION["label"]})


def test_a_multipart_body_with_bracket_names_is_taken(owner):
    form = {f"data[{name}]": (None, value) for name, value in ACTION.items()}
    made = owner.post("custom_actions", params={"fields": "label"}, files=form)
    assert (made.status_code, data(made)) == (201, {"label": ACTION["label"]})


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/plain", b'{"data": {}}'),
        ("application/x-www-form-urlencoded", b"data=x&data[label]=y"),
        ("application/x-www-form-urlencoded", b"data[label]=%ff"),
        ("application/x-www-form-urlencoded", b"data[[label]]=x"),
        ("application/x-www-form-urlencoded", b"data" + b"[a]" * 500 + b"=x"),
        ("multipart/form-data", b"--x\r\n"),
        ("multipart/form-data; boundary=x", b"no boundary here"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\nx\r\n--x--\r\n"),
    ],
)
def test_an_unreadable_form_is_refused(owner, kind, body):
    made = owner.post("custom_actions", content=body, headers={"content-type": kind})
    assert error(made) == (400, "ArgumentError")


def test_an_oversized_body_is_refused(owner):
    made = owner.post("custom_actions", content=b" " * 1_000_001, headers={"content-type": "application/json"})
    assert error(made) == (413, "PayloadTooLarge")


def test_fields_are_checked_before_anything_is_saved(owner):
    made = owner.post("custom_actions", params={"fields": "id,colour"}, json={"data": ACTION})
    assert error(made) == (400, "InvalidFields")
    assert data(owner.get("custom_actions")) == []


def test_if_match_guards_a_change(owner):
    action = data(owner.create())
    path = f"custom_actions/{action['id']}"
    stale = {"if-match": '"somebody else\'s"'}
    assert error(owner.patch(path, json={"data": {"label": "B"}}, headers=stale)) == (412, "PreconditionFailed")
    assert data(owner.get(path, params={"fields": "label"})) == {"label": ACTION["label"]}
    for fresh in (action["etag"], "*"):
        assert owner.patch(path, json={"data": ACTION}, headers={"if-match": fresh}).status_code == 200


def test_deleting_what_is_gone_is_404(owner):
    action = data(owner.create())
    assert owner.delete(f"custom_actions/{action['id']}").status_code == 204
    assert error(owner.delete(f"custom_actions/{action['id']}")) == (404, "RecordNotFound")


def test_an_id_is_never_given_twice(owner):
    first = data(owner.create())
    owner.delete(f"custom_actions/{first['id']}")
    assert data(owner.create())["id"] > first["id"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "custom_actions/1"),
        ("POST", "custom_actions/1"),
        ("DELETE", "custom_actions"),
        ("PATCH", "custom_actions"),
        ("POST", "users"),
        ("DELETE", "users/1"),
        ("GET", "widgets"),
        ("GET", "custom_actions/1/clicks"),
    ],
)
def test_what_the_api_does_not_have_is_404(owner, method, path):
    assert error(owner.request(method, path, json={"data": {}})) == (404, "RecordNotFound")


def test_head_answers_as_get_without_a_body(owner):
    action = data(owner.create())
    answer = owner.head(f"custom_actions/{action['id']}")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["etag"] == action["etag"]


def test_a_connection_survives_a_refused_body(owner):
    for _ in range(3):
        assert owner.post("custom_actions", content=b"{").status_code == 400
    assert owner.get("custom_actions").status_code == 200
