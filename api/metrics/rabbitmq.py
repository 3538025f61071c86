"""Asks RabbitMQ how many calls wait for ping and pong, and how many instances of each service take calls."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from kombu import Connection

from api.readiness import SERVICES
from api.rpc.connection import BROKEN, Queue, connect, look_at_queue

ANSWER_SECONDS = 2
"""How long RabbitMQ may take for one answer."""


@dataclass(frozen=True)
class RabbitLook:
    """RabbitMQ's answers at one moment."""

    at: float
    queues: Mapping[str, Queue]
    """The queue of each service."""


class RabbitLooks:
    """Asks RabbitMQ, and keeps the connection for the next look. Each object belongs to one thread."""

    def __init__(self, amqp_uri: str):
        self._uri = amqp_uri
        self._connection: Connection | None = None

    def __call__(self) -> RabbitLook:
        """Raises one of `api.rpc.connection.BROKEN` if RabbitMQ does not answer."""
        try:
            return self._look()
        except BaseException:
            self._close()
            raise

    def _look(self) -> RabbitLook:
        if self._connection is None:
            self._connection = Connection(self._uri)
            connect(self._connection, ANSWER_SECONDS)
        with self._connection.channel() as channel:
            return RabbitLook(time.time(), {service: look_at_queue(channel, service) for service in SERVICES})

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.collect(0.1)
        self._connection = None


def waiting_calls(look: Callable[[], RabbitLook]) -> Collection[str]:
    """Return the services that have calls waiting in RabbitMQ.

    If RabbitMQ does not answer, return all services.
    """
    try:
        return [service for service, queue in look().queues.items() if queue.messages]
    except BROKEN:
        return SERVICES
