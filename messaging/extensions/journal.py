"""The journal in a service's process: publishes counts every PUBLISH_SECONDS, and reads records for the senders."""

import threading

from eventlet.event import Event
from nameko.extensions import SharedExtension

from messaging.clients.protocols import Client, Producer
from messaging.delivery.journal import Journal
from messaging.extensions.starting import connected
from messaging.extensions.stopping import Stopping, settings_of
from messaging.journal.claims import Claims
from messaging.journal.past import PastReader
from messaging.journal.requests import requests_topic
from messaging.journal.requests_writer import RequestsWriter
from messaging.journal.states import states_topic
from messaging.journal.writer import JournalWriter

PUBLISH_SECONDS = 0.2
CLOSE_SECONDS = 1


class RunJournal(SharedExtension):
    """Each instance of a service has one."""

    stopping = Stopping()

    def __init__(self) -> None:
        self._opened: Event = Event()
        self._stopped = threading.Event()
        self._producer: Producer | None = None

    def opened(self) -> Journal:
        """Return the journal once it is open. Wait for that, because nameko sets up all extensions at the same time."""
        while not self._opened.ready():
            self._opened.wait()  # may return too early, see `in_a_thread`
        journal: Journal = self._opened.wait()
        return journal

    def setup(self) -> None:
        settings = settings_of(self.container)

        def make(client: Client) -> tuple[Client, Producer, JournalWriter]:
            producer = client.producer()
            name, library = self.container.service_name, settings.kafka.client
            # The writer needs the number of partitions. If Kafka does not know the topic yet, `connected` tries again.
            return client, producer, JournalWriter(producer, name, client=library, delivery=settings.delivery)

        replicas = settings.replication_factor
        topics = [requests_topic(replicas), states_topic(settings.topic_partitions, replicas)]
        client, producer, writer = connected(self.container, topics, make, self.stopping)
        self._producer = producer
        requests = RequestsWriter(lambda: producer)
        self._opened.send(Journal(writer, requests, Claims(client), PastReader(client, self.stopping)))

    def start(self) -> None:
        self.opened().claims.start()
        self.container.spawn_managed_thread(self._publish, identifier="journal")

    def stop(self) -> None:
        if self._producer is not None:
            self._stopped.set()
            self.opened().claims.stop()
            self._producer.close(CLOSE_SECONDS)

    kill = stop

    def _publish(self) -> None:
        writer = self.opened().writer
        while not self._stopped.wait(PUBLISH_SECONDS):
            writer.publish()
