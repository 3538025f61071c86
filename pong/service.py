"""Pong: sends messages to topic `ping` when asked to, and answers each message of topic `pong` with one to `ping`."""

from typing import Any

from messaging.delivery.answers import Answers
from messaging.extensions import ConsumerStats, TopicProducer, consume, rpc
from messaging.runs.batch import Batch


class PongService:
    name = "pong"

    ping_topic = TopicProducer("ping")
    stats = ConsumerStats()

    @rpc
    def send(self, num_messages: int, size: int, **run: Any) -> dict[str, float]:
        """Send messages of `size` bytes to ping; return the five figures. `run` is passed on to `Topic.send_run`."""
        return self.ping_topic.send_run(num_messages, size, **run)

    @consume("pong")
    def answer(self, batch: Batch) -> Answers:
        answers = self.ping_topic.forward(batch)
        self.stats.record(batch)
        return answers  # the batch is done when Kafka has acknowledged or refused them
