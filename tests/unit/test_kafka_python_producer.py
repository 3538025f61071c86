"""Sending with kafka-python to a topic that refuses what is too large, with that library's producer replaced."""

from types import SimpleNamespace

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError, MessageSizeTooLargeError, NoBrokersAvailable
from kafka.producer.future import FutureProduceResult, FutureRecordMetadata

from messaging.clients.errors import Refused, TooLarge, Unavailable
from messaging.clients.kafka_python import producer as module
from messaging.clients.kafka_python.producer import SMALLEST_BATCH, KafkaPythonProducer

BATCH = 10_000


class Batch:
    def __init__(self) -> None:
        self.size = 0
        self.result = FutureProduceResult(TopicPartition("pong", 0))


class Kafka:
    """A topic that takes batches up to a `limit`, and kafka-python's producers for it."""

    def __init__(self) -> None:
        self.DEFAULT_CONFIG = {"batch_size": 16384}
        self.limit = 10**9
        self.stored: list[bytes] = []
        self.producers: list[Library] = []
        self.is_down = False

    def __call__(self, **options) -> "Library":
        if self.is_down:
            raise NoBrokersAvailable
        self.producers.append(Library(self, options["batch_size"]))
        return self.producers[-1]


class Library:
    """kafka-python's producer. It answers batches that are full, and the last one when it is flushed."""

    def __init__(self, kafka: Kafka, batch_size: int):
        self.kafka = kafka
        self.batch_size = batch_size
        self.is_closed = False
        self._batch = Batch()
        self._values: list[bytes] = []
        self._sender = SimpleNamespace(_sensors=SimpleNamespace(record_retries=lambda topic, count: None))

    def send(self, topic, value, key, headers, partition) -> FutureRecordMetadata:
        assert not self.is_closed, "closed"
        if self.kafka.is_down:
            raise KafkaTimeoutError("no metadata")
        size = len(key) + len(value)
        if self._batch.size and self._batch.size + size > self.batch_size:
            self.flush()
        self._batch.size += size
        self._values.append(value)
        future = FutureRecordMetadata(self._batch.result, 0, 0, None, 1, 1, -1)
        if not self.batch_size:
            self.flush()
        return future

    def flush(self, timeout=None) -> None:
        batch, values, self._batch, self._values = self._batch, self._values, Batch(), []
        if batch.size > self.kafka.limit:
            batch.result.failure(MessageSizeTooLargeError())
        else:
            self.kafka.stored += values
            batch.result.success((0, 0, 0))

    def close(self, timeout) -> None:
        self.is_closed = True


@pytest.fixture
def kafka(monkeypatch):
    kafka = Kafka()
    monkeypatch.setattr(module, "KafkaProducer", kafka)
    return kafka


@pytest.fixture
def producer(kafka):
    return KafkaPythonProducer({"batch_size": BATCH})


def send(producer: KafkaPythonProducer, values: list[bytes]):
    """Send messages, and wait until Kafka has answered all of them."""
    delivery = producer.send("pong", [b"k"] * len(values), values, [0] * len(values))
    producer.flush(1)
    delivery.wait(1)
    return delivery


def messages(count: int, size: int) -> list[bytes]:
    return [number.to_bytes(size) for number in range(count)]


def test_messages_that_fit_by_themselves_are_all_sent_although_their_batches_do_not(kafka, producer):
    kafka.limit = 6_000
    delivery = send(producer, messages(1000, 100))

    assert all(delivery.acknowledged)
    assert delivery.failures == {}
    assert sorted(kafka.stored) == messages(1000, 100)


def test_what_is_sent_again_is_counted(kafka, producer):
    kafka.limit = 6_000
    send(producer, messages(10, 100))
    assert producer.sent_again == {}

    send(producer, messages(80, 100))
    assert producer.sent_again == {"pong": 80}

    kafka.producers[-1]._sender._sensors.record_retries("pong", 20)
    assert producer.sent_again == {"pong": 100}


def test_what_does_not_fit_is_refused_and_nothing_else(kafka, producer):
    kafka.limit = 6_000
    values = messages(100, 100)
    values[7] = bytes(7_000)
    delivery = send(producer, values)

    assert {index: type(error) for index, error in delivery.failures.items()} == {7: TooLarge}
    assert isinstance(delivery.failures[7], Refused)
    assert len(kafka.stored) == 99


def test_later_batches_are_small_enough_so_that_they_are_sent_once(kafka, producer):
    kafka.limit = 3_000
    for _ in range(4):
        assert all(send(producer, messages(1000, 100)).acknowledged)
    assert len(kafka.stored) == 4000
    sizes = [library.batch_size for library in kafka.producers]
    assert sorted(sizes, reverse=True) == [BATCH, BATCH // 2, BATCH // 4, 0]

    before = len(kafka.producers)
    send(producer, messages(1000, 100))
    assert len(kafka.producers) == before


def test_batches_do_not_shrink_without_end(kafka, producer):
    kafka.limit = 10
    for _ in range(20):
        send(producer, messages(10, 100))

    assert min(library.batch_size for library in kafka.producers if library.batch_size) >= SMALLEST_BATCH // 2
    assert len(kafka.producers) < 10


def test_messages_that_are_too_large_by_themselves_do_not_make_the_batches_of_others_smaller(kafka, producer):
    kafka.limit = BATCH
    for _ in range(5):
        assert len(send(producer, [bytes(2 * BATCH)]).failures) == 1

    assert [library.batch_size for library in kafka.producers] == [BATCH, 0]


def test_kafka_that_is_gone_by_the_second_attempt_is_unavailable_and_raises_nothing(kafka, producer):
    kafka.limit = 6_000
    delivery = producer.send("pong", [b"k"] * 100, messages(100, 100), [0] * 100)
    producer.flush(1)
    kafka.is_down = True

    assert delivery.wait(1)
    assert {type(error) for error in delivery.failures.values()} == {Unavailable}
    kafka.is_down = False
    assert all(send(producer, messages(100, 100)).acknowledged), "it can be sent again"


def test_a_producer_that_is_closed_closes_all_that_it_has_made(kafka, producer):
    kafka.limit = 3_000
    for _ in range(3):
        send(producer, messages(1000, 100))
    producer.close(1)

    assert all(library.is_closed for library in kafka.producers)
