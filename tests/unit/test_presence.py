"""When each instance took part in a stage."""

from messaging.runs.presence import find_presence
from messaging.runs.timeline import Timeline

TURN = 100


def timeline(*messages: int, start: int = 1000, step: int = 1) -> Timeline:
    return Timeline(start, step, list(messages))


def test_a_single_instance_is_present_all_the_time_even_while_no_messages_come():
    assert find_presence({"a": timeline(50, 0, 0, 0, 0, 0, 50)}, TURN) == {"a": [(None, None)]}


def test_instances_that_take_turns_are_all_present():
    found = find_presence({"a": timeline(50, 0, 0, 50, 0, 0), "b": timeline(0, 50, 50, 0, 50, 50)}, TURN)

    assert found == {"a": [(None, None)], "b": [(None, None)]}


def test_an_instance_that_is_killed_vanishes_and_its_successor_appears():
    found = find_presence({"a": timeline(50, 50), "b": timeline(100, 100, 100, start=1005)}, TURN)

    assert found == {"a": [(None, 1002)], "b": [(1005, None)]}


def test_an_instance_that_is_frozen_vanishes_and_comes_back():
    found = find_presence({"a": timeline(50, 50, 0, 0, 0, 0, 50), "b": timeline(50, 50, 50, 50, 50, 50, 50)}, TURN)

    assert found == {"a": [(None, 1002), (1006, None)], "b": [(None, None)]}


def test_an_instance_that_waits_while_the_others_get_few_messages_is_not_absent():
    found = find_presence({"a": timeline(50, 0, 0, 0, 0, 50), "b": timeline(1, 1, 1, 1, 1, 1)}, TURN)

    assert found == {"a": [(None, None)], "b": [(None, None)]}


def test_an_instance_with_partitions_of_its_own_is_there_from_beginning_to_end():
    early, late, gap = timeline(50, 50), timeline(50, start=1008), timeline(50, 0, 0, 0, 0, 50)
    found = find_presence(
        {"early": early, "late": late, "gap": gap, "b": timeline(*[100] * 10)}, TURN, ["early", "late", "gap"]
    )

    assert found["early"] == found["late"] == [(None, None)]
    assert found["gap"] == [(None, 1001), (1005, None)]


def test_timelines_with_different_steps_are_compared_at_the_same_times():
    long, short = timeline(*[100] * 10, start=1000, step=4), timeline(10, 10, 10, start=1013)

    assert find_presence({"a": long, "b": short}, TURN) == {"a": [(None, None)], "b": [(1012, 1016)]}


def test_no_instance_is_present_before_the_first_message():
    assert find_presence({}, TURN) == {}
