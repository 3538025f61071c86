"""Takes messages from a consumer of librdkafka, and makes columns of them."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message

from messaging.clients.confluent.errors import translated
from messaging.clients.protocols import Fetched, Partition, Waiting

ANSWER_SECONDS = 1


def take(consumer: Consumer, most: int, seconds: float, waiting: Waiting) -> list[Message]:
    """Return up to `most` messages and events that have arrived. Wait at most `seconds` for the first one.

    librdkafka's `consume` with a timeout would wait until it has `most` messages, or until the timeout.
    """
    with translated():
        # Messages that have arrived already can be taken without a change of threads.
        messages = consumer.consume(most, 0)
        if messages or not seconds:
            time.sleep(0)  # lets other greenthreads run, even if there are always messages
            return messages
        return waiting(lambda: _wait(consumer, most, seconds))


def _wait(consumer: Consumer, most: int, seconds: float) -> list[Message]:
    first = consumer.poll(seconds)
    return [] if first is None else [first, *consumer.consume(most - 1, 0)]


def without_events(messages: list[Message], on_event: Callable[[KafkaError, Message], object]) -> list[Message]:
    """Return the messages without the events. Call `on_event` for each event."""
    if not any(map(Message.error, messages)):
        return messages
    for message in messages:
        if error := message.error():
            on_event(error, message)
    return [message for message in messages if not message.error()]


def ask_if_answering(consumer: Consumer, waiting: Waiting) -> None:
    """Raise Unavailable if Kafka does not respond.

    librdkafka has reported that all brokers are down. But it may have done so before this poll, and Kafka may be back.
    """
    with translated():
        waiting(lambda: consumer.list_topics(timeout=ANSWER_SECONDS))


def columns(messages: Sequence[Message], seconds: float) -> list[Fetched]:
    """Return the messages by topic, as columns."""
    topics: dict[Any, list[Message]] = {}
    if messages:
        names = list(map(Message.topic, messages))
        if len(set(names)) == 1:
            topics[names[0]] = list(messages)
        else:
            for name, message in zip(names, messages, strict=True):
                topics.setdefault(name, []).append(message)
    return [_columns(topic, of_topic, seconds) for topic, of_topic in topics.items()]


def _columns(topic: str, messages: Sequence[Message], seconds: float) -> Fetched:
    partitions: list[Any] = list(map(Message.partition, messages))
    offsets: list[Any] = list(map(Message.offset, messages))
    last = dict(zip(partitions, offsets, strict=True))  # the last offset of each partition
    next_offsets = {Partition(topic, number): offset + 1 for number, offset in last.items()}
    keys, values = list(map(Message.key, messages)), list(map(Message.value, messages))
    return Fetched(topic, partitions, offsets, keys, values, next_offsets, seconds)


def end_of(event: Message) -> dict[Partition, int]:
    """Return the partition whose end was reached, and the offset of that end."""
    topic, number, offset = event.topic(), event.partition(), event.offset()
    assert topic is not None
    assert number is not None
    assert offset is not None
    return {Partition(topic, number): offset}
