"""One virtual clock: frozen, advancing or real."""

import time

import pytest

from .conftest import data

START = 1_768_496_400  # 2026-01-15T17:00:00Z


def test_a_frozen_clock_stands_until_it_is_advanced(sandbox):
    site = sandbox()
    assert site.now() == site.now() == START
    site.advance(0.5)
    assert site.now() == START + 0.5


def test_an_advancing_clock_runs_from_the_same_moment(sandbox):
    site = sandbox(clock="advancing")
    real, before = time.monotonic(), site.now()
    while site.now() == before:
        pass
    assert START <= before < site.now() <= START + 60
    assert site.now() - before <= time.monotonic() - real + 0.5
    site.advance(3600)
    assert site.now() >= START + 3600


def test_a_real_clock_tells_the_time_of_day(sandbox):
    site = sandbox(clock="real")
    assert abs(site.now() - time.time()) < 5
    site.advance(60)
    assert abs(site.now() - time.time() - 60) < 5


def test_an_unknown_clock_is_refused(sandbox):
    with pytest.raises(ValueError, match="frozen, advancing, real"):
        sandbox(clock="sundial")


@pytest.mark.parametrize("seconds", [-1, -0.001, float("nan"), float("inf"), 1e20])
def test_no_clock_goes_back_or_out_of_this_age(site, seconds):
    with pytest.raises(ValueError, match="advances"):
        site.advance(seconds)
    assert site.now() == START


def test_a_reset_puts_everything_back_to_the_beginning(site, owner, call):
    owner.create()
    site.advance(100)
    site.fault("status", times=None)
    site.disable(site.users[1].id)
    site.rate_limit = 3
    site.permissions = {"users"}
    site.reset()
    assert site.now() == START
    assert site.requests == site.oauth_requests == []
    assert owner.get("users").status_code == 401, "tokens of before are unknown"
    again = call(site, site.users[1].id)
    assert data(again.get("custom_actions")) == []
    assert "x-ratelimit-limit" not in again.get("users").headers
    assert again.create().status_code == 201


def test_a_reset_sandbox_gives_the_same_ids_as_a_new_one(site, call):
    first = data(call(site, site.users[0].id).create())["id"]
    site.reset()
    assert data(call(site, site.users[0].id).create())["id"] == first
