"""The journal of a service's process: one writer, published on a clock, and one reader for its senders."""

import threading
from typing import NamedTuple

from eventlet.event import Event
from nameko.extensions import SharedExtension

from messaging.clients.protocols import Client, Producer
from messaging.extensions.starting import connected
from messaging.extensions.stopping import Stopping, settings_of
from messaging.journal.reader import SendersView
from messaging.journal.records import runs_topic
from messaging.journal.writer import JournalWriter

PUBLISH_SECONDS = 0.2
CLOSE_SECONDS = 1


class OpenJournal(NamedTuple):
    """Where a service puts on record what it has seen, and what its senders must know of others' records."""

    writer: JournalWriter
    past: SendersView


class RunJournal(SharedExtension):
    """One per service."""

    stopping = Stopping()

    def __init__(self) -> None:
        self._opened: Event = Event()
        self._stopped = threading.Event()
        self._producer: Producer | None = None

    def opened(self) -> OpenJournal:
        """Return the journal as soon as it is open: nameko sets up all extensions of a service at the same time."""
        journal: OpenJournal = self._opened.wait()
        return journal

    def setup(self) -> None:
        settings = settings_of(self.container)

        def make(client: Client) -> tuple[Client, Producer]:
            return client, client.producer()

        topics = [runs_topic(settings.replication_factor)]
        client, self._producer = connected(self.container, topics, make, self.stopping)
        writer = JournalWriter(self._producer, self.container.service_name)
        self._opened.send(OpenJournal(writer, SendersView(client, settings.runs_kept)))

    def start(self) -> None:
        self.opened().past.start()
        self.container.spawn_managed_thread(self._publish, identifier="journal")

    def stop(self) -> None:
        if self._producer is not None:
            self._stopped.set()
            self.opened().past.stop()
            self._producer.close(CLOSE_SECONDS)

    kill = stop

    def _publish(self) -> None:
        writer = self.opened().writer
        while not self._stopped.wait(PUBLISH_SECONDS):
            writer.publish()
