"""Sends with librdkafka. librdkafka reports each message, but the caller gets one delivery for all its messages."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from types import MappingProxyType
from typing import Any

from confluent_kafka import KafkaError, Producer

from messaging.clients.confluent.delivery import ConfluentDelivery, Failure, Part
from messaging.clients.confluent.errors import translate, translated
from messaging.clients.confluent.limits import TopicLimits, patiently
from messaging.clients.confluent.producers import CONNECT_SECONDS, Producers
from messaging.clients.errors import ClientError, Refused, Unavailable
from messaging.clients.protocols import Waiting

MOST_QUEUED = 100_000
"""The maximum number of messages under way. librdkafka's own limit is higher. At its own limit, librdkafka
would take later messages of a batch and leave out earlier ones."""

AT_ONCE = 1000
"""The maximum number of messages for librdkafka in one call. The call then takes about 1 ms."""

UNKNOWN = frozenset({KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION})
"""librdkafka's errors if a broker does not know the topic. A broker that has just started may not know it yet."""

FLUSH_SLEEP = 0.001

KNOWN_SECONDS = 60
"""How long a topic's number of partitions is remembered, in seconds. librdkafka would ask Kafka each time."""


class ConfluentProducer:
    """An idempotent producer. Safe to be used by many threads, because librdkafka's producer is."""

    def __init__(self, options: Mapping[str, object], limits: TopicLimits, waiting: Waiting):
        self._waiting = waiting
        self._producers = Producers(options, limits, waiting)
        self._counts: dict[str, tuple[int, float]] = {}
        """The number of partitions of each topic, and the time when it must be asked for again."""

    @property
    def sent_again(self) -> Mapping[str, int]:
        """Always empty: librdkafka reports no second attempts. Kafka drops the duplicates of an idempotent producer."""
        return MappingProxyType({})

    def partitions(self, topic: str) -> int:
        count, until = self._counts.get(topic, (0, 0.0))
        if time.monotonic() >= until:
            producer = self._producers.of(topic)
            ask = partial(partitions_of, producer, topic, self._waiting)
            try:
                count = ask() if count else patiently(ask)
            except Unavailable:
                if not count:  # a known count stays valid while Kafka is down, and messages can wait in the queue
                    raise
            self._counts[topic] = count, time.monotonic() + KNOWN_SECONDS
        return count

    def send(
        self,
        topic: str,
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
        partitions: Sequence[int],
    ) -> ConfluentDelivery:
        producer = self._producers.of(topic)
        parts = []
        failures = _nothing_to_send(keys, values)
        for number, indices in by_partition(partitions).items():
            indices = [index for index in indices if index not in failures] if failures else indices
            parts.append(Part(indices, 0))
            for start in range(0, len(indices), AT_ONCE):
                some = indices[start : start + AT_ONCE]
                rejected = self._hand_over(producer, topic, number, messages_at(some, keys, values), parts[-1])
                failures.update((some[at], error) for at, error in rejected.items())
        if len(failures) == len(keys) and all(isinstance(error, Unavailable) for error in failures.values()):
            for error in failures.values():
                raise error
        serve, explain = partial(_serve, producer), partial(self._explain, topic)
        return ConfluentDelivery(keys, values, parts, failures, serve, explain)

    def _hand_over(
        self, producer: Producer, topic: str, number: int, messages: list[dict[str, Any]], part: Part
    ) -> dict[int, ClientError]:
        """Hand over the messages of one partition. Return the errors of those that were not taken, by index."""
        rejected: dict[int, ClientError] = {}
        with translated():
            room = MOST_QUEUED - len(producer)
            part.left += len(messages)
            taken = self._produce(producer, topic, number, messages[:room], part) if room > 0 else 0
        if taken < len(messages):
            for at, message in enumerate(messages):
                if at >= room:
                    rejected[at] = Unavailable(f"{MOST_QUEUED} messages are under way already")
                elif "_error" in message:
                    rejected[at] = translate(message["_error"])
                    if message["_error"].code() == KafkaError._FATAL:
                        self._producers.retire(producer)
            part.left -= len(rejected)
        return rejected

    def _produce(self, producer: Producer, topic: str, number: int, messages: list[dict[str, Any]], part: Part) -> int:
        """Return how many messages librdkafka takes. If it does not know the topic, ask Kafka and try once more."""
        taken = producer.produce_batch(topic, messages, number, part.report)
        error = messages[0].get("_error")
        if not taken and error and error.code() in UNKNOWN:
            with suppress(Unavailable):
                partitions_of(producer, topic, self._waiting)
            for message in messages:
                message.pop("_error", None)
            taken = producer.produce_batch(topic, messages, number, part.report)
        return taken

    def _explain(self, topic: str, failure: Failure) -> ClientError:
        """Return our error for a failed message.

        If the topic's limit was lowered, the error is Unavailable, not TooLarge, because the message may fit in a
        smaller batch.
        """
        error, key, value = failure
        if self._producers.limits.is_outgrown(topic, error, key, value):
            return Unavailable(f"topic {topic} takes smaller batches than before")
        return translate(error)

    def flush(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not self._is_idle():
            if time.monotonic() > deadline:
                return False
            time.sleep(FLUSH_SLEEP)
        return True

    def _is_idle(self) -> bool:
        for producer in self._producers.all():
            _serve(producer)
        return not any(map(len, self._producers.all()))

    def close(self, seconds: float) -> None:
        with suppress(RuntimeError):  # raised if it is closed already
            self.flush(seconds)
        self._producers.close()


def partitions_of(producer: Producer, topic: str, waiting: Waiting) -> int:
    """Return how many partitions a topic has. Raises Unavailable, also if the topic does not exist."""
    with translated():
        found = waiting(lambda: producer.list_topics(topic, CONNECT_SECONDS)).topics[topic]
    if not found.partitions:
        raise Unavailable(f"there is no topic {topic}: {found.error}")
    return len(found.partitions)


def by_partition(partitions: Sequence[int]) -> dict[int, Sequence[int]]:
    """Return the indices of each partition's messages, in ascending order."""
    if partitions and partitions.count(partitions[0]) == len(partitions):
        return {partitions[0]: range(len(partitions))}
    indices: dict[int, list[int]] = {}
    for index, number in enumerate(partitions):
        indices.setdefault(number, []).append(index)
    return dict(indices)


def messages_at(
    indices: Sequence[int], keys: Sequence[bytes | None], values: Sequence[bytes | None]
) -> list[dict[str, Any]]:
    """Return the messages at these indices in librdkafka's format."""
    if isinstance(indices, range):  # the messages are next to each other, so a slice is enough
        some = slice(indices.start, indices.stop)
        return [{"key": key, "value": value} for key, value in zip(keys[some], values[some], strict=True)]
    return [{"key": keys[index], "value": values[index]} for index in indices]


def _nothing_to_send(keys: Sequence[bytes | None], values: Sequence[bytes | None]) -> dict[int, ClientError]:
    """Return an error for each message without key and value, by index. kafka-python cannot send these either."""
    if None not in values:
        return {}
    refused = Refused("a message must have a key or a value")
    return {index: refused for index, message in enumerate(zip(keys, values, strict=True)) if message == (None, None)}


def _serve(producer: Producer) -> None:
    """Let librdkafka call its callbacks with the results of messages."""
    with suppress(RuntimeError):  # the producer is closed, and everything was reported
        producer.poll(0)
