"""Connections to RabbitMQ on which every wait has a timeout."""

from typing import NamedTuple

from amqp import Channel
from amqp.exceptions import AMQPError, MessageNacked, NotFound
from kombu import Connection
from kombu.exceptions import OperationalError
from nameko.rpc import RPC_QUEUE_TEMPLATE

BROKEN = (OSError, AMQPError, OperationalError, MessageNacked)
"""One of these errors is raised if a connection to RabbitMQ fails or is lost, or RabbitMQ does not take a message."""


def connect(connection: Connection, seconds: float) -> None:
    """Connect. `seconds` is also the timeout of each later question to RabbitMQ. Raises one of BROKEN."""
    connection.transport_options = {"read_timeout": seconds, "write_timeout": seconds, "confirm_publish": True}
    connection.connect_timeout = seconds / 2
    # Two attempts in all. By default kombu would try for ever.
    connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0, interval_max=0)


class Queue(NamedTuple):
    """How many calls of a service wait in RabbitMQ, and how many instances take them."""

    messages: int
    consumers: int


def look_at_queue(channel: Channel, service: str) -> Queue:
    """Ask RabbitMQ for the queue of a service's calls."""
    try:
        declared = channel.queue_declare(RPC_QUEUE_TEMPLATE.format(service), passive=True)
    except NotFound:  # no instance has started yet; RabbitMQ has closed the channel, but amqp has reopened it
        return Queue(0, 0)
    return Queue(int(declared.message_count), int(declared.consumer_count))


def count_instances(channel: Channel, service: str) -> int:
    """Ask RabbitMQ how many instances of the service consume calls now."""
    return look_at_queue(channel, service).consumers


def timed_out(error: Exception) -> bool:
    return isinstance(error, TimeoutError | BlockingIOError)  # a socket with a write timeout raises BlockingIOError


def explain(error: Exception) -> str:
    return "no answer in time" if timed_out(error) else str(error)
