"""The summary of a stage: the states of all instances, merged."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pyroaring import BitMap

from messaging.runs.stage import Stage
from messaging.runs.summary import iso, summarize

NOW = time.time_ns() // 1000


def state(
    *batches: range, instance: str = "a", latency: int = 5000, now: int = NOW, partition: int = 0
) -> tuple[str, Stage]:
    """Return an instance and its state, as read from a record. Messages have 10 bytes. `latency` is in microseconds."""
    stage = Stage()
    for numbers in batches:
        stage.add(numbers, 10 * len(numbers), [partition] * len(numbers), [now - latency] * len(numbers), now)
    return instance, Stage.from_json(json.loads(json.dumps(stage.as_json())))


def test_one_instance_has_seen_everything_once():
    summary = summarize([state(range(100))], None, 100)

    assert (summary.messages, summary.distinct, summary.duplicates, summary.missing, summary.failed) == (
        100, 100, 0, 0, 0
    )  # fmt: skip
    assert (summary.bytes, summary.partitions, summary.instances) == (1000, {"0": 100}, {"a": 100})
    assert summary.first == summary.last == iso(NOW)


def test_redelivered_messages_are_duplicates_and_unseen_messages_are_missing():
    states = [state(range(60), range(50, 70)), state(range(65, 90), instance="b")]
    summary = summarize(states, BitMap(range(100)), 100)

    assert summary.messages == 60 + 20 + 25
    assert summary.distinct == 90
    assert summary.duplicates == 15
    assert summary.missing == 10
    assert summary.instances == {"a": 80, "b": 25}


def test_instances_that_vanish_and_appear_are_shown():
    old = [state(range(1000 * second, 1000 * second + 1000), now=NOW + second * 1_000_000) for second in range(3)]
    new = [
        state(range(1000 * second, 1000 * second + 1000), instance="b", now=NOW + second * 1_000_000)
        for second in range(8, 12)
    ]
    presence = summarize(old + new, None, 12_000).presence

    assert [span["from"] for span in presence["a"]] == [span["to"] for span in presence["b"]] == [None]
    begin = NOW // 1_000_000
    assert presence["a"][0]["to"] == iso((begin + 3) * 1_000_000)
    assert presence["b"][0]["from"] == iso((begin + 8) * 1_000_000)


def test_an_instance_that_has_read_all_messages_of_its_partitions_has_not_vanished():
    fast = state(range(1000), instance="fast", partition=0)
    slow = [
        state(range(1000 * second, 1000 * second + 1000), instance="slow", now=NOW + second * 1_000_000, partition=1)
        for second in range(1, 9)
    ]
    presence = summarize([fast, *slow], None, 12_000).presence

    assert presence == {"fast": [{"from": None, "to": None}], "slow": [{"from": None, "to": None}]}


def test_only_the_first_stage_counts_unsent_messages_as_missing():
    assert summarize([state(range(10))], BitMap(range(20)), 100).missing == 10
    assert summarize([state(range(10))], None, 100).missing == 90


def test_rates_are_computed_over_the_time_between_the_first_and_the_last_message():
    later = state(range(500, 1000), now=NOW + 20_000)
    summary = summarize([state(range(500)), later], None, 1000)

    assert summary.message_rate == pytest.approx(25_000)
    assert summary.byte_rate == pytest.approx(0.25)


def test_messages_of_the_first_moment_do_not_count_in_the_rate():
    states = [state(range(10)), state(range(10, 30), instance="b"), state(range(30, 60), now=NOW + 1_000_000)]

    assert summarize(states, None, 60).message_rate == pytest.approx(30)


def test_there_is_no_rate_if_all_messages_came_at_once():
    assert summarize([state(range(50))], None, 50).message_rate is None


def test_a_negative_latency_counts_as_clock_skew():
    summary = summarize([state(range(3), latency=-5000), state(range(3, 10), instance="b")], None, 10)

    assert summary.clock_skew == 3
    assert summary.latency_ms["max"] == pytest.approx(5)


def test_messages_out_of_order_add_up_over_instances():
    states = [state(range(5, 10), range(5)), state([20, 19], instance="b")]

    assert summarize(states, None, 21).out_of_order == 6


def test_the_timeline_has_the_messages_of_each_second():
    second = 1_700_000_000_000_000
    states = [state(range(5), now=second), state(range(5, 8), instance="b", now=second + 2_500_000)]

    assert summarize(states, None, 8).timeline == {
        "start": "2023-11-14T22:13:20.000Z",
        "step": 1,
        "messages": [5, 0, 3],
    }


def test_latencies_add_up_over_instances():
    summary = summarize(
        [state(range(98), latency=5000), state(range(98, 100), latency=800_000, instance="b")], None, 100
    )

    assert summary.latency_ms["p50"] == summary.latency_ms["p90"] == pytest.approx(5, rel=0.02)
    assert summary.latency_ms["p99"] == summary.latency_ms["max"] == pytest.approx(800, rel=0.02)


@pytest.mark.parametrize("latency", [-5_000_000, 0, 10**13])
def test_messages_with_an_impossible_latency_are_counted(latency):
    assert summarize([state(range(3), latency=latency)], None, 3).messages == 3


def test_a_stage_that_has_seen_nothing_has_no_times_and_no_rate():
    summary = summarize([], BitMap(range(5)), 5)

    assert (summary.messages, summary.missing) == (0, 5)
    assert (summary.first, summary.message_rate, summary.latency_ms) == (None, None, None)


numbers = some.lists(some.integers(0, 50), min_size=1, max_size=20)


@given(some.lists(numbers, min_size=1, max_size=4), some.sets(some.integers(0, 50)))
def test_the_merged_counts_equal_a_plain_count(instances, sent):
    summary = summarize([state(seen, instance=str(i)) for i, seen in enumerate(instances)], BitMap(sent), 51)
    seen = set().union(*instances)

    assert summary.messages == sum(map(len, instances))
    assert summary.distinct == len(seen)
    assert summary.duplicates == summary.messages - len(seen)
    assert summary.missing == len(sent - seen)
