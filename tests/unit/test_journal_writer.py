"""What a service puts on record, with a producer whose acknowledgements the test makes."""

import json
import uuid

import pytest

from messaging.clients.errors import Unavailable
from messaging.journal.writer import IDLE_SECONDS, JournalWriter
from messaging.runs.batch import Batch
from messaging.runs.request import Request
from messaging.runs.stamp import stamps
from tests.unit.fakes import Clock, Delivery

RUN = uuid.uuid4()


class Producer:
    """Takes records down; `down` says that it takes none."""

    def __init__(self) -> None:
        self.records: list[tuple[str, dict]] = []
        self.deliveries: list[Delivery] = []
        self.attempts = 0
        self.down = False

    def send(self, topic, keys, values, partitions) -> Delivery:
        self.attempts += 1
        if self.down:
            raise Unavailable("no metadata")
        assert (topic, partitions) == ("runs", [0])
        self.records.append((keys[0].decode(), json.loads(values[0])))
        self.deliveries.append(Delivery(1))
        return self.deliveries[-1]


@pytest.fixture
def producer():
    return Producer()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def writer(producer, clock):
    return JournalWriter(producer, "pong", clock)


def batch(numbers: range, run: uuid.UUID = RUN) -> Batch:
    return Batch("pong", [0] * len(numbers), stamps(run.bytes, numbers), [b"x"] * len(numbers), 0.0)


def test_a_state_is_absolute_and_under_one_key(writer, producer):
    writer.received(batch(range(10)))
    writer.publish()
    writer.received(batch(range(10, 30)))
    writer.publish()
    keys, states = zip(*producer.records, strict=True)

    assert len(set(keys)) == 1
    assert keys[0].startswith(f"{RUN}/pong_received/")
    assert [state["messages"] for state in states] == [10, 30]


def test_it_is_on_record_when_acknowledged_and_not_before(writer, producer):
    writer.received(batch(range(10)))
    writer.publish()
    assert not writer.recorded(writer.mark)

    producer.deliveries[0].acknowledge()
    assert writer.recorded(writer.mark)


def test_what_comes_later_does_not_hold_up_an_earlier_mark(writer, producer):
    writer.received(batch(range(10)))
    mark = writer.mark
    writer.publish()
    writer.received(batch(range(10, 20)))
    producer.deliveries[0].acknowledge()

    assert writer.recorded(mark)
    writer.publish()
    assert not writer.recorded(writer.mark)


def test_what_was_not_recorded_is_published_again(writer, producer):
    writer.received(batch(range(10)))
    mark = writer.mark
    writer.publish()
    producer.deliveries[0].fail(Unavailable("too late"))
    assert not writer.recorded(mark)
    writer.publish()
    producer.deliveries[1].acknowledge()

    assert writer.recorded(mark)
    assert len(producer.records) == 2


def test_what_the_client_did_not_even_take_is_published_again(writer, producer):
    writer.received(batch(range(10)))
    producer.down = True
    writer.publish()
    producer.down = False
    writer.publish()
    producer.deliveries[0].acknowledge()

    assert writer.recorded(writer.mark)


def test_without_a_change_nothing_is_published(writer, producer):
    writer.received(batch(range(10)))
    for _ in range(3):
        writer.publish()
    producer.deliveries[0].acknowledge()
    writer.publish()

    assert len(producer.records) == 1


def test_a_flush_publishes_and_says_if_everything_is_on_record(writer, producer):
    writer.received(batch(range(10)))

    assert not writer.flush(0)
    producer.deliveries[0].acknowledge()
    assert writer.flush(0)
    assert len(producer.records) == 1


def test_a_flush_takes_a_breath_between_attempts_that_fail(writer, producer):
    writer.received(batch(range(10)))
    producer.down = True

    assert not writer.flush(0.25)
    assert 2 <= producer.attempts <= 6


def test_runs_are_kept_apart_and_foreign_messages_left_out(writer, producer):
    other = uuid.uuid4()
    mixed = Batch(
        "pong",
        [0, 1, 2, 3],
        [*stamps(RUN.bytes, range(1)), None, b"short", *stamps(other.bytes, range(1))],
        [b"1", b"22", b"333", None],
        0.0,
    )
    writer.received(mixed)
    writer.publish()

    assert {key.split("/")[0]: (state["messages"], state["bytes"], state["partitions"])
            for key, state in producer.records} == {
        str(RUN): (1, 1, {"0": 1}), str(other): (1, 0, {"3": 1})}  # fmt: skip


def idle(writer, producer, clock) -> None:
    """Everything is acknowledged, and nothing changes for a long time."""
    writer.publish()
    for delivery in producer.deliveries:
        delivery.acknowledge()
    assert writer.recorded(writer.mark)
    clock.advance(IDLE_SECONDS + 1)
    writer.publish()


def test_a_state_that_was_forgotten_begins_anew_under_another_key(writer, producer, clock):
    writer.received(batch(range(10)))
    idle(writer, producer, clock)
    writer.received(batch(range(5)))
    writer.publish()
    (first, _), (second, state) = producer.records

    assert first != second
    assert state["messages"] == 5


def test_a_run_that_is_being_sent_is_not_forgotten(writer, producer, clock):
    writer.begin(Request(RUN, "ping", num_messages=2, size=1, created=0))
    idle(writer, producer, clock)
    writer.end(RUN, "sent")
    writer.publish()

    state = producer.records[-1][1]
    assert (state["service"], state["outcome"]) == ("ping", "sent")
