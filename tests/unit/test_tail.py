"""Reading the journal in a thread, with a Kafka in memory."""

import pytest

from messaging.clients.errors import Transactional
from messaging.clients.protocols import Partition
from messaging.journal.requests import PARTITION
from messaging.journal.states import RUN_STATES
from messaging.journal.tail import GIVE_UP, Tail
from tests.unit.api_fakes import wait_until
from tests.unit.broker import Broker


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr("messaging.journal.tail.POLL_SECONDS", 0.01)
    monkeypatch.setattr("messaging.journal.tail.RETRY_SECONDS", 0.01)


@pytest.fixture
def broker():
    return Broker()


@pytest.fixture
def values():
    """The values that were read."""
    return []


@pytest.fixture
def tail(broker, values):
    """Reads all of `run-requests`."""

    def apply(partition, offset, key, value):
        values.append(int(value))

    tail = Tail(broker, lambda reader: reader.beginnings([PARTITION]), apply)
    yield tail
    tail.stop()
    wait_until(lambda: broker.readers == 0)


def write(broker: Broker, *values: int) -> None:
    for value in values:
        broker.write(PARTITION, b"key", str(value).encode())


def test_all_records_are_read_in_order_and_later_ones_too(broker, tail, values):
    write(broker, *range(250))
    tail.start()
    assert tail.wait_until_caught_up(5)
    assert values == [*range(250)]

    write(broker, 250, 251)
    assert tail.catch_up(5)
    assert values == [*range(252)]


def test_the_tail_has_not_caught_up_before_it_has_read_the_existing_records(broker, tail):
    assert not tail.wait_until_caught_up(0)
    assert not tail.catch_up(0)


def test_a_foreign_record_is_logged_and_left_out(broker, tail, values, caplog):
    broker.write(PARTITION, b"key", b"not a number")
    write(broker, 1)
    tail.start()
    assert tail.catch_up(5)

    assert values == [1]
    assert "run-requests, offset 0: not a record of a run" in caplog.text


def test_no_record_is_lost_or_read_twice_if_kafka_is_down_for_a_while(broker, tail, values):
    write(broker, 1)
    tail.start()
    assert tail.catch_up(5)
    broker.is_down = True
    write(broker, 2)
    assert not tail.catch_up(0.05)
    broker.is_down = False

    assert tail.catch_up(5)
    assert values == [1, 2]


def test_the_tail_can_start_before_kafka_does(broker, tail, values):
    broker.is_down = True
    tail.start()
    assert not tail.wait_until_caught_up(0.05)
    write(broker, 1)
    broker.is_down = False

    assert tail.wait_until_caught_up(5)
    assert values == [1]


def test_a_topic_whose_partitions_are_not_known_yet_is_waited_for(broker, values):
    """Kafka may need a moment before it knows a new topic."""
    broker.partitions_of[RUN_STATES] = 0
    tail = Tail(
        broker, lambda reader: reader.beginnings(reader.partitions(RUN_STATES)), lambda *raw: values.append(raw)
    )
    tail.start()
    assert not tail.wait_until_caught_up(0.05)

    broker.partitions_of[RUN_STATES] = 4
    assert tail.wait_until_caught_up(5)
    broker.write(Partition(RUN_STATES, 3), b"key", b"value")
    assert tail.catch_up(5)
    assert values == [(Partition(RUN_STATES, 3), 0, b"key", b"value")]
    tail.stop()


def test_the_process_logs_the_reason_and_exits_if_it_cannot_read_transactions(broker, tail, monkeypatch, caplog):
    exits = []

    def end(code: int) -> None:
        exits.append(code)
        tail.stop()

    def poll(seconds: float):
        raise Transactional(RUN_STATES)

    reader = broker.reader()
    monkeypatch.setattr("messaging.journal.tail.os._exit", end)
    monkeypatch.setattr(reader, "poll", poll)
    monkeypatch.setattr(broker, "reader", lambda: reader)
    tail.start()
    wait_until(lambda: exits)

    assert exits[0] == GIVE_UP
    assert "Topic run-states has messages of DELIVERY=exactly-once" in caplog.text
    assert "Set KAFKA_CLIENT=confluent-kafka, or use fresh topics." in caplog.text
