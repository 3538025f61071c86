"""A look at Kafka: its brokers, the topics of ping and pong, and how far their consumer groups are."""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from api.metrics.formulas import Past
from api.runs.janitor import GROUPS
from messaging.clients.protocols import Admin, Client, Partition, Reader

ANSWER_SECONDS = 2
"""How long Kafka may take for one answer about the cluster."""

Offsets = Mapping[Partition, int]


@dataclass(frozen=True)
class KafkaLook:
    """Kafka's answers at one moment. Offsets are of topics ping and pong. Their consumer groups have the same names."""

    at: float
    brokers: frozenset[int]
    leaders: Mapping[Partition, int]
    """The broker that leads each partition, of all topics."""
    log_bytes: Mapping[int, Mapping[Partition, int]]
    """For each broker, the bytes on its disks by partition, of all topics."""
    beginnings: Offsets
    ends: Offsets
    committed: Offsets
    lag_seconds: Mapping[Partition, float]


class KafkaLooks:
    """Asks Kafka, over connections that it keeps. Belongs to one thread."""

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
        committed: dict[Partition, int] = {}  # asked for before the ends, because a lag must not be negative
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
