"""The one door to Kafka. Nothing else imports a Kafka library."""

from importlib import import_module
from typing import cast

from messaging.clients.protocols import Client, Waiting, directly
from messaging.settings import KafkaSettings

ADAPTERS = {"kafka-python": "messaging.clients.kafka_python", "confluent-kafka": "messaging.clients.confluent"}
"""The module of each client library; its `connect` makes a `Client`."""


def connect(settings: KafkaSettings, waiting: Waiting = directly) -> Client:
    """Return a client of the library that the settings name. It opens no connection yet."""
    return cast(Client, import_module(ADAPTERS[settings.client]).connect(settings, waiting))
