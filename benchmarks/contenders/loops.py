"""Plain kafka-python loops with the options of config.yml. The loops show how fast kafka-python is without our code.

`send` and `poll` use our code only to read config.yml. `fill` also sends with our code. Each loop runs in a separate
process, with native threads or with eventlet:

    python -m benchmarks.contenders.loops threads|eventlet send TOPIC NUM_MESSAGES
    python -m benchmarks.contenders.loops threads|eventlet poll TOPIC GROUP NUM_MESSAGES
    python -m benchmarks.contenders.loops threads fill TOPIC NUM_MESSAGES
"""

import os
import sys
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from messaging.settings import KafkaSettings

SIZE = 100
"""Bytes of each message's value."""

COMMIT_SECONDS = 0.2


def send(topic: str, num_messages: str) -> None:
    """Send and flush the messages, and check all futures. Print the seconds since the first send."""
    from kafka import KafkaProducer

    producer = KafkaProducer(**_kafka().producer)
    producer.partitions_for(topic)  # connect before the measurement, like the service
    value = os.urandom(SIZE)
    started = time.perf_counter()
    futures = [producer.send(topic, value) for _ in range(int(num_messages))]
    producer.flush()
    if not all(future.succeeded() for future in futures):
        sys.exit("not every message was acknowledged")
    print(time.perf_counter() - started)


def poll(topic: str, group: str, num_messages: str) -> None:
    """Poll this many messages and ignore them. Commit as often as the services do, and at the end."""
    from kafka import KafkaConsumer

    consumer = KafkaConsumer(topic, group_id=group, **_kafka().consumer)
    received, next_commit = 0, 0.0
    while received < int(num_messages):
        received += sum(map(len, consumer.poll(timeout_ms=100).values()))
        if time.perf_counter() >= next_commit:
            consumer.commit_async()
            next_commit = time.perf_counter() + COMMIT_SECONDS
    print(f"topic={topic} messages={received}", flush=True)  # `processes.handled` reads this line
    consumer.commit()
    consumer.close(autocommit=False)


def fill(topic: str, num_messages: str) -> None:
    """Send a run of stamped messages, as ping and pong do. The time is not measured."""
    from messaging.clients import connect
    from messaging.delivery.outbox import Outbox
    from messaging.extensions.starting import calm_garbage_collector
    from messaging.runs.request import Request
    from messaging.runs.sending import Sending
    from messaging.stopping import StopRequest

    calm_garbage_collector()
    stop = StopRequest()
    outbox = Outbox(topic, connect(_kafka()).producer(), stop)
    request = Request(uuid.uuid4(), "ping", int(num_messages), SIZE, time.time_ns() // 1000)
    Sending(request, outbox, stop, report=lambda *_: None).send()


def _kafka() -> "KafkaSettings":
    from messaging import settings

    return settings.load().kafka


def main() -> None:
    threading, loop, *arguments = sys.argv[1:]
    if threading == "eventlet":
        import eventlet

        eventlet.monkey_patch()  # before the functions import kafka
    loops: dict[str, Callable[..., None]] = {"send": send, "poll": poll, "fill": fill}
    loops[loop](*arguments)


if __name__ == "__main__":
    main()
