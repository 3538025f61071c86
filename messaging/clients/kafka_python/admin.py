"""Topics and groups of a cluster, by kafka-python's admin client."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from kafka import KafkaConsumer
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import InvalidReplicationFactorError, TopicAlreadyExistsError, UnknownTopicOrPartitionError

from messaging.clients.errors import TooFewBrokers
from messaging.clients.kafka_python.errors import translated
from messaging.clients.kafka_python.partitions import theirs, with_metadata
from messaging.clients.protocols import Partition, Topic

# Naming a version saves asking the broker for it, which would take longer than the question itself.
BROKER_VERSION = 2, 5, 0


class KafkaPythonAdmin:
    def __init__(self, servers: str, seconds: float):
        self._servers = servers
        self._milliseconds = round(seconds * 1000)
        with translated():
            self._admin = KafkaAdminClient(
                bootstrap_servers=servers, api_version=BROKER_VERSION, request_timeout_ms=self._milliseconds
            )

    def create(self, topic: Topic) -> bool:
        new = NewTopic(topic.name, topic.partitions, topic.replicas, topic_configs=dict(topic.options))
        with translated():
            try:
                self._admin.create_topics([new], timeout_ms=self._milliseconds)
            except TopicAlreadyExistsError:
                return False
            except InvalidReplicationFactorError as error:
                raise TooFewBrokers(
                    f"REPLICATION_FACTOR must be at most the number of Kafka brokers that run, not {topic.replicas}."
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

    def close(self) -> None:
        self._admin.close()
