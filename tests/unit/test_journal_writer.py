"""The states that a service puts on record. The fake producer acknowledges a state when the test says so."""

import time
import uuid

import pytest

from messaging.clients.errors import Unavailable
from messaging.journal.writer import IDLE_SECONDS, JournalWriter
from messaging.runs.batch import Batch
from messaging.runs.request import Request
from messaging.runs.stage import Stage
from messaging.runs.stamp import stamps
from tests.unit.fakes import Clock
from tests.unit.journal_producer import AT, RUN, Producer, batch


@pytest.fixture
def producer():
    return Producer()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def writer(producer, clock):
    return JournalWriter(producer, "pong", clock)


@pytest.fixture
def publish(writer, clock):
    """Publishes the changed states, some time after the last publication."""

    def publish() -> None:
        clock.advance(0.2)
        writer.publish()

    return publish


def test_a_state_has_the_totals_so_far_and_keeps_its_key(writer, producer, publish):
    writer.received(batch(range(10)))
    publish()
    writer.received(batch(range(10, 30)))
    publish()
    keys, states = zip(*producer.records, strict=True)

    assert len(set(keys)) == 1
    assert keys[0].startswith(f"{RUN}/pong_received/")
    assert [state["messages"] for state in states] == [10, 30]


def test_a_state_is_on_record_when_it_is_acknowledged_and_not_before(writer, producer, publish):
    writer.received(batch(range(10)))
    publish()
    assert not writer.recorded(writer.mark)

    producer.deliveries[0].acknowledge()
    assert writer.recorded(writer.mark)


def test_an_earlier_mark_is_on_record_although_later_messages_are_not(writer, producer, publish):
    writer.received(batch(range(10)))
    mark = writer.mark
    publish()
    writer.received(batch(range(10, 20)))
    producer.deliveries[0].acknowledge()

    assert writer.recorded(mark)
    publish()
    assert not writer.recorded(writer.mark)


def test_states_that_were_not_recorded_are_published_again(writer, producer, publish):
    writer.received(batch(range(10)))
    mark = writer.mark
    publish()
    producer.deliveries[0].fail(Unavailable("too late"))
    assert not writer.recorded(mark)
    publish()
    producer.deliveries[1].acknowledge()

    assert writer.recorded(mark)
    assert len(producer.records) == 2


def test_a_state_that_the_client_did_not_take_is_published_again(writer, producer, publish):
    writer.received(batch(range(10)))
    producer.down = True
    publish()
    producer.down = False
    publish()
    producer.deliveries[0].acknowledge()

    assert writer.recorded(writer.mark)


def test_without_a_change_nothing_is_published(writer, producer, publish):
    writer.received(batch(range(10)))
    for _ in range(3):
        publish()
    producer.deliveries[0].acknowledge()
    publish()

    assert len(producer.records) == 1


def test_a_flush_publishes_and_says_if_everything_is_on_record(writer, producer):
    writer.received(batch(range(10)))

    assert not writer.flush(0)
    producer.deliveries[0].acknowledge()
    assert writer.flush(0)
    assert len(producer.records) == 1


def test_a_flush_pauses_between_failed_attempts(writer, producer):
    writer.received(batch(range(10)))
    producer.down = True

    assert not writer.flush(0.25)
    assert 2 <= producer.attempts <= 6


def test_runs_are_counted_separately_and_messages_without_a_stamp_are_not_counted(writer, producer, publish):
    other = uuid.uuid4()
    mixed = Batch(
        "pong",
        [0, 1, 2, 3],
        [*stamps(RUN.bytes, range(1)), None, b"short", *stamps(other.bytes, range(1))],
        [b"1", b"22", b"333", None],
        0.0,
    )
    writer.received(mixed)
    publish()

    assert {key.split("/")[0]: (state["messages"], state["bytes"], state["partitions"])
            for key, state in producer.records} == {
        str(RUN): (1, 1, {"0": 1}), str(other): (1, 0, {"3": 1})}  # fmt: skip


def idle(writer, producer, clock, publish) -> None:
    """Acknowledge everything, and let more than IDLE_SECONDS pass without a change."""
    publish()
    for delivery in producer.deliveries:
        delivery.acknowledge()
    assert writer.recorded(writer.mark)
    clock.advance(IDLE_SECONDS + 1)
    publish()


def test_a_forgotten_state_begins_again_under_another_key(writer, producer, clock, publish):
    writer.received(batch(range(10)))
    idle(writer, producer, clock, publish)
    writer.received(batch(range(5)))
    publish()
    (first, _), (second, state) = producer.records

    assert first != second
    assert state["messages"] == 5


def test_a_run_that_is_being_sent_is_not_forgotten(writer, producer, clock, publish):
    writer.begin(Request(RUN, "ping", num_messages=2, size=1, created=0), "host:1/a.1")
    idle(writer, producer, clock, publish)
    assert producer.records[-1][1]["ended"] is None
    before = time.time_ns() // 1000
    writer.end(RUN, "sent")
    publish()

    state = producer.records[-1][1]
    assert (state["service"], state["outcome"], state["claim"]) == ("ping", "sent", "host:1/a.1")
    assert before <= state["ended"] <= time.time_ns() // 1000


def test_a_state_does_not_cover_messages_that_are_counted_while_it_is_sent(writer, producer, publish):
    writer.received(batch(range(10)))
    producer.while_sending = lambda: writer.received(batch(range(10, 20)))
    publish()
    producer.deliveries[0].acknowledge()
    assert not writer.recorded(writer.mark)

    publish()
    producer.deliveries[1].acknowledge()
    assert writer.recorded(writer.mark)
    assert [state["messages"] for _, state in producer.records] == [10, 20]


def test_a_refused_answer_counts_as_failed_in_its_own_run(writer, producer, publish):
    other = uuid.uuid4()
    mixed = Batch(
        "pong",
        [0] * 6,
        [*stamps(RUN.bytes, range(3)), *stamps(other.bytes, range(2)), None],
        [b"x"] * 6,
        0.0,
    )
    writer.answered(mixed, [1, 2, 4, 5], AT)
    publish()
    stages = {key.split("/")[0]: Stage.from_json(state) for key, state in producer.records}

    assert {run: (list(stage.numbers), stage.messages, list(stage.failed)) for run, stage in stages.items()} == {
        str(RUN): ([0], 1, [1, 2]), str(other): ([0], 1, [1])}  # fmt: skip


def test_all_answers_are_counted_if_no_answer_was_refused(writer, producer, publish):
    writer.answered(batch(range(10)), [], AT)
    publish()
    (stage,) = (Stage.from_json(state) for _, state in producer.records)

    assert (stage.messages, list(stage.failed)) == (10, [])
