"""The vocabulary is Clio's: locations, menus, regions, secrets, models."""

import copy
import json
import pickle

import msgspec
import pytest

from clio_nb.action_rules import location_of
from clio_nb.errors import InvalidInput
from clio_nb.models import CustomAction, Subject, Token
from clio_nb.secret import Secret
from clio_nb.vocabulary import MENUS, Location, Region


def test_five_locations_give_the_nine_places_of_the_guide():
    assert len(MENUS) == 9
    assert [len(location.menus) for location in Location] == [2, 2, 2, 1, 2]
    assert {menu.view for menu in Location.FOLDERS.menus} == {"table"}
    assert str(Location.DOCUMENTS.menus[1]) == "one document, dropdown beside Download"


def test_record_types_are_clios_names():
    assert [location.record_type for location in Location] == ["Activity", "Contact", "Document", "Folder", "Matter"]


def test_each_region_has_its_own_host():
    assert [region.host for region in Region] == [
        "app.clio.com",
        "eu.app.clio.com",
        "ca.app.clio.com",
        "au.app.clio.com",
    ]


@pytest.mark.parametrize("text", ["matters", "matters/show", "Matter", " MATTERS "])
def test_a_place_can_be_named_as_people_name_it(text):
    assert location_of(text) is Location.MATTERS


@pytest.mark.parametrize("text", ["", "matter/show", "tasks", "matters/index"])
def test_an_unknown_place_is_refused_with_the_five_there_are(text):
    with pytest.raises(InvalidInput, match="activities, contacts, documents, folders, matters") as caught:
        location_of(text)
    assert caught.value.field == "at"


def test_an_action_in_a_place_that_clio_added_later_is_kept_as_it_is():
    action = CustomAction(id=1, ui_reference="bills/show")
    assert action.location is None
    assert action.ui_reference == "bills/show"


def test_a_subject_makes_its_own_path():
    assert Subject(Location.CONTACTS, 12).path == "/api/v4/contacts/12"


CANARY = "canary-7f3a"


@pytest.mark.parametrize("show", [repr, str, "{}".format, "{:>20}".format, lambda secret: f"{secret!r:>9}"])
def test_a_secret_never_shows_itself(show):
    assert CANARY not in show(Secret(CANARY))


@pytest.mark.parametrize("dump", [pickle.dumps, json.dumps, msgspec.json.encode])
def test_a_secret_is_never_serialised(dump):
    with pytest.raises(TypeError):
        dump(Secret(CANARY))


def test_a_secret_survives_copies_and_compares_by_its_text():
    secret = Secret(CANARY)
    assert copy.deepcopy(secret) == secret == Secret(secret)
    assert secret != Secret("other")
    assert secret.reveal() == CANARY
    assert not Secret("")


def test_a_token_shows_nothing():
    token = Token(access=Secret(CANARY), refresh=Secret(CANARY), expires_at=1.0)
    assert CANARY not in repr(token)
    assert token.ends_within(0)
