"""Messages per step of time: no message gets lost, even if a run takes long."""

from hypothesis import example, given
from hypothesis import strategies as some

from messaging.runs.timeline import STEPS, Timeline

NOW = 1_700_000_001
moments = some.lists(some.tuples(some.integers(1, 50), some.integers(NOW - 5000, NOW + 5000)), min_size=1)


def counted(*moments: tuple[int, int]) -> Timeline:
    timeline = Timeline()
    for count, second in moments:
        timeline.add(count, second)
    return timeline


def test_each_second_has_its_messages():
    timeline = counted((5, NOW), (3, NOW), (2, NOW + 2))

    assert (timeline.start, timeline.step, timeline.messages) == (NOW, 1, [8, 0, 2])


def test_the_step_doubles_when_there_would_be_more_than_300_steps():
    timeline = counted(*((1, NOW + second) for second in range(STEPS + 1)))

    assert timeline.step == 2
    assert timeline.start == NOW - 1  # a multiple of the step
    assert timeline.messages == [1] + [2] * 150


@given(moments)
def test_no_message_gets_lost_and_start_is_a_multiple_of_step(moments):
    timeline = counted(*moments)

    assert sum(timeline.messages) == sum(count for count, _ in moments)
    assert len(timeline.messages) <= STEPS
    assert timeline.start % timeline.step == 0
    assert timeline.start <= min(second for _, second in moments)


@given(moments)
def test_each_message_is_in_the_step_in_which_it_came(moments):
    timeline = counted(*moments)
    expected = [0] * len(timeline.messages)
    for count, second in moments:
        expected[(second - timeline.start) // timeline.step] += count

    assert timeline.messages == expected


@given(some.lists(moments, min_size=1, max_size=4))
@example([[(1, 1_700_004_576)], [(1, 1_699_995_001)]])  # the earlier time is not at the beginning of a step
def test_the_timelines_of_several_instances_add_up(several):
    total = Timeline.sum(counted(*moments) for moments in several)

    assert sum(total.messages) == sum(count for moments in several for count, _ in moments)
    assert len(total.messages) <= STEPS
    assert total.start % total.step == 0
    assert total.step >= max(counted(*moments).step for moments in several)


def test_the_sum_of_no_timelines_is_empty():
    assert Timeline.sum([]).messages == []
