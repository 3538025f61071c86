"""What was really delivered, asked of Kafka: end offsets of topics, committed offsets of groups."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError
from kafka.structs import OffsetAndMetadata

from benchmarks import BenchmarkError
from local.waiting import wait_until

PARTITIONS = 4
STALLED_SECONDS = 30
POLL_SECONDS = 0.02


class Observer:
    """Sees from outside what is measured, over connections of its own."""

    def __init__(self, servers: str):
        self._servers = servers
        self._admin = KafkaAdminClient(bootstrap_servers=servers)
        self._consumer = KafkaConsumer(bootstrap_servers=servers)
        self._broker = self._admin.describe_cluster()["brokers"][0]["node_id"]

    def renew(self, topic: str) -> None:
        """Have this topic new and empty, with nothing committed."""
        if topic in self._admin.list_topics():
            self._admin.delete_topics([topic])

        def create() -> bool:
            try:
                self._admin.create_topics([NewTopic(topic, PARTITIONS, 1)])
                return True
            except TopicAlreadyExistsError:  # Kafka deletes the old one some time after it has said so
                return False

        must(create, f"topic {topic} is created")

    def count(self, topic: str) -> int:
        """How many messages are in the topic."""
        return sum(self._ends(topic).values())

    def lag(self, group: str, topic: str) -> int:
        """How many messages the group has not committed."""
        offsets = self._admin.list_consumer_group_offsets(group, self._broker)
        return sum(end - offsets[partition].offset if partition in offsets else end
                   for partition, end in self._ends(topic).items())  # fmt: skip

    def rewind(self, group: str, topic: str, messages: int) -> None:
        """Have the group committed all but so many messages, the same number in each partition."""
        offsets = {
            partition: OffsetAndMetadata(end - messages // PARTITIONS, "")
            for partition, end in self._ends(topic).items()
        }
        consumer = KafkaConsumer(bootstrap_servers=self._servers, group_id=group, enable_auto_commit=False)
        consumer.assign(offsets)

        def commit() -> bool:
            try:
                consumer.commit(offsets)
                return True
            except KafkaError:  # a member that was killed is still in the group
                return False

        must(commit, f"group {group} has no members")
        consumer.close(autocommit=False)
        if self.lag(group, topic) != messages:
            raise BenchmarkError(f"{messages} messages were to be left for {group}, not {self.lag(group, topic)}")

    def _ends(self, topic: str) -> dict[TopicPartition, int]:
        return self._consumer.end_offsets([TopicPartition(topic, number) for number in range(PARTITIONS)])


@dataclass
class Drain:
    """How a number of messages went down to 0, as seen from outside."""

    messages: int
    """From the first time it was seen to have gone down."""
    seconds: float
    """From then until it was first seen at 0."""

    @property
    def rate(self) -> float:
        """Messages per second; neither the start of a process counts, nor what it did by the first time."""
        return self.messages / self.seconds


def drain(left: Callable[[], int]) -> Drain:
    """Ask `left()` every POLL_SECONDS, which takes about 2 ms, until it is 0.

    Raises BenchmarkError if it stays the same for STALLED_SECONDS.
    """
    at_first = left()
    first = latest = (at_first, time.perf_counter())

    def changed() -> tuple[int, float] | None:
        seen = left(), time.perf_counter()
        return seen if seen[0] != latest[0] else None

    while latest[0] > 0:
        time.sleep(POLL_SECONDS)
        seen = wait_until(changed, STALLED_SECONDS, POLL_SECONDS)
        if not seen:
            raise BenchmarkError(f"{latest[0]} messages are left, and nothing was done for {STALLED_SECONDS} s")
        first = first if latest[0] < at_first else seen
        latest = seen
    return Drain(first[0] - latest[0], latest[1] - first[1])


def must(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Wait until the condition holds; raises BenchmarkError if that takes too long."""
    if not wait_until(condition, seconds, POLL_SECONDS):
        raise BenchmarkError(f"Waited {seconds} s in vain until {what}.")
