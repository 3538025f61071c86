"""Ping: sends messages to topic `pong` when asked to, and consumes what comes back in topic `ping`."""

from messaging.extensions import ConsumerStats, TopicProducer, consume, rpc
from messaging.runs.batch import Batch


class PingService:
    name = "ping"

    pong_topic = TopicProducer("pong")
    stats = ConsumerStats()

    @rpc
    def send(self, num_messages: int, size: int, run_id: str | None = None, queued: bool = False) -> dict[str, float]:
        """Send `num_messages` of `size` bytes to pong; returns the five figures."""
        return self.pong_topic.send_run(num_messages, size, run_id, queued)

    @consume("ping")
    def receive(self, batch: Batch) -> None:
        # Answering nothing is what ends the loop.
        self.stats.record(batch)
