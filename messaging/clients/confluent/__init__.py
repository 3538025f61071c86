"""The adapter for confluent-kafka, which is librdkafka's Python client.

Every blocking call goes through the injected `Waiting`. In services, a callback may run in a native thread, where a
lock or a logger of eventlet would hang. So callbacks use neither.
"""

from collections.abc import Iterable, Sequence

from messaging.clients.confluent.consumer import ConfluentConsumer
from messaging.clients.confluent.limits import TopicLimits
from messaging.clients.confluent.options import consumer_options, producer_options
from messaging.clients.confluent.producer import ConfluentProducer
from messaging.clients.confluent.reader import ConfluentReader
from messaging.clients.confluent.transactions import ConfluentTransactionalProducer
from messaging.clients.kafka_python.admin import KafkaPythonAdmin
from messaging.clients.protocols import Waiting
from messaging.settings import KafkaSettings


def connect(settings: KafkaSettings, waiting: Waiting) -> "Confluent":
    return Confluent(settings, waiting)


class Confluent:
    """Makes producers, readers and consumers with the options of the settings."""

    def __init__(self, settings: KafkaSettings, waiting: Waiting):
        self._settings = settings
        self._waiting = waiting
        self._limits = TopicLimits(self.admin)
        self.servers = settings.servers

    def producer(self, **options: object) -> ConfluentProducer:
        translated = producer_options({**self._settings.producer, "bootstrap_servers": self.servers, **options})
        return ConfluentProducer(translated, self._limits, self._waiting)

    def reader(self) -> ConfluentReader:
        return ConfluentReader(self._consumer_options("no-group"), self._waiting)

    def consumer(self, group: str, topics: Sequence[str], **options: object) -> ConfluentConsumer:
        return ConfluentConsumer(topics, self._consumer_options(group, **options), self._waiting)

    def transactional_producer(self, transactional_id: str, topics: Iterable[str]) -> ConfluentTransactionalProducer:
        options = producer_options({**self._settings.producer, "bootstrap_servers": self.servers})
        options["batch.size"] = self._limits.batch_size(topics, int(str(options["batch.size"])))
        return ConfluentTransactionalProducer(transactional_id, options, self._limits, self._waiting)

    def admin(self, seconds: float = 10) -> KafkaPythonAdmin:
        """Return the admin of kafka-python, which nameko-kafka installs anyway.

        librdkafka's admin cannot ask for the sizes of logs, and its futures never wake a waiter under eventlet.
        """
        return KafkaPythonAdmin(self.servers, seconds)

    def _consumer_options(self, group: str, **options: object) -> dict[str, object]:
        ours = {**self._settings.consumer, "bootstrap_servers": self.servers, "group_id": group}
        return consumer_options({**ours, **options})
