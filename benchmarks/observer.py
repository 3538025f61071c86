"""Asks Kafka what was delivered and handled: end offsets of topics, and committed offsets of groups."""

from collections.abc import Callable

from benchmarks import BenchmarkError
from local.waiting import wait_until
from messaging.clients.errors import ClientError
from messaging.clients.protocols import Client, Topic

PARTITIONS = 4
POLL_SECONDS = 0.02


class Observer:
    """Observes topics and groups, with connections that only it uses."""

    def __init__(self, client: Client):
        self._admin = client.admin()
        self._reader = client.reader()

    def renew(self, name: str, partitions: int = PARTITIONS) -> None:
        """Delete this topic, and create an empty topic with the same name.

        Kafka also deletes the committed offsets of the old topic.
        """
        self._admin.delete(name)
        # Kafka responds immediately, but needs some time to delete the old topic and to show the new one.
        must(lambda: self._admin.create(Topic(name, partitions, replicas=1)), f"topic {name} is created")
        must(lambda: len(self._reader.partitions(name)) == partitions, f"topic {name} has its partitions")

    def count(self, topic: str) -> int:
        """Return the sum of the topic's end offsets. It includes transaction markers and aborted messages."""
        return sum(self._reader.ends(self._reader.partitions(topic)).values())

    def lag(self, group: str, topic: str) -> int:
        """Return how many messages the group has not committed."""
        partitions = self._reader.partitions(topic)
        return self.count(topic) - sum(self._reader.committed(group, partitions).values())

    def is_stable(self, group: str) -> bool:
        """Return True if the members of the group have their partitions."""
        try:
            return self._admin.group_states([group])[group] == "Stable"
        except ClientError:  # Kafka may still be creating the topic for committed offsets
            return False

    def rewind(self, group: str, topic: str, messages: int) -> None:
        """Set the group's offsets back, so that this many messages are left. Each partition has an equal share."""
        ends = self._reader.ends(self._reader.partitions(topic))
        offsets = {partition: end - messages // len(ends) for partition, end in ends.items()}

        def commit() -> bool:
            try:
                self._admin.set_offsets(group, offsets)
                return True
            except ClientError:  # a member that was killed is still in the group
                return False

        must(commit, f"group {group} has no members")
        if self.lag(group, topic) != messages:
            raise BenchmarkError(f"{group} should have {messages} messages left, but has {self.lag(group, topic)}.")

    def close(self) -> None:
        self._reader.close()
        self._admin.close()


def must(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Wait until the condition is true. Raises BenchmarkError if it is not true after `seconds`."""
    if not wait_until(condition, seconds, POLL_SECONDS):
        raise BenchmarkError(f"Waited {seconds:.0f} s, but this did not happen: {what}.")
