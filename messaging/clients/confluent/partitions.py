"""Partitions and offsets in librdkafka's types."""

from collections.abc import Iterable, Mapping

from confluent_kafka import TopicPartition

from messaging.clients.protocols import Partition


def theirs(offsets: Mapping[Partition, int]) -> list[TopicPartition]:
    return [TopicPartition(topic, number, offset) for (topic, number), offset in offsets.items()]


def ours(partitions: Iterable[TopicPartition]) -> frozenset[Partition]:
    return frozenset(Partition(partition.topic, partition.partition) for partition in partitions)
