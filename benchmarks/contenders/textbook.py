"""The textbook design: nameko-kafka's own entrypoint. nameko starts a worker for each message.

This design sends, answers and counts like our ping and pong, in the simplest way. It does not record runs. TextbookPing
and TextbookPong count the messages that they receive. TextbookPong answers with the same key and value. Latencies are
computed from Kafka's timestamps, because that is cheaper than reading the stamp.
"""

import logging
import time
from collections.abc import Callable
from typing import Any

from nameko.extensions import DependencyProvider
from nameko_kafka import KafkaProducer, Semantic, consume


class Throughput(DependencyProvider):
    """Injects a function that counts messages. The function logs a line for every 100 messages."""

    def setup(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.started, self.messages, self.bytes, self.latency = time.perf_counter(), 0, 0, 0.0

    def get_dependency(self, worker_ctx: Any) -> Callable[[Any], None]:
        return self.count

    def count(self, message: Any) -> None:
        self.messages += 1
        self.bytes += len(message.value)
        self.latency = max(self.latency, time.time() * 1000 - message.timestamp)
        if self.messages == 100:
            seconds = time.perf_counter() - self.started
            logging.info(
                "topic=%s messages=100 message_rate=%.1f byte_rate=%.6f latency_max_ms=%.1f",
                message.topic, 100 / seconds, self.bytes / seconds / 1e6, self.latency,
            )  # fmt: skip
            self.begin()


class TextbookPing:
    name = "textbook_ping"

    producer = KafkaProducer()
    count = Throughput()

    @consume("ping", semantic=Semantic.AT_LEAST_ONCE, group_id="textbook_ping")
    def receive(self, message: Any) -> None:
        self.count(message)


class TextbookPong:
    name = "textbook_pong"

    producer = KafkaProducer()
    count = Throughput()

    @consume("pong", semantic=Semantic.AT_LEAST_ONCE, group_id="textbook_pong")
    def answer(self, message: Any) -> None:
        self.count(message)
        self.producer.send("ping", key=message.key, value=message.value)
