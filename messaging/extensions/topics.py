"""Lets a service send to one Kafka topic. Extends nameko-kafka's dependency provider, and limits its memory."""

from collections.abc import Callable
from contextlib import closing
from typing import Any, cast
from uuid import UUID

import nameko_kafka

from messaging.clients.errors import Unavailable
from messaging.clients.protocols import Client, Producer
from messaging.clients.protocols import Topic as NewTopic
from messaging.clients.transactions import TransactionalClient, TransactionalProducer
from messaging.delivery.answers import Answers
from messaging.delivery.calls import Call, RunSender
from messaging.delivery.exactly_once.sender import TransactionalSender
from messaging.delivery.forwarding import Forward, Forwarder, Planner
from messaging.delivery.metering import MeteredTransactions
from messaging.delivery.outbox import Outbox
from messaging.delivery.sender import Sender
from messaging.extensions.journal import RunJournal
from messaging.extensions.metrics import ServiceMetrics
from messaging.extensions.rpc import REDELIVERED
from messaging.extensions.starting import calm_garbage_collector, connected
from messaging.extensions.stopping import Stopping, settings_of
from messaging.journal.states import EXACTLY_ONCE, RUN_STATES
from messaging.runs.batch import Batch

CLOSE_SECONDS = 1


class Topic:
    """The topic that one worker of the service sends to."""

    def __init__(self, forward: Forward, sender: RunSender, redelivered: bool = False):
        self._forward = forward
        self._sender = sender
        self._redelivered = redelivered

    def forward(self, batch: Batch) -> Answers:
        """Send the messages of a batch to this topic, unchanged.

        The batch is done once Kafka has stored or refused them.
        """
        return self._forward(batch)

    def send_run(
        self,
        num_messages: int,
        size: int,
        run_id: str | None = None,
        queued: bool = False,
        created: int | None = None,
        rate: int | None = None,
    ) -> dict[str, float]:
        """Send a run of random messages, as `messaging.delivery.calls.RunSender` does. Return its five figures."""
        call = Call(num_messages, size, run_id, queued, created, self._redelivered, rate)
        return self._sender.send_run(call).as_json()


class TopicProducer(nameko_kafka.KafkaProducer):
    """Injects a `Topic`.

    `options` are options of kafka-python's producer, and override KAFKA_PRODUCER. With DELIVERY=exactly-once, `options`
    are ignored, and only KAFKA_PRODUCER applies.
    """

    stopping = Stopping()
    journal = RunJournal()
    metrics = ServiceMetrics()

    def __init__(self, topic: str, **options: Any):
        super().__init__(**options)
        self.options = options  # nameko-kafka's own copy leaves out options that are false
        self.topic_name = topic

    def setup(self) -> None:
        if settings_of(self.container).delivery == EXACTLY_ONCE:
            self._set_up_transactions()
        else:
            self._set_up()

    def _set_up(self) -> None:
        settings, name = settings_of(self.container), self.topic_name

        def make(client: Client) -> Producer:
            producer = client.producer(**self.options)
            # Makes the client remember the number of partitions, because it cannot ask Kafka during an outage.
            producer.partitions(name)
            return producer

        self._producer = self.metrics.metered(self._connected(make), name)
        outbox = Outbox(name, self._producer, self.stopping)
        journal = self.journal.opened()
        self._forward: Forward = Forwarder(name, self._producer, self.metrics.meter)
        self._sender: RunSender = Sender(self.container.service_name, outbox, journal, self.stopping, settings)

    def _set_up_transactions(self) -> None:
        """Prepare to send runs in their own transactions. Answers go into the consumer's transactions."""
        settings, name, service = settings_of(self.container), self.topic_name, self.container.service_name

        def make(client: Client) -> tuple[TransactionalClient, int]:
            with closing(client.reader()) as reader:
                partitions = len(reader.partitions(name))
            if not partitions:
                raise Unavailable(f"Kafka does not know topic {name} yet")
            return cast(TransactionalClient, client), partitions

        client, partitions = self._connected(make)
        topics = name, RUN_STATES
        meter = self.metrics.meter
        meter.begin(name)

        def connect(run: UUID) -> TransactionalProducer:
            return MeteredTransactions(client.transactional_producer(f"{service}-{run}", topics), meter)

        self._forward = Planner(name, partitions)
        self._sender = TransactionalSender(service, name, connect, self.journal.opened(), self.stopping, settings)

    def _connected(self, make: Callable[[Client], Any]) -> Any:
        settings = settings_of(self.container)
        topic = NewTopic(self.topic_name, settings.topic_partitions, settings.replication_factor)
        return connected(self.container, [topic], make, self.stopping)

    def start(self) -> None:
        calm_garbage_collector()

    def stop(self) -> None:
        if self._producer is not None:
            self._producer.close(CLOSE_SECONDS)  # the senders have waited as long as the stop allows

    kill = stop

    def get_dependency(self, worker_ctx: Any) -> Topic:
        redelivered = worker_ctx.data.get(REDELIVERED, False)
        return Topic(self._forward, self._sender, redelivered)
