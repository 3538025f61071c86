"""The adapter for kafka-python 2.0.6, which comes with nameko-kafka."""

from collections.abc import Sequence

from messaging.clients.kafka_python.admin import KafkaPythonAdmin
from messaging.clients.kafka_python.consumer import KafkaPythonConsumer
from messaging.clients.kafka_python.producer import KafkaPythonProducer
from messaging.clients.kafka_python.reader import KafkaPythonReader
from messaging.clients.protocols import Waiting
from messaging.settings import KafkaSettings


def connect(settings: KafkaSettings, waiting: Waiting) -> "KafkaPython":
    return KafkaPython(settings, waiting)


class KafkaPython:
    """Makes producers, readers and consumers with the options of the settings."""

    def __init__(self, settings: KafkaSettings, waiting: Waiting):
        self._settings = settings
        self._waiting = waiting
        self.servers = settings.servers

    def producer(self, **options: object) -> KafkaPythonProducer:
        return KafkaPythonProducer({**self._settings.producer, "bootstrap_servers": self.servers, **options})

    def reader(self) -> KafkaPythonReader:
        return KafkaPythonReader({**self._consumer_options(), "group_id": None}, self._waiting)

    def consumer(self, group: str, topics: Sequence[str], **options: object) -> KafkaPythonConsumer:
        return KafkaPythonConsumer(topics, {**self._consumer_options(), "group_id": group, **options}, self._waiting)

    def admin(self, seconds: float = 10) -> KafkaPythonAdmin:
        return KafkaPythonAdmin(self.servers, seconds)

    def _consumer_options(self) -> dict[str, object]:
        return {**self._settings.consumer, "bootstrap_servers": self.servers}
