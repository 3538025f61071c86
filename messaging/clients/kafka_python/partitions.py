"""Partitions and offsets in kafka-python's own types."""

from collections.abc import Mapping

from kafka import TopicPartition
from kafka.structs import OffsetAndMetadata

from messaging.clients.protocols import Partition


def theirs(partition: Partition) -> TopicPartition:
    return TopicPartition(partition.topic, partition.number)


def ours(offsets: Mapping[TopicPartition, int]) -> dict[Partition, int]:
    return {Partition(*partition): offset for partition, offset in offsets.items()}


def with_metadata(offsets: Mapping[Partition, int]) -> dict[TopicPartition, OffsetAndMetadata]:
    return {theirs(partition): OffsetAndMetadata(offset, "") for partition, offset in offsets.items()}
