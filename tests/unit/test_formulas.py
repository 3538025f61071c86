"""Skew, growth and lag in seconds, from samples."""

import pytest

from api.metrics.formulas import POINTS, Past, growth, skew


def test_skew_is_the_largest_load_divided_by_the_mean_load():
    assert skew([10, 10, 10, 10]) == 1
    assert skew([40, 0, 0, 0]) == 4
    assert skew([30, 10]) == 1.5


@pytest.mark.parametrize("loads", [[], [5], [0, 0]])
def test_there_is_no_skew_where_there_is_nothing_to_compare(loads):
    assert skew(loads) is None


def test_growth_is_per_second():
    assert growth([(10, 100), (12, 500), (14, 300)]) == 50
    assert growth([(10, 300), (14, 100)]) == -50
    assert growth([(10, 5), (12, 5)]) == 0


@pytest.mark.parametrize("points", [[], [(10, 5)], [(10, 5), (10, 6)]])
def test_one_moment_has_no_growth(points):
    assert growth(points) is None


def lags(*looks: tuple[float, int, int]) -> list[float]:
    """Return the lag after each look. A look is (time, end offset, committed offset)."""
    past = Past()
    return [past.lag_seconds(*look) for look in looks]


def test_a_group_that_has_committed_everything_has_no_lag():
    assert lags((0, 0, 0), (2, 100, 100), (4, 100, 100)) == [0, 0, 0]


def test_the_lag_of_a_group_that_commits_nothing_grows_with_time():
    # The 100 messages came between 0 and 2. So the first of them came at 0.
    assert lags((0, 0, 0), (2, 100, 0), (4, 100, 0), (60, 100, 0)) == [0, 2, 4, 60]


def test_the_lag_of_a_message_after_a_pause_counts_from_the_last_look_before_the_message():
    assert lags((0, 50, 50), (2, 50, 50), (4, 50, 50), (100, 50, 50), (102, 100, 50)) == [0, 0, 0, 0, 2]


def test_messages_between_two_looks_are_assumed_to_come_evenly():
    assert lags((0, 0, 0), (10, 100, 0), (12, 100, 50), (14, 100, 90), (15, 100, 100)) == [0, 10, 7, 5, 0]


def test_the_lag_in_seconds_is_steady_if_a_group_is_always_30_messages_behind():
    # 10 messages per second, and the group is 30 messages behind.
    looks = [(t, 10 * t, max(0, 10 * t - 30)) for t in range(0, 60, 2)]
    assert lags(*looks)[2:] == [pytest.approx(3)] * 28


def test_the_lag_of_messages_from_before_the_first_look_counts_from_that_look():
    assert lags((0, 100, 50), (10, 200, 50), (12, 200, 120)) == [0, 10, pytest.approx(10)]


def test_the_lag_of_a_topic_that_was_deleted_and_created_again_begins_again():
    assert lags((0, 100, 100), (2, 10, 0), (4, 10, 0), (6, 20, 10)) == [0, 0, 2, 2]


def test_a_long_lag_takes_little_memory_and_stays_right():
    past = Past()
    past.lag_seconds(0, 0, 0)
    for second in range(2, 20_000, 2):
        assert past.lag_seconds(second, second * 10, 0) == second
    assert len(past._points) <= POINTS
    assert past.lag_seconds(20_000, 200_000, 100_000) == pytest.approx(10_000, rel=0.01)
