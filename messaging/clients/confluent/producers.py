"""The librdkafka producers behind one producer of ours: one for each size of batches.

librdkafka does not split a batch that Kafka refuses as too large. It would fail all of its messages. So the batches of
a topic stay below the topic's limit.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from functools import partial
from typing import Protocol, TypeVar

from confluent_kafka import Producer

from messaging.clients.confluent.errors import translated
from messaging.clients.errors import Unavailable
from messaging.clients.protocols import Waiting

T = TypeVar("T")

CONNECT_SECONDS = 3
TOPIC_SECONDS = 5
RETRY_SECONDS = 0.1

BATCH_OVERHEAD = 200
"""Batches stay this many bytes below a topic's limit."""

MESSAGE_OVERHEAD = 100
"""A batch of one message has at most this many bytes in addition to key and value."""


class Limits(Protocol):
    """Says how large the batches of a topic may be."""

    def batch_limit(self, topic: str) -> int: ...
    def close(self) -> None: ...


class Producers:
    def __init__(self, options: Mapping[str, object], limits: Callable[[], Limits], waiting: Waiting):
        self._options = dict(options)
        self._ask_limits = limits
        self._waiting = waiting
        self._limits: dict[str, int] = {}
        self._by_size: dict[int, Producer] = {}
        self._retired: list[Producer] = []
        self._batch_size = int(str(options.get("batch.size", 1_000_000)))
        self._is_closed = False
        producer = self._of_size(self._batch_size)
        with translated():
            waiting(lambda: producer.list_topics(timeout=CONNECT_SECONDS))

    def of(self, topic: str) -> Producer:
        """Return the producer for a topic. Asks Kafka for the topic's limit the first time. Raises Unavailable."""
        if topic not in self._limits and not self._is_closed:
            self._limits[topic] = patiently(partial(self._ask_limit, topic))
        most = self._limits.get(topic, self._batch_size) - BATCH_OVERHEAD
        return self._of_size(max(1, min(self._batch_size, most)))

    def _ask_limit(self, topic: str) -> int:
        with closing(self._ask_limits()) as limits:
            return limits.batch_limit(topic)

    def fits(self, topic: str, size: int) -> bool:
        """Return True if a message of this size (key and value) is within its topic's last known limit."""
        return size + MESSAGE_OVERHEAD <= self._limits.get(topic, 0)

    def forget(self, topic: str) -> None:
        """Ask for the topic's limit again, because it has changed."""
        self._limits.pop(topic, None)

    def retire(self, producer: Producer) -> None:
        """Use another one from now on. After a fatal error, an idempotent producer can send nothing."""
        for size, each in list(self._by_size.items()):
            if each is producer:
                self._retired.append(self._by_size.pop(size))

    def all(self) -> list[Producer]:
        return [*self._by_size.values(), *self._retired]

    def close(self) -> None:
        """Give up what is under way."""
        self._is_closed = True
        for producer in self.all():
            with suppress(RuntimeError):  # raised if it is closed already
                producer.purge()
                producer.poll(0)
                self._waiting(producer.close)

    def _of_size(self, size: int) -> Producer:
        if size not in self._by_size and not self._is_closed:
            with translated():
                self._by_size[size] = Producer({**self._options, "batch.size": size, "error_cb": _ignore})
        return self._by_size[size] if size in self._by_size else self.all()[0]


def patiently(ask: Callable[[], T]) -> T:
    """Return an answer about a topic. Brokers may learn of a new topic some time after it was created.

    Raises Unavailable if there is no answer for TOPIC_SECONDS.
    """
    deadline = time.monotonic() + TOPIC_SECONDS
    while True:
        try:
            return ask()
        except Unavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(RETRY_SECONDS)


def _ignore(error: object) -> None:
    """Replaces librdkafka's log of errors. The errors of messages are in their reports."""
