"""Ping: sends messages to topic `pong` when asked to, and consumes the answers in topic `ping`."""

from typing import Any

from messaging.extensions import ConsumerStats, TopicProducer, consume, rpc
from messaging.runs.batch import Batch


class PingService:
    name = "ping"

    pong_topic = TopicProducer("pong")
    stats = ConsumerStats()

    @rpc
    def send(self, num_messages: int, size: int, **run: Any) -> dict[str, float]:
        """Send messages of `size` bytes to pong; return the five figures. `run` is passed on to `Topic.send_run`."""
        return self.pong_topic.send_run(num_messages, size, **run)

    @consume("ping")
    def receive(self, batch: Batch) -> None:
        # This handler returns no answers. Otherwise messages would bounce for ever.
        self.stats.record(batch)
