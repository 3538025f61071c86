"""Reading partitions with kafka-python, without a group."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from messaging.clients.errors import Unavailable
from messaging.clients.kafka_python.errors import translated
from messaging.clients.kafka_python.group_offsets import GroupOffsets
from messaging.clients.kafka_python.partitions import ours, theirs
from messaging.clients.kafka_python.quiet import stop_measuring
from messaging.clients.kafka_python.records import Message, read_faster
from messaging.clients.protocols import Fetched, Partition, Polled, Waiting


class KafkaPythonReader:
    """Belongs to one thread."""

    def __init__(self, options: Mapping[str, Any], waiting: Waiting):
        self._waiting = waiting
        self._options = options
        self._groups: dict[str, GroupOffsets] = {}
        with translated():
            self._consumer = KafkaConsumer(**options)
        read_faster(self._consumer)
        stop_measuring(self._consumer)

    def assign(self, offsets: Mapping[Partition, int]) -> None:
        self._consumer.assign([theirs(partition) for partition in offsets])
        for partition, offset in offsets.items():
            self._consumer.seek(theirs(partition), offset)

    def poll(self, seconds: float) -> Polled:
        return Polled(fetch(self._consumer, seconds, self._waiting))

    def position(self, partition: Partition) -> int:
        with translated():
            return int(self._consumer.position(theirs(partition)))

    def partitions(self, topic: str) -> list[Partition]:
        cluster = self._consumer._client.cluster
        before = cluster._last_successful_refresh_ms
        with translated():
            numbers = self._consumer.partitions_for_topic(topic)
        if numbers is None and cluster._last_successful_refresh_ms == before:
            # kafka-python hides that a request has failed. It returns the same as for a topic that does not exist.
            raise Unavailable(f"Kafka did not answer which partitions topic {topic} has")
        return [Partition(topic, number) for number in sorted(numbers or ())]

    def beginnings(self, partitions: Sequence[Partition]) -> dict[Partition, int]:
        return self._offsets(self._consumer.beginning_offsets, partitions)

    def ends(self, partitions: Sequence[Partition]) -> dict[Partition, int]:
        return self._offsets(self._consumer.end_offsets, partitions)

    def _offsets(
        self, ask: Callable[[Sequence[TopicPartition]], Mapping[TopicPartition, int]], partitions: Sequence[Partition]
    ) -> dict[Partition, int]:
        try:
            with translated():
                return ours(ask(list(map(theirs, partitions))))
        except KeyError as missing:
            raise Unavailable(f"Kafka does not know {missing}") from None

    def offsets_at(self, partitions: Sequence[Partition], milliseconds: int) -> dict[Partition, int]:
        with translated():
            found = self._consumer.offsets_for_times({theirs(partition): milliseconds for partition in partitions})
        ends = self.ends(partitions)
        return {
            Partition(*partition): ends[Partition(*partition)] if at is None else at.offset
            for partition, at in found.items()
        }

    def committed(self, group: str, partitions: Sequence[Partition]) -> dict[Partition, int]:
        with translated():
            if group not in self._groups:
                self._groups[group] = GroupOffsets(group, self._options)
            try:
                return self._groups[group].committed(partitions)
            except BaseException:
                self._groups.pop(group).close()
                raise

    def close(self) -> None:
        self._consumer.close(autocommit=False)
        for offsets in self._groups.values():
            offsets.close()


def fetch(consumer: KafkaConsumer, seconds: float, waiting: Waiting) -> list[Fetched]:
    """Poll once. Return the messages by topic."""
    started = time.perf_counter()
    with translated():
        polled = waiting(lambda: consumer.poll(timeout_ms=round(seconds * 1000)))
    took = time.perf_counter() - started
    topics: dict[str, list[Message]] = {}
    next_offsets: dict[str, dict[Partition, int]] = {}
    for partition, messages in polled.items():
        if messages:
            topics.setdefault(partition.topic, []).extend(messages)
            next_offsets.setdefault(partition.topic, {})[Partition(*partition)] = messages[-1].offset + 1
    return [_columns(topic, messages, next_offsets[topic], took) for topic, messages in topics.items()]


def _columns(topic: str, messages: list[Message], next_offsets: dict[Partition, int], seconds: float) -> Fetched:
    offsets, partitions, keys, values = zip(*messages, strict=True)
    return Fetched(topic, partitions, offsets, keys, values, next_offsets, seconds)
