"""Ping: sends messages to topic `pong` when asked to, and consumes what comes back in topic `ping`."""

from messaging import ConsumerStats, TopicProducer, consume, rpc


class PingService:
    name = "ping"

    pong_topic = TopicProducer("pong")
    stats = ConsumerStats()

    @rpc
    def send(self, num_messages, size, run_id=None, queued=False):
        """Send `num_messages` of `size` bytes to pong; the answer is that of `messaging.run.send_run`."""
        return self.pong_topic.send_run(num_messages, size, run_id, queued)

    @consume("ping")
    def receive(self, batch):
        # Answering nothing is what ends the loop.
        self.stats.record(batch)
