"""Asks Kafka about its brokers, about the topics of ping and pong, and about the offsets of their consumer groups."""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from api.metrics.formulas import Past
from api.runs.janitor import GROUPS
from messaging.clients.protocols import Admin, Client, Partition, Reader

ANSWER_SECONDS = 2
"""The timeout for one answer of Kafka about the cluster, in seconds."""

Offsets = Mapping[Partition, int]


@dataclass(frozen=True)
class KafkaLook:
    """Kafka's answers at one moment.

    The offsets belong to the topics ping and pong. The consumer group of each topic has the same name as the topic.
    """

    at: float
    brokers: frozenset[int]
    leaders: Mapping[Partition, int]
    """The leading broker of each partition. All topics are included."""
    log_bytes: Mapping[int, Mapping[Partition, int]]
    """The bytes of each partition on the disks of each broker. All topics are included."""
    beginnings: Offsets
    ends: Offsets
    committed: Offsets
    lag_seconds: Mapping[Partition, float]


class KafkaLooks:
    """Asks Kafka, and keeps its connections open between two queries. Use each object in one thread only."""

    def __init__(self, client: Client):
        self._client = client
        self._admin: Admin | None = None
        self._reader: Reader | None = None
        self._pasts: dict[Partition, Past] = {}

    def __call__(self) -> KafkaLook:
        """Raises ClientError if Kafka does not answer."""
        try:
            return self._look()
        except BaseException:
            self._close()
            raise

    def _look(self) -> KafkaLook:
        self._admin = self._admin or self._client.admin(ANSWER_SECONDS)
        # The admin asks first, because its calls fail soon if Kafka is frozen. The reader would wait longer.
        cluster = self._admin.cluster()
        log_bytes = {broker: self._admin.log_bytes(broker) for broker in sorted(cluster.brokers)}
        reader = self._reader = self._reader or self._client.reader()
        partitions = sorted(partition for partition in cluster.leaders if partition.topic in GROUPS)
        # Ask for committed offsets before the ends. Otherwise a commit in between could make a lag negative.
        committed: dict[Partition, int] = {}
        for group in GROUPS:
            own = [partition for partition in partitions if partition.topic == group]
            committed |= reader.committed(group, own) if own else {}
        at, ends = time.time(), reader.ends(partitions)
        beginnings = reader.beginnings(partitions)
        return KafkaLook(
            at, cluster.brokers, cluster.leaders, log_bytes, beginnings, ends, committed,
            {p: self._lag_seconds(p, at, ends[p], max(committed[p], beginnings[p])) for p in partitions},
        )  # fmt: skip

    def _lag_seconds(self, partition: Partition, at: float, end: int, committed: int) -> float:
        return self._pasts.setdefault(partition, Past()).lag_seconds(at, end, committed)

    def _close(self) -> None:
        for opened in self._admin, self._reader:
            if opened is not None:
                with suppress(Exception):  # the connection is not used again, so an error does not matter
                    opened.close()
        self._admin = self._reader = None
