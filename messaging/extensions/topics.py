"""Sending to a Kafka topic: nameko-kafka's dependency provider, bound to a topic and bounded in memory."""

from typing import Any

import nameko_kafka

from messaging.clients.protocols import Client, Producer
from messaging.clients.protocols import Topic as NewTopic
from messaging.delivery.answers import Answers, Columns, SentAnswers
from messaging.delivery.calls import Call
from messaging.delivery.metering import Meter
from messaging.delivery.outbox import Outbox
from messaging.delivery.record import Journal
from messaging.delivery.sender import Sender
from messaging.extensions.journal import RunJournal
from messaging.extensions.metrics import ServiceMetrics
from messaging.extensions.rpc import REDELIVERED
from messaging.extensions.starting import calm_garbage_collector, connected
from messaging.extensions.stopping import Stopping, settings_of
from messaging.runs.batch import Batch

CLOSE_SECONDS = 1


class Topic:
    """A topic to send to, for one call of the service."""

    def __init__(self, name: str, producer: Producer, sender: Sender, meter: Meter, redelivered: bool = False):
        self.name = name
        self._producer = producer
        self._sender = sender
        self._meter = meter
        self._redelivered = redelivered

    def forward(self, batch: Batch) -> Answers:
        """Send the messages of a batch on, keys and values unchanged, to the partitions of the same numbers.

        So the order within a partition stays the same from one topic to the next.
        """
        count = self._producer.partitions(self.name)
        partitions = [number % count for number in batch.partitions]
        return SentAnswers(self._hand_over, Columns(batch.keys, batch.values, partitions), on_again=self._note_again)

    def send_run(
        self,
        num_messages: int,
        size: int,
        run_id: str | None = None,
        queued: bool = False,
        created: int | None = None,
        rate: int | None = None,
    ) -> dict[str, float]:
        """Send a run of random messages and return its five figures; see `messaging.delivery.calls.RunSender`."""
        call = Call(num_messages, size, run_id, queued, created, self._redelivered, rate)
        return self._sender.send_run(call).as_json()

    def _hand_over(self, columns: Columns) -> Any:
        return self._producer.send(self.name, *columns)

    def _note_again(self, count: int) -> None:
        self._meter.sent_again[self.name] += count


class TopicProducer(nameko_kafka.KafkaProducer):
    """Injects a `Topic`. Options are kafka-python's, over those of KAFKA_PRODUCER in the configuration."""

    stopping = Stopping()
    journal = RunJournal()
    metrics = ServiceMetrics()

    def __init__(self, topic: str, **options: Any):
        super().__init__(**options)
        self.options = options  # nameko-kafka's own copy leaves out those that are false
        self._topic_name = topic

    def setup(self) -> None:
        settings = settings_of(self.container)
        topic = NewTopic(self._topic_name, settings.topic_partitions, settings.replication_factor)

        def make(client: Client) -> Producer:
            producer = client.producer(**self.options)
            producer.partitions(topic.name)  # asks now that Kafka is there; later the question could take a minute
            return producer

        self._producer = self.metrics.metered(connected(self.container, [topic], make, self.stopping), topic.name)
        outbox = Outbox(topic.name, self._producer, self.stopping)
        journal = Journal(*self.journal.opened())
        self._sender = Sender(self.container.service_name, outbox, journal, self.stopping, settings)

    def start(self) -> None:
        calm_garbage_collector()

    def stop(self) -> None:
        if self._producer is not None:
            self._producer.close(CLOSE_SECONDS)  # the senders have waited for everything that had to be acknowledged

    kill = stop

    def get_dependency(self, worker_ctx: Any) -> Topic:
        redelivered = worker_ctx.data.get(REDELIVERED, False)
        return Topic(self._topic_name, self._producer, self._sender, self.metrics.meter, redelivered)
