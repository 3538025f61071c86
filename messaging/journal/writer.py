"""What a service has seen of each run, published to the topic `runs`.

One record per (run, stage, instance): the newest absolute state. An instance is one process from start to end. Offsets
are committed only after the state that has these messages in it was acknowledged, so nothing is committed that is not
on record.
"""

import logging
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from uuid import UUID

from messaging.clients.errors import ClientError
from messaging.clients.protocols import Delivery, Producer
from messaging.journal.records import RUNS, SENT, State, record_key
from messaging.runs.batch import Batch
from messaging.runs.request import Request
from messaging.runs.stage import Stage

log = logging.getLogger(__name__)

IDLE_SECONDS = 30
"""A published state that has not changed for this long is forgotten here; a later one begins anew."""

RETRY_SECONDS = 0.1
"""How long a flush waits after a failed publication."""


@dataclass
class Entry:
    """A state, and how far it is published: `changed` and `acknowledged` are numbers of the writer's changes."""

    instance: str
    stage: Stage = field(default_factory=Stage)
    request: Request | None = None
    outcome: str | None = None
    reason: str | None = None
    changed: int = 0
    acknowledged: int = 0
    publications: list[tuple[int, Delivery]] = field(default_factory=list)
    touched: float = 0.0

    def encode(self) -> bytes:
        return State(self.stage, self.request, self.outcome, self.reason).encode()


class JournalWriter:
    """Counts what a service has seen and publishes it. Safe to be used by many greenthreads."""

    def __init__(self, producer: Producer, service: str, clock: Callable[[], float] = time.monotonic):
        self._producer = producer
        self._service = service
        self._clock = clock
        self._process = f"{socket.gethostname()}:{os.getpid()}/{time.time_ns() // 1000}"
        self._entries: dict[tuple[UUID, str], Entry] = {}
        self._dirty: dict[tuple[UUID, str], Entry] = {}
        self._lock = threading.RLock()  # one publication at a time
        self._born = 0
        self.mark = 0
        """The number of changes so far, for `recorded`."""

    def received(self, batch: Batch) -> None:
        """Count a batch that the service's handler has done its work on."""
        self._count(f"{self._service}_received", batch)

    def answered(self, batch: Batch, failed: int) -> None:
        """Count a batch whose answers Kafka has acknowledged, except for the `failed` ones that it refused."""
        self._count(f"{self._service}_answered", batch, failed)

    def sent(self, run: UUID, numbers: Sequence[int], size: int, partition: int, time_sent: int) -> None:
        """Count messages of a run that Kafka has acknowledged now; `size` is that of all of them, in bytes."""
        now = time.time_ns() // 1000
        stage = self._entry(run, SENT).stage
        stage.add(numbers, size, {partition: len(numbers)}, [time_sent] * len(numbers), now)

    def begin(self, request: Request) -> None:
        """Note that this instance sends a run."""
        entry = self._entry(request.run, SENT)
        entry.request, entry.outcome = request, "sending"

    def end(self, run: UUID, outcome: str, reason: str | None = None, failed: int = 0) -> None:
        """Note how the sending of a run has ended: sent, failed or stopped."""
        entry = self._entry(run, SENT)
        entry.outcome, entry.reason, entry.stage.failed = outcome, reason, failed

    def publish(self) -> None:
        """Hand every changed state to the client."""
        with self._lock:
            for (run, stage), entry in list(self._dirty.items()):
                self._look_at(run, stage, entry)
                if entry.acknowledged < entry.changed and all(v < entry.changed for v, _ in entry.publications):
                    self._publish(run, stage, entry)
            self._forget()

    def recorded(self, mark: int) -> bool:
        """Return True once Kafka has acknowledged everything that was counted up to this mark."""
        for (run, stage), entry in list(self._dirty.items()):
            self._look_at(run, stage, entry)
        return all(entry.acknowledged >= min(mark, entry.changed) for entry in self._dirty.values())

    def flush(self, seconds: float) -> bool:
        """Publish, and wait until everything so far is on record, but no longer than this; return `recorded`."""
        mark = self.mark
        deadline = time.monotonic() + seconds
        self.publish()
        while not self.recorded(mark):
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self.publish()  # once more what has failed
            self._wait(left)
        return True

    def _count(self, stage: str, batch: Batch, failed: int = 0) -> None:
        now = time.time_ns() // 1000
        for part in batch.by_run():
            entry = self._entry(part.run, stage)
            entry.stage.add(part.numbers, part.size, Counter(part.partitions), part.sent_times, now)
            entry.stage.failed += failed
            failed = 0

    def _entry(self, run: UUID, stage: str) -> Entry:
        key = run, stage
        entry = self._entries.get(key)
        if entry is None:
            self._born += 1
            # The process alone is not enough: in containers its number repeats, and a forgotten state must stay.
            entry = self._entries[key] = Entry(f"{self._process}.{self._born}")
        self.mark += 1
        entry.changed = self.mark
        entry.touched = self._clock()
        self._dirty[key] = entry
        return entry

    def _publish(self, run: UUID, stage: str, entry: Entry) -> None:
        try:
            delivery = self._producer.send(RUNS, [record_key(run, stage, entry.instance)], [entry.encode()], [0])
        except ClientError as error:
            log.warning("the state of run %s at %s was not published, trying again: %s", run, stage, error)
        else:
            entry.publications.append((entry.changed, delivery))

    def _wait(self, seconds: float) -> None:
        """Wait for a publication that is under way; after one that failed, wait a little before the next attempt."""
        under_way = next((delivery for entry in self._dirty.values() for _, delivery in entry.publications), None)
        if under_way is None or (under_way.wait(min(seconds, 1)) and under_way.failures):
            time.sleep(min(seconds, RETRY_SECONDS))

    def _look_at(self, run: UUID, stage: str, entry: Entry) -> None:
        """See which publications Kafka has acknowledged."""
        while entry.publications and entry.publications[0][1].done:
            version, delivery = entry.publications.pop(0)
            if delivery.failures:
                log.warning(
                    "the state of run %s at %s was not recorded, trying again: %s", run, stage, delivery.failures[0]
                )
            else:
                entry.acknowledged = version
        if entry.acknowledged == entry.changed:
            self._dirty.pop((run, stage), None)

    def _forget(self) -> None:
        now = self._clock()
        for key, entry in list(islice(self._entries.items(), 100)):  # the oldest come first
            # One record says what the run is and that it is being sent. It must not begin anew without that.
            idle = now - entry.touched > IDLE_SECONDS and entry.outcome != "sending"
            if idle and key not in self._dirty:
                del self._entries[key]
