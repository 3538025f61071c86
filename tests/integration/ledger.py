"""Reads topics and committed offsets from Kafka, without help from the services."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import cycle, islice
from typing import NamedTuple

from messaging.clients.protocols import Partition
from tests.integration.processes import eventually
from tests.kafka import client_at


class Record(NamedTuple):
    partition: int
    key: bytes | None
    value: bytes | None
    offset: int


class Ledger:
    """Reads new messages of `topics`, and all messages of other topics."""

    def __init__(self, servers: str, topics: Iterable[str] = ()):
        self.servers = servers
        self._reader = client_at(servers).reader()
        self._start = defaultdict(dict, {topic: self._ends(topic) for topic in topics})

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *_) -> None:
        self._reader.close()

    def _ends(self, topic: str) -> Mapping[Partition, int]:
        return self._reader.ends(self._reader.partitions(topic))

    def count(self, topic: str) -> int:
        """Return how many messages `records` returns. Offsets do not say this: transaction markers take offsets too."""
        return len(self.records(topic))

    def records(self, topic: str) -> list[Record]:
        """Read a topic from its `starts` to its end. Messages of the same partition are returned in order."""
        ends, reader = self._ends(topic), self._reader
        reader.assign({partition: self._start[topic].get(partition, 0) for partition in ends})
        records = []
        while any(reader.position(partition) < end for partition, end in ends.items()):
            for fetched in reader.poll(1).fetched:
                records += map(Record, fetched.partitions, fetched.keys, fetched.values, fetched.offsets)
        return records

    def starts(self, topic: str) -> dict[int, int]:
        """Return the offset from which each partition is read."""
        return {p.number: self._start[topic].get(p, 0) for p in self._reader.partitions(topic)}

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """Return the offset that a group has committed for each partition."""
        offsets = self._reader.committed(group, self._reader.partitions(topic))
        return {partition.number: offset for partition, offset in offsets.items()}

    def lag(self, group: str, topic: str) -> int:
        """Return how many offsets lie between the commits of a group and the end of a topic."""
        return sum(self._ends(topic).values()) - sum(self.committed(group, topic).values())

    def wait_until_consumed(self, seconds: float = 60) -> None:
        """Wait until pong and ping have committed everything in their topics."""
        eventually(
            lambda: self.lag("pong", "pong") == self.lag("ping", "ping") == 0, seconds, "messages are not consumed"
        )


def produce(servers: str, topic: str, messages: Iterable[tuple[bytes | None, bytes | None]]) -> None:
    """Send key-value pairs to the partitions in turn, as a foreign producer would."""
    keys, values = zip(*messages, strict=True)
    producer = client_at(servers).producer()
    partitions = islice(cycle(range(producer.partitions(topic))), len(keys))
    delivery = producer.send(topic, keys, values, list(partitions))
    producer.close(30)
    assert all(delivery.acknowledged)
