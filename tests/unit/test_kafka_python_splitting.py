"""Batches that Kafka refuses are split. The queue of batches is kafka-python's own, the topic is a fake."""

from types import SimpleNamespace

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError, MessageSizeTooLargeError
from kafka.producer.record_accumulator import RecordAccumulator
from kafka.record.memory_records import MemoryRecords

from messaging.clients.kafka_python.splitting import SMALLEST_BATCH, split_large_batches

BATCH = 16_384
PARTITION = TopicPartition("pong", 0)


class Library:
    """kafka-python's producer without its thread.

    `answer` sends all batches in the queue. The topic refuses each batch that is larger than `limit`, in bytes.
    """

    def __init__(self) -> None:
        self.limit = 10**9
        self.stored: list[bytes] = []
        self.requests = 0
        self.sent_again = 0
        self._accumulator = RecordAccumulator(message_version=2, batch_size=BATCH)
        self._sender = SimpleNamespace(
            config={"guarantee_message_order": True},
            _complete_batch=self._complete,
            _sensors=SimpleNamespace(record_retries=self._count),
        )
        split_large_batches(self)

    def _count(self, topic: str, messages: int) -> None:
        self.sent_again += messages

    def _complete(self, batch, error, offset) -> None:
        batch.done(offset, None, error)
        self._accumulator.deallocate(batch)
        self._accumulator.muted.remove(PARTITION)

    def send(self, values: list[bytes]) -> list:
        return [self._accumulator.append(PARTITION, None, b"k", value, [], 0)[0] for value in values]

    def answer(self) -> None:
        batches = self._accumulator._batches[PARTITION]
        while batches:
            batch = batches.popleft()
            batch.records.close()
            self.requests += 1
            self._accumulator.muted.add(PARTITION)
            if batch.records.size_in_bytes() > self.limit:
                self._sender._complete_batch(batch, MessageSizeTooLargeError, -1)
            else:
                self.stored += [record.value for record in MemoryRecords(batch.records.buffer()).next_batch()]
                self._sender._complete_batch(batch, None, 0)
            assert not self._accumulator.muted


@pytest.fixture
def library():
    return Library()


def messages(count: int) -> list[bytes]:
    return [b"%0100d" % number for number in range(count)]


def test_messages_that_fit_are_all_sent_in_their_order(library):
    library.limit = 3_000
    futures = library.send(messages(1000))
    library.answer()

    assert all(future.succeeded() for future in futures)
    assert library.stored == messages(1000)
    assert library.sent_again > 0


def test_only_the_message_that_does_not_fit_fails(library):
    library.limit = 3_000
    values = messages(300)
    values[7] = bytes(5_000)
    futures = library.send(values)
    library.answer()

    assert [n for n, future in enumerate(futures) if not future.succeeded()] == [7]
    assert isinstance(futures[7].exception, MessageSizeTooLargeError)
    assert library.stored == [*values[:7], *values[8:]]


def test_later_batches_are_small_enough_to_be_sent_once(library):
    library.limit = 3_000
    library.send(messages(1000))
    library.answer()
    before = library.sent_again
    library.send(messages(1000))
    library.answer()

    assert library.sent_again == before


def test_batches_do_not_shrink_without_end(library):
    library.limit = 300
    for _ in range(5):
        library.send(messages(100))
        library.answer()

    assert len(library.stored) == 500
    assert library._accumulator.config["batch_size"] == SMALLEST_BATCH


def test_the_batch_size_stays_the_same_if_a_single_message_is_too_large(library):
    library.limit = BATCH
    for _ in range(5):
        library.send([bytes(2 * BATCH)])
        library.answer()

    assert library._accumulator.config["batch_size"] == BATCH


def test_a_flush_waits_for_the_parts_too(library):
    library.limit = 3_000
    library.send(messages(100))
    batches = library._accumulator._batches[PARTITION]
    whole = batches[0]
    refused = batches.popleft()
    refused.records.close()
    library._accumulator.muted.add(PARTITION)
    library._sender._complete_batch(refused, MessageSizeTooLargeError, -1)

    assert not whole.produce_future.is_done
    assert len(library._accumulator._incomplete.all()) == len(batches) > 1
    library.answer()
    assert whole.produce_future.is_done
    assert library._accumulator._incomplete.all() == []


def test_the_messages_of_a_part_fail_with_the_error_of_the_part(library):
    library.limit = 3_000
    futures = library.send(messages(100))
    batches = library._accumulator._batches[PARTITION]
    refused = batches.popleft()
    refused.records.close()
    library._accumulator.muted.add(PARTITION)
    library._sender._complete_batch(refused, MessageSizeTooLargeError, -1)
    for part in library._accumulator._incomplete.all():
        part.done(exception=KafkaTimeoutError("gone"))

    assert {type(future.exception) for future in futures} == {KafkaTimeoutError}
    assert refused.produce_future.is_done
