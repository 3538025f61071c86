"""Plain kafka-python loops with the options of config.yml: what the client can do with nothing around it.

Each runs in a process of its own, with native threads or monkey-patched by eventlet as nameko's services are:

    python -m benchmarks.loops threads|eventlet send TOPIC NUM_MESSAGES
    python -m benchmarks.loops threads|eventlet poll TOPIC GROUP NUM_MESSAGES
    python -m benchmarks.loops threads fill TOPIC NUM_MESSAGES
"""

import os
import sys
import time

SIZE = 100
"""Bytes of value in each message."""

COMMIT_SECONDS = 0.2


def send(topic: str, num_messages: str) -> None:
    """Send, flush and look at all futures; print how many seconds that took, from the first send on."""
    from kafka import KafkaProducer

    producer = KafkaProducer(**_config()["KAFKA_PRODUCER"])
    producer.partitions_for(topic)  # is connected, as the service is
    value = os.urandom(SIZE)
    started = time.perf_counter()
    futures = [producer.send(topic, value) for _ in range(int(num_messages))]
    producer.flush()
    if not all(future.succeeded() for future in futures):
        sys.exit("not every message was acknowledged")
    print(time.perf_counter() - started)


def poll(topic: str, group: str, num_messages: str) -> None:
    """Poll so many messages and do nothing with them; commit as often as the services do, and at the end."""
    from kafka import KafkaConsumer

    consumer = KafkaConsumer(topic, group_id=group, **_config()["KAFKA_CONSUMER"])
    received, next_commit = 0, 0.0
    while received < int(num_messages):
        received += sum(map(len, consumer.poll(timeout_ms=100).values()))
        if time.perf_counter() >= next_commit:
            consumer.commit_async()
            next_commit = time.perf_counter() + COMMIT_SECONDS
    print(f"topic={topic} messages={received}", flush=True)  # as the services say it
    consumer.commit()
    consumer.close(autocommit=False)


def fill(topic: str, num_messages: str) -> None:
    """Send a run of stamped messages, as ping and pong do; measures nothing."""
    from kafka import KafkaProducer

    from benchmarks.unrecorded import NoRecorder
    from messaging.lifecycle import Stopping, calm_garbage_collector
    from messaging.producer import Topic

    calm_garbage_collector()
    config = _config()
    producer = KafkaProducer(**config["KAFKA_PRODUCER"])
    Topic(topic, "ping", producer, NoRecorder(), Stopping(), config).send_run(int(num_messages), SIZE)


def _config() -> dict:
    from messaging import config

    return config.load()


def main() -> None:
    threading, loop, *arguments = sys.argv[1:]
    if threading == "eventlet":
        import eventlet

        eventlet.monkey_patch()  # before anything imports kafka: hence the imports inside the functions
    {"send": send, "poll": poll, "fill": fill}[loop](*arguments)


if __name__ == "__main__":
    main()
