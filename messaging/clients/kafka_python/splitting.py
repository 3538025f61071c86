"""Splits the batches that Kafka refuses because they are too large. kafka-python 2.0.6 would drop them.

Kafka's limit is for a whole batch, so its messages may fit into smaller batches. The parts replace the batch in the
queue of its partition, so the order stays the same.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from kafka import KafkaProducer
from kafka.errors import MessageSizeTooLargeError
from kafka.producer.future import FutureProduceResult, FutureRecordMetadata
from kafka.producer.record_accumulator import ProducerBatch
from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder

SMALLEST_BATCH = 1024
"""The producer's `batch_size` never becomes smaller than this, in bytes. The parts of a split batch may be smaller."""


def split_large_batches(producer: KafkaProducer) -> None:
    """Make the producer split each batch that is too large, and make its later batches smaller.

    A message that is too large by itself fails. Needs `max_in_flight_requests_per_connection=1`. With a higher value,
    the partition's next batch may already be under way. Kafka would then store it before the parts.
    """
    sender, accumulator = producer._sender, producer._accumulator
    complete: Callable[..., None] = sender._complete_batch

    def complete_or_split(batch: ProducerBatch, error: Any, *details: Any) -> None:
        if error is not MessageSizeTooLargeError or batch.record_count < 2:
            complete(batch, error, *details)
            return
        sender._sensors.record_retries(batch.topic_partition.topic, batch.record_count)
        half = batch.records.size_in_bytes() // 2
        accumulator.config["batch_size"] = max(SMALLEST_BATCH, min(accumulator.config["batch_size"], half))
        _replace(accumulator, batch, list(_parts(batch, half)))
        if sender.config["guarantee_message_order"]:
            accumulator.muted.remove(batch.topic_partition)

    sender._complete_batch = complete_or_split


def _parts(batch: ProducerBatch, most: int) -> Iterator[ProducerBatch]:
    """Yield the messages of a batch in smaller batches, of at most `most` bytes or of one message."""
    part: ProducerBatch | None = None
    for record in MemoryRecords(batch.records.buffer()).next_batch():
        message = record.timestamp, record.key, record.value, record.headers
        if part is None or part.records.append(*message) is None:
            if part is not None:
                yield part
            # 2 is the number of Kafka's message format since 0.11.
            part = ProducerBatch(batch.topic_partition, MemoryRecordsBuilder(2, 0, most), io.BytesIO())
            part.records.append(*message)
    if part is not None:
        yield part


def _replace(accumulator: Any, batch: ProducerBatch, parts: Sequence[ProducerBatch]) -> None:
    """Replace the batch by its parts. The future of each message then waits for the part with this message."""
    whole = batch.produce_future
    messages = iter([callback.__self__ for callback in whole._callbacks if _is_of_message(callback)])  # in their order
    # The other callbacks stay with the whole batch.
    whole._callbacks = [callback for callback in whole._callbacks if not _is_of_message(callback)]
    whole._errbacks = [callback for callback in whole._errbacks if not _is_of_message(callback)]
    waiting = list(parts)
    for part in parts:
        for _ in range(part.record_count):
            message = next(messages)
            part.produce_future.add_callback(message._produce_success)
            part.produce_future.add_errback(message.failure)
        part.produce_future.add_both(lambda _, part=part: _end(whole, waiting, part))
        accumulator._incomplete.add(part)
    partition = batch.topic_partition
    with accumulator._tp_locks[partition]:
        accumulator._batches[partition].extendleft(reversed(parts))
    accumulator.deallocate(batch)


def _is_of_message(callback: Any) -> bool:
    return isinstance(getattr(callback, "__self__", None), FutureRecordMetadata)


def _end(whole: FutureProduceResult, waiting: list[ProducerBatch], part: ProducerBatch) -> None:
    """After the last part, wake everyone who waits for the whole batch."""
    waiting.remove(part)
    if not waiting:
        whole.success((-1, None, None))
