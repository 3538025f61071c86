"""The adapter for kafka-python 2.0.6, which comes with nameko-kafka."""

import socket
from collections.abc import Sequence

from messaging.clients.kafka_python.admin import KafkaPythonAdmin
from messaging.clients.kafka_python.consumer import KafkaPythonConsumer
from messaging.clients.kafka_python.producer import KafkaPythonProducer
from messaging.clients.kafka_python.reader import KafkaPythonReader
from messaging.clients.protocols import Waiting
from messaging.settings import KafkaSettings

SOCKET_OPTIONS = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
if hasattr(socket, "TCP_SYNCNT"):
    # If the network drops packets, Linux tries to connect for two minutes, with growing pauses. With two repetitions it
    # gives up after 7 s, and kafka-python begins a new attempt.
    SOCKET_OPTIONS.append((socket.IPPROTO_TCP, socket.TCP_SYNCNT, 2))


def connect(settings: KafkaSettings, waiting: Waiting) -> "KafkaPython":
    return KafkaPython(settings, waiting)


class KafkaPython:
    """Makes producers, readers and consumers with the options of the settings."""

    def __init__(self, settings: KafkaSettings, waiting: Waiting):
        self._settings = settings
        self._waiting = waiting
        self.servers = settings.servers

    def producer(self, **options: object) -> KafkaPythonProducer:
        common = {"bootstrap_servers": self.servers, "socket_options": SOCKET_OPTIONS}
        return KafkaPythonProducer({**self._settings.producer, **common, **options})

    def reader(self) -> KafkaPythonReader:
        return KafkaPythonReader({**self._consumer_options(), "group_id": None}, self._waiting)

    def consumer(self, group: str, topics: Sequence[str], **options: object) -> KafkaPythonConsumer:
        return KafkaPythonConsumer(topics, {**self._consumer_options(), "group_id": group, **options}, self._waiting)

    def admin(self, seconds: float = 10) -> KafkaPythonAdmin:
        return KafkaPythonAdmin(self.servers, seconds)

    def _consumer_options(self) -> dict[str, object]:
        return {**self._settings.consumer, "bootstrap_servers": self.servers, "socket_options": SOCKET_OPTIONS}
