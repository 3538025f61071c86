"""Deliveries of confluent-kafka: librdkafka's reports give the result of each message."""

import time

import pytest
from confluent_kafka import KafkaError, Message

from messaging.clients.confluent.delivery import ConfluentDelivery, Part
from messaging.clients.confluent.errors import translate
from messaging.clients.confluent.producer import by_partition
from messaging.clients.errors import TooLarge, Unavailable

TIMED_OUT = KafkaError(KafkaError._MSG_TIMED_OUT)
LARGE = KafkaError(KafkaError.MSG_SIZE_TOO_LARGE)


def message(value: bytes, latency: float = 0.0) -> Message:
    return Message(topic="t", partition=0, key=b"k", value=value, latency=latency)


@pytest.fixture
def parts():
    return [Part([0, 2, 4], 3), Part([1, 3], 2)]


@pytest.fixture
def delivery(parts):
    """Five messages in two partitions. Messages 2 and 4 are equal."""
    values = [b"0", b"1", b"2", b"3", b"2"]
    return ConfluentDelivery([b"k"] * 5, values, parts, {}, lambda: None, lambda failure: translate(failure[0]))


def test_a_delivery_is_done_when_all_its_parts_are(delivery, parts):
    for value in b"0", b"2", b"2":
        parts[0].report(None, message(value))
    parts[1].report(None, message(b"1"))
    assert not delivery.done
    assert not delivery.wait(0.01)

    parts[1].report(None, message(b"3"))
    assert delivery.wait(0)
    assert delivery.acknowledged == [True] * 5


def test_before_a_delivery_is_done_it_says_which_messages_are_acknowledged(delivery, parts):
    parts[0].report(None, message(b"0"))
    parts[1].report(TIMED_OUT, message(b"1"))

    assert delivery.acknowledged == [True, False, False, False, False]
    assert {index: type(error) for index, error in delivery.failures.items()} == {1: Unavailable}


def test_failures_are_found_regardless_of_the_order_of_the_reports(delivery, parts):
    parts[0].report(LARGE, message(b"2"))
    parts[1].report(TIMED_OUT, message(b"3"))
    assert {index: type(error) for index, error in delivery.failures.items()} == {2: TooLarge, 3: Unavailable}
    parts[0].report(None, message(b"0"))
    parts[0].report(LARGE, message(b"2"))
    parts[1].report(None, message(b"1"))

    assert delivery.done
    assert set(delivery.failures) == {2, 3, 4}
    assert delivery.acknowledged == [True, True, False, False, False]


def test_acknowledged_at_is_when_the_newest_acknowledgement_came_not_when_somebody_looked(delivery, parts):
    assert delivery.acknowledged_at == 0
    now = time.time_ns() // 1000
    parts[0].report(None, message(b"0", 0.5))
    parts[1].report(None, message(b"1", 0.25))

    assert 400_000 < delivery.acknowledged_at - now < 600_000


def test_indices_are_grouped_by_partition_and_stay_in_order():
    assert by_partition([]) == {}
    assert {number: list(indices) for number, indices in by_partition([7, 7, 7]).items()} == {7: [0, 1, 2]}
    assert by_partition([1, 0, 1]) == {1: [0, 2], 0: [1]}
