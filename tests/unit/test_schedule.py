"""When messages of a paced run are due."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from messaging.runs.schedule import LONGEST_SECONDS, SHORTEST_SECONDS, Schedule
from tests.unit.fakes import WallClock

START = 1_700_000_000_000_000


@pytest.fixture
def clock():
    return WallClock(START)


def test_message_i_is_due_at_start_plus_i_divided_by_the_rate(clock):
    assert [Schedule(1, START, clock).due_at(number) - START for number in (0, 1, 60)] == [0, 1_000_000, 60_000_000]
    assert [Schedule(3, START, clock).due_at(number) - START for number in range(4)] == [0, 333_333, 666_666, 1_000_000]
    assert Schedule(1_000_000, START, clock).due_at(999_999) == START + 999_999


def test_nothing_is_due_before_the_start(clock):
    assert Schedule(1000, START + 1, clock).split(range(200)) == (range(0), range(200))


@given(some.integers(1, 1_000_000), some.integers(-2_000_000, 2_000_000), some.sets(some.integers(0, 5000), min_size=1))
def test_messages_are_due_at_their_time_and_after_it(rate, elapsed, chosen):
    schedule, numbers = Schedule(rate, START, WallClock(START + elapsed)), sorted(chosen)
    due, later = schedule.split(numbers)

    assert [*due, *later] == numbers
    assert all(schedule.due_at(number) <= START + elapsed for number in due)
    assert all(schedule.due_at(number) > START + elapsed for number in later)


@pytest.mark.parametrize(("number", "seconds"), [(1, 0.02), (0, SHORTEST_SECONDS), (50, LONGEST_SECONDS)])
def test_the_schedule_waits_until_a_message_is_due_but_at_least_1_ms_and_at_most_100_ms(clock, number, seconds):
    Schedule(50, START, clock).wait_for(number)

    assert clock.naps == [seconds]


def test_the_delay_of_a_message_counts_from_its_due_time(clock):
    schedule = Schedule(10, START, clock)

    assert schedule.behind(10, START + 3_500_000) == 2.5
    assert schedule.behind(10, START + 500_000) == 0
