"""Record batches: the fast reader returns the same messages as kafka-python's own reader."""

import random
from contextlib import suppress
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as some
from kafka import TopicPartition
from kafka.errors import CorruptRecordException
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from messaging.clients.errors import Transactional
from messaging.clients.kafka_python.records import Message, read_batch, read_faster

GZIP = DefaultRecordBatch.CODEC_GZIP


def build(messages: list[tuple], compression: int = 0) -> bytearray:
    """Return the bytes of a batch that kafka-python builds from (key, value, headers)."""
    builder = DefaultRecordBatchBuilder(2, compression, False, -1, -1, -1, 10**9)
    for offset, (key, value, headers) in enumerate(messages):
        builder.append(offset, 1_700_000_000_000 + offset * 1000, key, value, headers)
    return bytearray(builder.build())


def some_bytes(choose: random.Random) -> bytes | None:
    return choose.choice([None, b"", choose.randbytes(choose.choice([1, 32, 63, 64, 100, 8191, 8192, 100_000]))])


@pytest.mark.parametrize("compression", [0, GZIP])
@pytest.mark.parametrize("seed", range(5))
def test_the_messages_are_the_same_as_from_kafka_python(seed, compression):
    choose = random.Random(seed)
    headers = [[], [("name", b"value")], [("a", None), ("b", b"x" * 200)]]
    messages = [(some_bytes(choose), some_bytes(choose), choose.choice(headers)) for _ in range(300)]
    data = build(messages, compression)

    expected = [Message(r.offset, 3, r.key, r.value) for r in DefaultRecordBatch(data)]
    assert read_batch(DefaultRecordBatch(data), 3) == expected
    assert [(m.key, m.value) for m in expected] == [(key, value) for key, value, _ in messages]


def test_each_message_of_a_large_batch_has_the_right_offset():
    data = build([(b"k" * 32, b"v" * 100, [])] * 20_000)

    assert [message.offset for message in read_batch(DefaultRecordBatch(data), 0)] == list(range(20_000))


@pytest.mark.parametrize("cut", [1, 5, 50])
def test_a_batch_of_the_wrong_length_is_corrupt(cut):
    data = build([(b"k" * 32, b"v" * 100, [])] * 10)

    with pytest.raises(CorruptRecordException):
        read_batch(DefaultRecordBatch(data[:-cut]), 0)
    with pytest.raises(CorruptRecordException):
        read_batch(DefaultRecordBatch(data + b"\0" * cut), 0)


contents = some.one_of(some.none(), some.binary(max_size=300))
headers = some.lists(
    some.tuples(some.text(max_size=10), some.one_of(some.none(), some.binary(max_size=20))), max_size=3
)


@given(some.lists(some.tuples(contents, contents, headers), min_size=1, max_size=20), some.sampled_from([0, GZIP]))
def test_any_batch_is_read_as_kafka_python_reads_it(messages, compression):
    data = build(messages, compression)

    assert read_batch(DefaultRecordBatch(data), 3) == [
        Message(record.offset, 3, record.key, record.value) for record in DefaultRecordBatch(data)
    ]


@given(some.binary(max_size=100), some.integers(1, 60))
def test_damaged_bytes_raise_no_other_error_than_corrupt_record(value, at):
    data = build([(b"k", value, [])] * 3)
    data[-at] ^= 0xFF

    # `read_batch` may return wrong messages instead of an error, because it does not check the checksum of the batch.
    with suppress(CorruptRecordException):
        read_batch(DefaultRecordBatch(data), 0)


def test_a_batch_of_a_transaction_is_not_read_because_it_may_be_aborted():
    builder = DefaultRecordBatchBuilder(2, 0, True, 1, 0, 0, 10**9)
    builder.append(0, 1_700_000_000_000, b"k", b"v", [])
    batch = DefaultRecordBatch(bytearray(builder.build()))
    records = SimpleNamespace(next_batch=lambda: batch)

    subscriptions = SimpleNamespace(assignment={TopicPartition("pong", 0): SimpleNamespace()})
    consumer = SimpleNamespace(_fetcher=SimpleNamespace(_subscriptions=subscriptions))
    read_faster(consumer)
    with pytest.raises(Transactional, match=r"Topic pong .* Set KAFKA_CLIENT=confluent-kafka, or use fresh topics\."):
        consumer._fetcher._unpack_message_set(TopicPartition("pong", 0), records)
