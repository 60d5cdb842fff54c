"""A manifest is read strictly, and every mistake is named by file, place and nearest right word."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clio_nb.errors import ManifestError
from clio_nb.firm.manifest import ROLES, SUBSCRIPTION_TYPES, Action, AppOf, Manifest, Who, parse_manifest, read_manifest
from clio_nb.models import User
from clio_nb.vocabulary import Location, Region

GOOD = """
[app]
name = "partner"
region = "eu"

[[actions]]
key = "sign"
label = "Send for signature"
target_url = "https://partner.example/launch"
locations = ["matters", "documents/show"]
formerly = ["https://old.example/launch"]
who = { roles = ["admin"], users = ["anna@firm.example", 12], exclude = [7] }

[[actions]]
key = "view"
label = "View order"
target_url = "https://partner.example/view"
locations = ["contacts"]

[profiles.dev]
sign = "https://dev.example/launch"
"""


def test_a_good_manifest_is_read_whole() -> None:
    manifest = parse_manifest(GOOD)
    sign, view = manifest.actions
    assert (manifest.app.name, manifest.app.region) == ("partner", Region.EU)
    assert sign.ordered_locations == (Location.DOCUMENTS, Location.MATTERS)
    assert manifest.target_url(sign, "dev") == "https://dev.example/launch"
    assert manifest.target_url(view, "dev") == "https://partner.example/view"
    assert manifest.target_urls(sign) == {
        "https://partner.example/launch",
        "https://dev.example/launch",
        "https://old.example/launch",
    }
    assert view.who == Who()


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("label =", "lable =", "actions[0].lable: unknown key. Did you mean 'label'?"),
        ("[app]", "[ap]", "ap: unknown key. Did you mean 'app'?"),
        ("{ roles", "{ role", "actions[0].who.role: unknown key. Did you mean 'roles'?"),
        ("region", "colour", "app.colour: unknown key. Known keys: name, region."),
        ('"Send for signature"', "3", "actions[0].label: expected text, got a whole number."),
        ('["matters", "documents/show"]', '"matters"', "actions[0].locations: expected a list, got text."),
        ("12]", "1.5]", "actions[0].who.users[1]: expected a whole number or text, got a number."),
        ('"https://dev.example/launch"', "true", "profiles.dev.sign: expected text, got true or false."),
        ("[profiles.dev]", "[profiles]", "profiles.sign: expected a table, got text."),
        ('"documents/show"', '"documentes"', "locations[1]: Unknown location 'documentes'. Use one of: act"),
        ('"documents/show"', '"bills"', "Use one of: activities, contacts, documents, folders, matters."),
        ('["matters", "documents/show"]', "[]", "actions[0].locations: is empty."),
        ('["admin"]', '["amdin"]', "actions[0].who.roles[0]: unknown value 'amdin'. Did you mean 'admin'?"),
        ("anna@firm.example", "Anna", "actions[0].who.users[0]: 'Anna' is not an e-mail address or a user id."),
        ("roles =", "everyone = true, roles =", "actions[0].who: has both `everyone` and specific users;"),
        ('"eu"', '"uk"', "app.region: unknown region 'uk'. Use one of: us, eu, ca, au."),
        ('name = "partner"', "", "app.name: is missing."),
        ('"partner"', '" "', "app.name: is empty."),
        (
            "Send for signature",
            "x" * 33,
            "actions[0].label: The label has 33 characters; Clio takes 32 at most. Shorten it by 1.",
        ),
        ("Send for signature", " ", "actions[0].label: The label is empty"),
        ("Send for signature", "Se\\tnd", "actions[0].label: The label has a tab, a line break"),
        (
            "https://partner.example/launch",
            "partner.example",
            "actions[0].target_url: Not an absolute URL",
        ),
        (
            "https://old.example/launch",
            "ftp://old.example",
            "actions[0].formerly[0]: Not an absolute URL",
        ),
        (
            'key = "view"',
            'key = "sign"',
            "actions[1].key: 'sign' is already the key of another action. Choose another key.",
        ),
        ('key = "view"', 'key = "v i"', "actions[1].key: use 1 to 64 letters, digits, - and _."),
        ("sign = ", "sgin = ", "profiles.dev.sgin: does not match the key of any action. Did you mean 'sign'?"),
        ("[app]", "[app", "not valid TOML"),
    ],
)
def test_a_mistake_is_named_by_file_key_and_nearest_word(tmp_path: Path, right: str, wrong: str, said: str) -> None:
    assert right in GOOD
    path = tmp_path / "actions.toml"
    path.write_text(GOOD.replace(right, wrong, 1))
    with pytest.raises(ManifestError) as error:
        read_manifest(path)
    assert str(error.value).startswith(f"{path}: ")
    assert said in str(error.value)


def test_a_file_that_is_not_there_or_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="No such file"):
        read_manifest(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ManifestError, match="UTF-8"):
        read_manifest(tmp_path / "binary.toml")


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "actions.toml"
    path.write_text(GOOD, encoding="utf-8-sig")
    assert read_manifest(path) == parse_manifest(GOOD)


def test_an_unknown_profile_is_named_with_the_nearest() -> None:
    with pytest.raises(ManifestError, match=r"no profile 'dve' \(it has: dev\). Did you mean 'dev'\?"):
        parse_manifest(GOOD).check_profile("dve")


ANNA = User(id=1, email="Anna@Firm.example", roles=("Admin",), subscription_type="Attorney")
BEN = User(id=2, subscription_type="NonAttorney")


@pytest.mark.parametrize(
    ("who", "anna", "ben"),
    [
        (Who(), True, True),
        (Who(everyone=True, exclude=(2,)), True, False),
        (Who(exclude=("anna@firm.EXAMPLE",)), False, True),
        (Who(roles=("admin", "billing")), True, False),
        (Who(subscription_types=("nonattorney",)), False, True),
        (Who(users=("anna@firm.example",)), True, False),
        (Who(users=(2,), roles=("admin",)), True, True),
        (Who(users=(1, 2), exclude=(1,)), False, True),
    ],
)
def test_who_means_these_users(who: Who, anna: bool, ben: bool) -> None:
    assert (who.includes(ANNA), who.includes(BEN)) == (anna, ben)


_texts = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=32)
_urls = st.builds("https://{}.example/{}".format, st.from_regex("[a-z]{1,5}", fullmatch=True), st.integers(0, 9))
_names = st.one_of(st.integers(1, 2**62), st.builds("{}@x.example".format, st.from_regex("[a-z]{1,5}", fullmatch=True)))
_who = st.one_of(
    st.builds(Who, exclude=st.lists(_names, max_size=2).map(tuple), everyone=st.booleans()),
    st.builds(
        Who,
        roles=st.lists(st.sampled_from(ROLES), max_size=2).map(tuple),
        subscription_types=st.lists(st.sampled_from(SUBSCRIPTION_TYPES), max_size=2).map(tuple),
        users=st.lists(_names, max_size=2).map(tuple),
    ),
)
_locations = st.lists(st.sampled_from([location.resource for location in Location]), min_size=1, max_size=5).map(tuple)


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    keys = draw(st.lists(st.from_regex("[A-Za-z0-9_-]{1,8}", fullmatch=True), unique=True, max_size=4))
    actions = tuple(
        Action(
            key=key,
            label=draw(_texts),
            target_url=draw(_urls),
            locations=draw(_locations),
            formerly=draw(st.lists(_urls, max_size=2).map(tuple)),
            who=draw(_who),
        )
        for key in keys
    )
    urls = st.dictionaries(st.sampled_from(keys), _urls) if keys else st.just({})
    profiles = draw(st.dictionaries(st.sampled_from(["dev", "production", "a b"]), urls, max_size=2))
    return Manifest(
        app=AppOf(name=draw(_texts), region=draw(st.sampled_from([None, *Region]))), actions=actions, profiles=profiles
    )


@settings(deadline=None)  # a busy machine is no mistake
@given(manifests())
def test_a_manifest_written_and_read_again_is_the_same(manifest: Manifest) -> None:
    assert parse_manifest(manifest.to_toml()) == manifest
