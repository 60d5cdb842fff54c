"""The ticket of a proved launch: read by whoever issued it, for its launch, for ten minutes, and by nobody else."""

import time

import pytest

from clio_nb.launch.report import Launch
from clio_nb.launch.ticket import LIFETIME, Tickets
from clio_nb.models import Subject
from clio_nb.places import Location
from clio_nb.secret import Secret

from .conftest import KEY

NOON = 1768496400.5


@pytest.fixture
def moment(monkeypatch):
    """Set the time."""
    return lambda seconds: monkeypatch.setattr(time, "time", lambda: NOON + seconds)


@pytest.fixture
def tickets(moment):
    moment(0)
    return Tickets(KEY)


def proved(tickets, nonce="a-nonce-of-clio"):
    return tickets.prove(Launch(7, 5, Subject(Location.MATTERS, 12), Secret(nonce)))


def test_a_ticket_says_what_was_proved_and_when(tickets):
    launch = proved(tickets)
    assert (launch.custom_action_id, launch.user_id, launch.proved_at) == (7, 5, NOON)
    assert launch.subject == Subject(Location.MATTERS, 12)
    assert tickets.read(tickets.cookie(launch), launch.id) == launch
    assert tickets.read(f"other=1; {tickets.cookie(launch)} ;more=a=b", launch.id) == launch


def test_the_id_is_the_same_for_the_same_nonce_and_tells_nothing_about_it(tickets):
    assert proved(tickets).id == proved(Tickets(KEY)).id
    assert len({proved(tickets).id, proved(tickets, "another-nonce").id, proved(Tickets("k" * 32)).id}) == 3
    assert len(proved(tickets).id) == 16
    assert "=" not in tickets.cookie(proved(tickets)).partition("=")[2]


@pytest.mark.parametrize(("age", "good"), [(0, True), (LIFETIME - 1, True), (LIFETIME, False), (-1, False)])
def test_a_ticket_is_good_for_its_lifetime(tickets, moment, age, good):
    cookie = tickets.cookie(launch := proved(tickets))
    moment(age)
    assert (tickets.read(cookie, launch.id) is not None) is good


def test_a_ticket_opens_no_other_launch(tickets):
    one, other = proved(tickets), proved(tickets, "another-nonce")
    assert tickets.read(tickets.cookie(one), other.id) is None
    renamed = tickets.cookie(one).replace(one.id, other.id, 1)
    assert tickets.read(renamed, other.id) is None


def test_a_ticket_of_another_key_opens_nothing(tickets):
    launch = proved(tickets)
    assert Tickets("k" * 32).read(tickets.cookie(launch), launch.id) is None


@pytest.mark.parametrize(
    "spoil", ["{0}.{1}x", "{0}x.{1}", "{0}.", ".{1}", "{0}", "{0}.{1}.{1}", "{0}.*{1}", "*{0}.{1}"]
)
def test_a_ticket_of_another_form_opens_nothing(tickets, spoil):
    launch = proved(tickets)
    name, _, value = tickets.cookie(launch).partition("=")
    assert tickets.read(f"{name}={spoil.format(*value.split('.'))}", launch.id) is None
