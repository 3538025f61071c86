"""What Kafka holds, asked by a client that is independent of the services."""

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from tests.integration.processes import eventually


class Record(NamedTuple):
    partition: int
    key: bytes | None
    value: bytes | None


class Ledger:
    """Reads topics from where they ended when this was made, others from their beginning."""

    def __init__(self, servers: str, topics: Iterable[str] = ()):
        self.servers = servers
        self._consumer = KafkaConsumer(bootstrap_servers=servers, enable_auto_commit=False)
        self._start = defaultdict(dict, {topic: self._ends(topic) for topic in topics})

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *_) -> None:
        self._consumer.close()

    def _partitions(self, topic: str) -> list[TopicPartition]:
        return [TopicPartition(topic, number) for number in self._consumer.partitions_for_topic(topic) or ()]

    def _ends(self, topic: str) -> dict[TopicPartition, int]:
        partitions = self._partitions(topic)
        return self._consumer.end_offsets(partitions) if partitions else {}

    def count(self, topic: str) -> int:
        """How many messages have come since."""
        return sum(self._ends(topic).values()) - sum(self._start[topic].values())

    def records(self, topic: str) -> list[Record]:
        """All messages that have come since, in the order of each partition."""
        ends = self._ends(topic)
        self._consumer.assign(list(ends))
        for partition in ends:
            self._consumer.seek(partition, self._start[topic].get(partition, 0))
        records = []
        while any(self._consumer.position(partition) < end for partition, end in ends.items()):
            for polled in self._consumer.poll(timeout_ms=1000, max_records=5000).values():
                records += [Record(r.partition, r.key, r.value) for r in polled]
        return records

    def starts(self, topic: str) -> dict[int, int]:
        """The offset from which each partition is read."""
        return {p.partition: self._start[topic].get(p, 0) for p in self._partitions(topic)}

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """The offset that a group has committed of each partition."""
        consumer = KafkaConsumer(bootstrap_servers=self.servers, group_id=group, enable_auto_commit=False)
        try:
            return {p.partition: consumer.committed(p) or 0 for p in self._partitions(topic)}
        finally:
            consumer.close()

    def lag(self, group: str, topic: str) -> int:
        """How many messages of a topic a group has not committed yet."""
        return sum(self._ends(topic).values()) - sum(self.committed(group, topic).values())

    def wait_until_consumed(self, seconds: float = 40) -> None:
        """Until pong and ping have committed all that is in their topics."""
        eventually(
            lambda: self.lag("pong", "pong") == self.lag("ping", "ping") == 0, seconds, "messages are not consumed"
        )


def produce(servers: str, topic: str, messages: Iterable[tuple[bytes | None, bytes | None]]) -> None:
    """Send key-value pairs as somebody else would."""
    producer = KafkaProducer(bootstrap_servers=servers, acks="all", max_request_size=2**21)
    futures = [producer.send(topic, value, key) for key, value in messages]
    producer.flush(30)
    producer.close()
    assert all(future.succeeded() for future in futures)
