"""Topics, groups and brokers of a cluster, by kafka-python's admin client."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from kafka import KafkaConsumer
from kafka.admin import ConfigResourceType, KafkaAdminClient, NewTopic
from kafka.errors import (
    InvalidReplicationFactorError,
    KafkaTimeoutError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)
from kafka.protocol.admin import DescribeConfigsRequest, DescribeLogDirsRequest
from kafka.protocol.metadata import MetadataRequest

from messaging.clients.errors import TooFewBrokers
from messaging.clients.kafka_python.errors import translated
from messaging.clients.kafka_python.partitions import theirs, with_metadata
from messaging.clients.protocols import Cluster, Partition, Topic

POLL_MS = 20


class AdminClient(KafkaAdminClient):
    """Gives up connecting after `request_timeout_ms`. KafkaAdminClient would try until the broker is back."""

    def _send_request_to_node(self, node_id: int | None, request: Any, wakeup: bool = True) -> Any:
        """Send a request to this broker (None: any), and return the future of its response."""
        client, deadline = self._client, time.monotonic() + self.config["request_timeout_ms"] / 1000
        while True:
            node = client.least_loaded_node() if node_id is None else node_id
            if node is not None and client.ready(node):
                return client.send(node, request, wakeup)
            client.poll(timeout_ms=POLL_MS)
            _raise_if_late(deadline)

    def ask(self, node_id: int | None, request: Any) -> Any:
        """Return the response of this broker (None: any)."""
        deadline = time.monotonic() + self.config["request_timeout_ms"] / 1000
        future = self._send_request_to_node(node_id, request)
        while not future.is_done:
            self._client.poll(timeout_ms=POLL_MS, future=future)
            _raise_if_late(deadline)
        if future.failed():
            raise future.exception
        return future.value


class KafkaPythonAdmin:
    def __init__(self, servers: str, seconds: float):
        self._servers = servers
        self._milliseconds = round(seconds * 1000)
        with translated():
            self._admin = AdminClient(bootstrap_servers=servers, request_timeout_ms=self._milliseconds)

    def create(self, topic: Topic) -> bool:
        new = NewTopic(topic.name, topic.partitions, topic.replicas, topic_configs=dict(topic.options))
        with translated():
            try:
                self._admin.create_topics([new], timeout_ms=self._milliseconds)
            except TopicAlreadyExistsError:
                return False
            except InvalidReplicationFactorError as error:
                raise TooFewBrokers(
                    f"REPLICATION_FACTOR is {topic.replicas}, but fewer Kafka brokers are running."
                    " Lower it, or start more brokers."
                ) from error
        return True

    def delete(self, topic: str) -> None:
        with translated(), suppress(UnknownTopicOrPartitionError):
            self._admin.delete_topics([topic], timeout_ms=self._milliseconds)

    def set_offsets(self, group: str, offsets: Mapping[Partition, int]) -> None:
        with translated():
            consumer = KafkaConsumer(bootstrap_servers=self._servers, group_id=group, enable_auto_commit=False)
            try:
                consumer.assign(list(map(theirs, offsets)))
                consumer.commit(with_metadata(offsets))
            finally:
                consumer.close(autocommit=False)

    def group_states(self, groups: Sequence[str]) -> dict[str, str]:
        with translated():
            return {group.group: group.state for group in self._admin.describe_consumer_groups(groups)}

    def cluster(self) -> Cluster:
        with translated():
            answer = self._admin.ask(None, MetadataRequest[5](topics=None, allow_auto_topic_creation=False))
        leaders = {
            Partition(topic, number): leader
            for _, topic, _, partitions in answer.topics
            for _, number, leader, *_ in partitions
            if leader >= 0
        }
        return Cluster(frozenset(node for node, *_ in answer.brokers), leaders)

    def log_bytes(self, broker: int) -> dict[Partition, int]:
        sizes: dict[Partition, int] = {}
        with translated():
            for error, _, topics in self._admin.ask(broker, DescribeLogDirsRequest[0]()).log_dirs:
                if error:
                    raise for_code(error)
                for topic, partitions in topics:
                    for number, size, *_ in partitions:
                        # While a partition moves to another disk, both disks contain it.
                        sizes[Partition(topic, number)] = sizes.get(Partition(topic, number), 0) + size
        return sizes

    def batch_limit(self, topic: str) -> int:
        """Return the largest batch that this topic takes, in bytes. Raises Unavailable, also if there is no topic."""
        resource = ConfigResourceType.TOPIC, topic, ["max.message.bytes"]
        with translated():
            answer = self._admin.ask(None, DescribeConfigsRequest[1](resources=[resource], include_synonyms=False))
            [(error, _, _, _, entries)] = answer.resources
            if error:
                raise for_code(error)
        return int(entries[0][1])

    def close(self) -> None:
        self._admin.close()


def _raise_if_late(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise KafkaTimeoutError("Kafka did not answer in time")
