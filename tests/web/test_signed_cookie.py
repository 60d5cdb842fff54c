"""The signed cookie of a proved launch: read by whoever signed it, for its launch and door, for ten minutes only."""

import time

import pytest

from clio_nb.errors import InvalidInput
from clio_nb.launches.report import Launch
from clio_nb.models import Subject
from clio_nb.secret import Secret
from clio_nb.vocabulary import Location
from clio_nb.web.signed_cookie import LIFETIME, SignedCookies, is_of

from .conftest import KEY

NOON = 1768496400.5
DOOR, APP = "/launch\n", "https://app.clio.com client"
OLD, NEW, NEWEST = (letter * 32 for letter in "onx")


@pytest.fixture
def moment(monkeypatch):
    """Set the time."""
    return lambda seconds: monkeypatch.setattr(time, "time", lambda: NOON + seconds)


@pytest.fixture(autouse=True)
def _noon(moment):
    moment(0)


def launch(nonce="a-nonce-of-clio"):
    return Launch(7, 5, Subject(Location.MATTERS, 12), Secret(nonce))


def signed(key=KEY, nonce="a-nonce-of-clio", door=DOOR):
    """The id of a launch, and its cookie."""
    cookies = SignedCookies(key)
    mark = cookies.ids(launch(nonce), door)[0]
    return mark, cookies.sign(launch(nonce), mark, door, APP)


def test_a_cookie_says_what_was_proved_when_and_by_which_app():
    mark, cookie = signed()
    for header in (cookie, f"other=1; {cookie} ;more=a=b"):
        proved = SignedCookies(KEY).read(header, mark, DOOR)
        assert (proved.id, proved.custom_action_id, proved.user_id, proved.proved_at) == (mark, 7, 5, int(NOON))
        assert proved.subject == Subject(Location.MATTERS, 12)
        assert is_of(proved, APP)
        assert not is_of(proved, "https://eu.app.clio.com client")


def test_the_id_is_the_same_for_the_same_nonce_and_tells_nothing_about_it():
    assert signed()[0] == signed()[0]
    assert len({signed()[0], signed(nonce="another-nonce")[0], signed(OLD)[0], signed(door="/other\n")[0]}) == 4
    assert len(signed()[0]) == 16
    assert "=" not in signed()[1].partition("=")[2]


@pytest.mark.parametrize(("age", "good"), [(0, True), (LIFETIME - 1, True), (LIFETIME, False), (-1, False)])
def test_a_cookie_is_good_for_its_lifetime(moment, age, good):
    mark, cookie = signed()
    moment(age)
    assert (SignedCookies(KEY).read(cookie, mark, DOOR) is not None) is good


def test_a_cookie_opens_no_other_launch():
    (one, cookie), (other, _) = signed(), signed(nonce="another-nonce")
    assert SignedCookies(KEY).read(cookie, other, DOOR) is None
    assert SignedCookies(KEY).read(cookie.replace(one, other, 1), other, DOOR) is None


@pytest.mark.parametrize("door", ["/admin\n", "/launch\nhttps://partner.example/launch", "", "/launch/\n"], ids=ascii)
def test_l19_a_cookie_opens_no_other_door(door):
    mark, cookie = signed()
    assert SignedCookies(KEY).read(cookie, mark, door) is None


def test_a_cookie_of_another_key_opens_nothing():
    mark, cookie = signed()
    assert SignedCookies(OLD).read(cookie, mark, DOOR) is None


@pytest.mark.parametrize("copies", ["{good}; {bad}", "{bad}; {good}", "{bad}; {bad}; {good}"])
def test_a_second_cookie_of_that_name_does_not_hide_the_good_one(copies):
    mark, good = signed()
    header = copies.format(good=good, bad=f"{good.partition('=')[0]}=planted")
    assert SignedCookies(KEY).read(header, mark, DOOR) is not None


def test_l19_a_key_is_replaced_without_turning_anybody_away():
    mark, cookie = signed(OLD)
    for keys in ([NEW, OLD], [NEWEST, NEW, OLD], (Secret(NEW), Secret(OLD)), [OLD, NEW]):
        assert SignedCookies(keys).read(cookie, mark, DOOR) is not None
        assert mark in SignedCookies(keys).ids(launch(), DOOR), "the launch itself is recognised, too"
    assert SignedCookies([NEWEST, NEW]).read(cookie, mark, DOOR) is None


def test_l19_the_first_of_several_keys_signs():
    mark, cookie = signed([NEW, OLD])
    assert SignedCookies(NEW).read(cookie, mark, DOOR) is not None
    assert SignedCookies(OLD).read(cookie, mark, DOOR) is None


@pytest.mark.parametrize("key", ["short", "", [], [NEW, "short"], ["short", NEW], [Secret("")], ()], ids=repr)
def test_l19_each_key_must_be_long_enough(key):
    with pytest.raises(InvalidInput, match="32 characters") as caught:
        SignedCookies(key)
    assert caught.value.field == "key"


def test_l19_the_keys_show_nowhere():
    cookies = SignedCookies([NEW, OLD])
    assert all(isinstance(key, Secret) for key in cookies._keys)
    assert NEW not in f"{vars(cookies)!r}"


@pytest.mark.parametrize(
    "spoil",
    [
        "{0}.{1}.{2}x",
        "{0}x.{1}.{2}",
        "{0}.{1}.",
        ".{1}.{2}",
        "{0}",
        "{0}.{2}",
        "{0}.{1}.{2}.{2}",
        "{0}.{1}.*{2}",
        "*{0}.{1}.{2}",
        "é",
        "",
        "=",
        "a.b.c",
    ],
)
def test_a_cookie_of_another_form_opens_nothing(spoil):
    mark, cookie = signed()
    name, _, value = cookie.partition("=")
    assert SignedCookies(KEY).read(f"{name}={spoil.format(*value.split('.'))}", mark, DOOR) is None
