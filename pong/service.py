"""Pong: sends messages to topic `ping` when asked to, and answers each message of topic `pong` with one to `ping`."""

from messaging import ConsumerStats, TopicProducer, consume, rpc


class PongService:
    name = "pong"

    ping_topic = TopicProducer("ping")
    stats = ConsumerStats()

    @rpc
    def send(self, num_messages, size, run_id=None, queued=False):
        """Send `num_messages` of `size` bytes to ping; the answer is that of `messaging.run.send_run`."""
        return self.ping_topic.send_run(num_messages, size, run_id, queued)

    @consume("pong")
    def answer(self, batch):
        answers = self.ping_topic.forward(batch)
        self.stats.record(batch)
        return answers  # the batch is done once Kafka has acknowledged them all
