"""Finds the largest batch size that a topic takes.

librdkafka has one batch size for each producer. If Kafka refuses a batch as too large, all messages in it fail.
"""

import time
from collections.abc import Callable, Iterable
from contextlib import closing
from functools import partial
from typing import TypeVar

from confluent_kafka import KafkaError

from messaging.clients.confluent.errors import TOO_LARGE
from messaging.clients.errors import Unavailable
from messaging.clients.kafka_python.admin import KafkaPythonAdmin

T = TypeVar("T")

TOPIC_SECONDS = 5
RETRY_SECONDS = 0.1

BATCH_OVERHEAD = 200
"""Batches stay this far below a topic's limit, in bytes."""

MESSAGE_OVERHEAD = 100
"""A batch of one message has at most this many bytes in addition to its key and value."""


class TopicLimits:
    """Asks Kafka once for the limit of each topic, and again when the limit was lowered."""

    def __init__(self, ask: Callable[[], KafkaPythonAdmin]):
        self._ask = ask
        self._known: dict[str, int] = {}
        self._outgrown: set[str] = set()

    def batch_size(self, topics: Iterable[str], most: int) -> int:
        """Return the largest batch size, up to `most`, that all of these topics take. Raises Unavailable."""
        for topic in topics:
            if topic not in self._known or topic in self._outgrown:
                self._known[topic] = patiently(partial(self._limit_of, topic))
                self._outgrown.discard(topic)
            most = min(most, self._known[topic] - BATCH_OVERHEAD)
        return max(1, most)

    def is_outgrown(self, topic: str | None, error: KafkaError, key: bytes | None, value: bytes | None) -> bool:
        """Return True if Kafka has refused a message as too large, although the message fits the known limit.

        This means that the limit was lowered. The next call of `batch_size` asks Kafka for the limit again.
        """
        size = len(key or b"") + len(value or b"") + MESSAGE_OVERHEAD
        if error.code() not in TOO_LARGE or topic is None or size > self._known.get(topic, 0):
            return False
        self._outgrown.add(topic)
        return True

    def _limit_of(self, topic: str) -> int:
        with closing(self._ask()) as limits:
            return limits.batch_limit(topic)


def patiently(ask: Callable[[], T]) -> T:
    """Return the result of `ask`. Brokers may learn of a new topic some time after its creation, so ask repeatedly.

    Raises Unavailable if `ask` does not succeed within TOPIC_SECONDS.
    """
    deadline = time.monotonic() + TOPIC_SECONDS
    while True:
        try:
            return ask()
        except Unavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(RETRY_SECONDS)
