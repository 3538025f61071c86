"""Reads Kafka's record batches in one loop over the bytes. kafka-python makes a dozen calls per message.

Format: https://kafka.apache.org/documentation/#recordbatch, message format v2. Headers and timestamps are skipped
because nothing here needs them. Depends on the internals of kafka-python 2.0.6, so the Pipfile pins it.
"""

from functools import partial
from typing import Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import CorruptRecordException
from kafka.record import MemoryRecords
from kafka.record.default_records import DefaultRecordBatch

from messaging.clients.errors import Transactional


class Message(NamedTuple):
    """The parts of a message that the services need."""

    offset: int
    partition: int
    key: bytes | None
    value: bytes | None


def read_faster(consumer: KafkaConsumer) -> None:
    """Make this consumer return `Message` objects instead of kafka-python's own."""
    fetcher = consumer._fetcher
    fetcher._unpack_message_set = partial(_unpack, fetcher._subscriptions)


def _unpack(subscriptions: Any, partition: TopicPartition, records: MemoryRecords) -> list[Message]:
    """Replaces the fetcher's `_unpack_message_set`."""
    messages: list[Message] = []
    while (batch := records.next_batch()) is not None:
        if isinstance(batch, DefaultRecordBatch):
            # Tells kafka-python where to continue after messages that compaction has removed.
            state = subscriptions.assignment[partition]
            state.last_offset_from_message_batch = batch.base_offset + batch.last_offset_delta
            if batch.is_transactional:
                raise Transactional(partition.topic)
            if not batch.is_control_batch:
                messages += read_batch(batch, partition.partition)
        else:  # a message format from before Kafka 0.11
            messages += [Message(r.offset, partition.partition, r.key, r.value) for r in batch]
    return messages


def read_batch(batch: DefaultRecordBatch, partition: int) -> list[Message]:
    """Return the messages of a batch. Raises CorruptRecordException if the bytes are not a batch."""
    batch._maybe_uncompress()
    buffer, pos = bytes(batch._buffer), batch._pos
    base_offset = batch.base_offset
    messages = []
    try:
        for _ in range(batch._num_records):
            length, pos = _varint(buffer, pos)
            end = pos + length
            pos += 1  # attributes
            while buffer[pos] & 0x80:  # the timestamp, relative to the timestamp of the batch
                pos += 1
            delta, pos = _varint(buffer, pos + 1)
            # The length of most keys has one byte, so it needs no call.
            if (size := buffer[pos]) < 0x80:
                size, pos = (size >> 1) ^ -(size & 1), pos + 1
            else:
                size, pos = _varint(buffer, pos)
            key = None if size < 0 else buffer[pos : (pos := pos + size)]
            size, pos = _varint(buffer, pos)
            value = None if size < 0 else buffer[pos : (pos := pos + size)]
            if pos >= end:  # the number of headers must follow
                raise CorruptRecordException(
                    f"a record ends at {end}, but its value ends at {pos}, so its headers are missing"
                )
            pos = end
            messages.append(Message(base_offset + delta, partition, key, value))
    except IndexError as error:
        raise CorruptRecordException("a batch ends in the middle of a record") from error
    if pos != len(buffer):
        raise CorruptRecordException(f"{len(buffer) - pos} bytes are left after all records")
    return messages


def _varint(buffer: bytes, pos: int) -> tuple[int, int]:
    """Decode the zigzag number at `pos`. Return it, and the position after it."""
    number = buffer[pos]
    pos += 1
    if number & 0x80:
        number &= 0x7F
        shift = 7
        while (byte := buffer[pos]) & 0x80:
            number |= (byte & 0x7F) << shift
            shift += 7
            pos += 1
        number |= byte << shift
        pos += 1
    return (number >> 1) ^ -(number & 1), pos
