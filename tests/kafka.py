"""The project's Kafka clients for the tests, with the options of config.yml."""

from dataclasses import replace

from messaging import settings
from messaging.clients import connect
from messaging.clients.protocols import Client, Waiting, directly


def client_at(servers: str, waiting: Waiting = directly, library: str | None = None) -> Client:
    """Return a client for the brokers at this address. By default, its library is the one in KAFKA_CLIENT."""
    kafka = settings.load().kafka
    return connect(replace(kafka, servers=servers, client=library or kafka.client), waiting)
