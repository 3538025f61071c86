"""Consumer statistics: one line per CONSUMER_METRIC_BATCH messages, regardless of poll size."""

import random
import re
import time
import uuid

import pytest

from messaging.extensions.statistics import TopicStats
from messaging.runs.batch import Batch
from messaging.runs.stamp import stamps
from tests.unit.fakes import Clock


@pytest.fixture
def lines(caplog):
    """The lines logged so far, each as a dict of numbers and the topic's name."""
    caplog.set_level("INFO", "messaging.extensions.statistics")

    def parse() -> list[dict]:
        pairs = [dict(re.findall(r"(\w+)=(\S+)", record.getMessage())) for record in caplog.records]
        return [{k: v if k == "topic" else float(v) for k, v in line.items()} for line in pairs]

    return parse


def batch(count: int, size: int = 10, keys=None, poll_seconds: float = 0.01, idle_until: float = 0) -> Batch:
    keys = stamps(uuid.uuid4().bytes, range(count)) if keys is None else keys
    return Batch("pong", [0] * count, keys, [bytes(size)] * count, poll_seconds, idle_until=idle_until)


def test_250_messages_make_two_lines_and_50_more_make_the_third(lines):
    stats = TopicStats("pong", 100)

    stats.record(batch(250))
    assert [line["total"] for line in lines()] == [100, 200]
    stats.record(batch(49))
    assert len(lines()) == 2
    stats.record(batch(1))
    assert [line["total"] for line in lines()] == [100, 200, 300]


@pytest.mark.parametrize("batch_size", [1, 7, 100, 1000])
def test_every_line_counts_exactly_batch_size_messages_regardless_of_poll_size(lines, batch_size):
    polls = [random.Random(batch_size).randint(1, 700) for _ in range(30)]
    stats = TopicStats("pong", batch_size)
    for count in polls:
        stats.record(batch(count))

    assert len(lines()) == sum(polls) // batch_size
    assert {line["messages"] for line in lines()} == {batch_size}
    assert lines()[-1]["total"] == sum(polls) // batch_size * batch_size


def test_rates_are_computed_from_the_seconds_in_the_same_line(lines):
    TopicStats("pong", 100).record(batch(100, size=500))
    (line,) = lines()

    assert line["topic"] == "pong"
    assert line["message_rate"] == pytest.approx(100 / line["seconds"], rel=0.01)
    assert line["byte_rate"] == pytest.approx(100 * 500 / line["seconds"] / 1e6, rel=0.01)
    assert 0 <= line["latency_p50_ms"] <= line["latency_max_ms"]


def test_waiting_for_the_first_message_of_a_line_does_not_count(lines):
    clock = Clock()
    stats = TopicStats("pong", 100, clock)
    stats.record(batch(100))
    clock.advance(3600)
    stats.record(batch(100))

    assert lines()[1]["seconds"] < 1


def sent_before(seconds: float) -> list[bytes]:
    """Return the keys of 300 messages that were sent this long ago."""
    return stamps(uuid.uuid4().bytes, range(300), [time.time_ns() // 1000 - int(seconds * 1e6)] * 300)


def record_with_a_pause(first: int, then: int, keys: list) -> None:
    """Count messages, wait for an hour without any, and count the next ones 3 s later."""
    clock = Clock()
    stats = TopicStats("pong", 100, clock)
    stats.record(batch(first))
    clock.advance(3600)
    idle_until = clock()
    clock.advance(3)
    stats.record(batch(then, keys=keys, idle_until=idle_until))


@pytest.mark.parametrize("before", [3600, -60, None])
def test_idle_time_does_not_count_whatever_the_stamps_say(lines, before):
    # Given a consumer that waited for an hour. Then messages come that were sent an hour ago, or were stamped by a
    # clock that is ahead, or have no stamp.
    keys = [None] * 300 if before is None else sent_before(before)

    # When their poll and the work on them take 3 s
    record_with_a_pause(100, 300, keys)

    # Then each of their lines took 1 s
    assert [line["seconds"] for line in lines()[1:]] == pytest.approx([1, 1, 1])
    assert all(line["latency_p50_ms"] >= 0 for line in lines())


def test_a_pause_in_the_middle_of_a_line_counts_only_in_this_line(lines):
    record_with_a_pause(50, 250, sent_before(3600)[:250])

    assert [line["seconds"] > 3600 for line in lines()] == [True, False, False]


def test_foreign_messages_are_counted_and_have_no_latency(lines):
    stats = TopicStats("pong", 4)
    stats.record(batch(4, keys=[None, b"short", *stamps(uuid.uuid4().bytes, range(2))]))
    stats.record(batch(4, keys=[None] * 4))

    assert [line["unstamped"] for line in lines()] == [2, 4]
    assert lines()[1]["latency_max_ms"] == 0


def test_a_message_without_a_value_has_no_bytes(lines):
    TopicStats("pong", 2).record(Batch("pong", [0, 0], [None, None], [None, b"12345"], 0.1))

    assert lines()[0]["byte_rate"] * 1e6 * lines()[0]["seconds"] == pytest.approx(5, rel=0.01)
