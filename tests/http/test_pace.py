"""A token's budget, on a clock of our own."""

from hypothesis import given
from hypothesis import strategies as st

from clio_nb.http.messages import Rate
from clio_nb.http.pace import LOWEST, WINDOW, Pace


def spend(pace, now, rate=None):
    assert pace.take(now) == 0
    pace.answered(pace.window, now, rate)


def test_until_told_otherwise_it_is_fifty_a_minute():
    pace = Pace()
    for _ in range(LOWEST):
        spend(pace, 0.0)
    assert pace.take(10.0) == WINDOW - 10.0
    assert pace.take(WINDOW) == 0


def test_a_higher_limit_is_used_as_soon_as_it_is_told():
    pace = Pace()
    spend(pace, 0.0, Rate(300, 299, 60.0))
    for left in range(298, -1, -1):
        spend(pace, 0.0, Rate(300, left, 60.0))
    assert pace.take(0.0) == 60.0


def test_peak_hours_that_begin_in_the_middle_are_obeyed():
    pace = Pace()
    spend(pace, 0.0, Rate(300, 200, 60.0))
    spend(pace, 1.0, Rate(50, 0, 20.0))
    assert pace.take(1.0) == 20.0


def test_requests_of_another_process_count():
    pace = Pace()
    spend(pace, 0.0, Rate(50, 3, 40.0))
    for _ in range(3):
        spend(pace, 0.0)
    assert pace.take(0.0) == 40.0


def test_a_late_answer_of_the_last_window_says_nothing_of_this_one():
    pace = Pace()
    assert pace.take(0.0) == 0
    old = pace.window
    spend(pace, WINDOW + 1, Rate(50, 49, 59.0))
    pace.answered(old, WINDOW + 1, Rate(50, 0, 0.0))
    assert pace.take(WINDOW + 1) == 0


def test_after_a_429_nothing_goes_before_its_time():
    pace = Pace()
    spend(pace, 0.0)
    pace.refused(0.0, 7.0)
    assert pace.take(1.0) == 6.0
    pace.refused(0.0, None)
    assert pace.take(0.0) == WINDOW


@given(limit=st.integers(-5, 10**9), remaining=st.integers(-5, 10**9), resets_in=st.floats(0, 1e12))
def test_no_header_makes_it_wait_for_ever(limit, remaining, resets_in):
    pace = Pace()
    spend(pace, 0.0, Rate(limit, remaining, resets_in))
    assert pace.take(0.0) <= 2 * WINDOW


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(1, 80))
def test_a_server_with_a_fixed_window_never_has_to_refuse(pauses, limit):
    pace, now, window, sent = Pace(), 0.0, -1, 0
    for pause in (pause for pause in pauses for _ in range(5)):
        now += pause
        while wait := pace.take(now):
            now += wait
        if window < 0 or now >= window + WINDOW:
            window, sent = now, 0
        sent += 1
        assert sent <= max(limit, LOWEST)
        pace.answered(pace.window, now, Rate(limit, limit - sent, window + WINDOW - now))
