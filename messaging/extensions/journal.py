"""The journal of a service's process: one writer, published on a clock, and one reader for its senders."""

import threading

from nameko.extensions import SharedExtension

from messaging.clients.protocols import Client, Producer
from messaging.extensions.starting import connected
from messaging.extensions.stopping import Stopping, settings_of
from messaging.journal.reader import SendersView
from messaging.journal.records import runs_topic
from messaging.journal.writer import JournalWriter

PUBLISH_SECONDS = 0.2
CLOSE_SECONDS = 1


class RunJournal(SharedExtension):
    """One per service."""

    stopping = Stopping()
    writer: JournalWriter
    past: SendersView

    _producer: Producer | None = None

    def setup(self) -> None:
        settings = settings_of(self.container)

        def make(client: Client) -> Producer:
            self.past = SendersView(client, settings.runs_kept)
            return client.producer()

        topics = [runs_topic(settings.replication_factor)]
        self._producer = connected(self.container, topics, make, self.stopping)
        self.writer = JournalWriter(self._producer, self.container.service_name)
        self._stopped = threading.Event()

    def start(self) -> None:
        self.past.start()
        self.container.spawn_managed_thread(self._publish, identifier="journal")

    def stop(self) -> None:
        if self._producer is not None:
            self._stopped.set()
            self.past.stop()
            self._producer.close(CLOSE_SECONDS)

    kill = stop

    def _publish(self) -> None:
        while not self._stopped.wait(PUBLISH_SECONDS):
            self.writer.publish()
