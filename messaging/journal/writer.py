"""Publishes what a service has seen of each run to topic `run-states`.

There is one record per (run, stage, state key): the newest state, which has all counts so far. The offset of a message
is committed only after Kafka has acknowledged a state that counts the message. So every committed message of a run is
on record. There is one exception: if Kafka refuses a state for good, its messages are not on record. The log says so.
"""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import islice
from uuid import UUID

from pyroaring import BitMap

from messaging.clients.errors import ClientError, Refused
from messaging.clients.protocols import Delivery, Producer
from messaging.journal.counting import Counting, Name
from messaging.journal.states import (
    AT_LEAST_ONCE,
    KAFKA_PYTHON,
    RUN_STATES,
    SENDING,
    SENT,
    Sender,
    State,
    partition_of,
    state_key,
)
from messaging.runs.request import Request
from messaging.runs.sending import Acknowledged
from messaging.runs.stage import Stage

log = logging.getLogger(__name__)

IDLE_SECONDS = 30
"""A published state that has not changed for this long is forgotten. If more messages come, a new state begins."""

LARGEST_STATE = 256 * 1024
"""In bytes. A larger state is closed, and the stage continues in a new state with a new key."""

STATE_BYTES_PER_SECOND = 512 * 1024
"""`publish` skips a large state for a while, so that it stays below this rate."""


@dataclass
class Entry:
    """A state and its publications. `changed` is the writer's `mark` at the newest change.

    `acknowledged` is the `mark` of the newest version that Kafka has acknowledged.
    """

    key: str
    stage: Stage = field(default_factory=Stage)
    sender: Sender | None = None
    changed: int = 0
    acknowledged: int = 0
    recorded_messages: int = 0
    """How many messages are in the newest state that Kafka has acknowledged."""
    publications: list[tuple[int, int, Delivery]] = field(default_factory=list)
    """The publications under way. Each has the entry's `changed`, its number of messages, and the delivery."""
    touched: float = 0.0
    not_before: float = 0.0
    """Only `publish` skips the state until this time."""
    closed: bool = False

    @property
    def clean(self) -> bool:
        return self.acknowledged == self.changed


Wanted = Callable[[Name, Entry], bool]
"""Returns True for the entries to publish, or to wait for."""


class JournalWriter(Counting):
    """Counts what a service has seen, and publishes it. Safe to be used by many greenthreads."""

    def __init__(
        self,
        producer: Producer,
        service: str,
        clock: Callable[[], float] = time.monotonic,
        client: str = KAFKA_PYTHON,
        delivery: str = AT_LEAST_ONCE,
    ):
        self._producer = producer
        self._client = client
        self._delivery = delivery
        self._clock = clock
        self._service = service
        self.partitions = producer.partitions(RUN_STATES)
        self.process = f"{socket.gethostname()}:{os.getpid()}/{time.time_ns() // 1000}"
        """Identifies this process from start to end. The pid alone is not enough, because it repeats in containers."""
        self._entries: dict[Name, Entry] = {}
        self._dirty: dict[str, tuple[Name, Entry]] = {}
        self._lock = threading.RLock()  # one publication at a time
        self._born = 0
        self.mark = 0
        """The number of changes so far, for `recorded`."""

    def begin(self, request: Request, claim: str, start: int | None = None) -> None:
        """Remember that this instance sends a run with this claim. In a paced run, message 0 is due at `start`."""
        sender = Sender(request, claim, SENDING, client=self._client, delivery=self._delivery, start=start)
        self._entry((request.run, SENT)).sender = sender

    def sent(self, run: UUID, block: Acknowledged) -> None:
        """Count messages of a run that Kafka has acknowledged."""
        count = len(block.numbers)
        stage = self._entry((run, SENT)).stage
        stage.add(block.numbers, block.size, [block.partition] * count, block.sent_times, block.at)

    def end(
        self,
        run: UUID,
        outcome: str,
        reason: str | None = None,
        failed: BitMap | None = None,
        seconds: float | None = None,
    ) -> None:
        """Note how the sending of a run has ended at this instance."""
        entry = self._entry((run, SENT))
        if entry.sender:
            ended = time.time_ns() // 1000
            entry.sender = replace(entry.sender, outcome=outcome, reason=reason, seconds=seconds, ended=ended)
        entry.stage.failed = failed or BitMap()

    def keep_up(self, run: UUID, most: int) -> bool:
        """Return False if more than `most` sent messages are not on record. Publish if more than `most` / 2 are not."""
        name = run, SENT
        with self._lock:
            behind = 0
            for entry in [entry for each, entry in self._dirty.values() if each == name]:
                self._look_at(entry)
                behind += entry.stage.messages - entry.recorded_messages
                if behind > most // 2 and not entry.clean and not entry.publications:
                    self._publish(name, entry)
            return behind <= most

    def publish(self) -> None:
        """Hand the changed states to the client. Large states wait until their `not_before`."""
        now = self._clock()
        self._publish_if(lambda _, entry: now >= entry.not_before)
        with self._lock:
            self._forget()

    def recorded(self, mark: int) -> bool:
        """Return True once Kafka has acknowledged everything that was counted up to this mark."""
        return not self._missing(lambda _, entry: entry.acknowledged < min(mark, entry.changed))

    def flush(self, seconds: float, run: UUID | None = None) -> bool:
        """Publish, and wait at most this long until everything so far is on record. Return False if it takes longer.

        With `run`, wait only for the messages of that run that this instance has sent.
        """
        mark = self.mark
        deadline = time.monotonic() + seconds

        def wanted(name: Name, entry: Entry) -> bool:
            return (run is None or name == (run, SENT)) and entry.acknowledged < min(mark, entry.changed)

        while missing := self._missing(wanted):
            self._publish_if(wanted)  # publishes again what has failed
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            under_way = [delivery for entry in missing for _, _, delivery in entry.publications]
            if under_way:
                under_way[0].wait(min(left, 1))
            else:
                time.sleep(min(left, 0.05))
        return True

    def _missing(self, wanted: Wanted) -> list[Entry]:
        """Return the wanted entries that are not on record."""
        for _, entry in list(self._dirty.values()):
            self._look_at(entry)
        return [entry for name, entry in self._dirty.values() if wanted(name, entry)]

    def _publish_if(self, wanted: Wanted) -> None:
        with self._lock:
            for name, entry in list(self._dirty.values()):
                self._look_at(entry)
                is_new = all(version < entry.changed for version, _, _ in entry.publications)
                if not entry.clean and is_new and wanted(name, entry):
                    self._publish(name, entry)

    def _stage(self, name: Name) -> Stage:
        return self._entry(name).stage

    def _entry(self, name: Name) -> Entry:
        entry = self._entries.get(name)
        if entry is None or entry.closed:
            self._born += 1
            sender = entry.sender if entry else None
            stage = entry.stage.successor() if entry else Stage()
            entry = self._entries[name] = Entry(f"{self.process}.{self._born}", stage, sender)
        self.mark += 1
        entry.changed = self.mark
        entry.touched = self._clock()
        self._dirty[entry.key] = name, entry
        return entry

    def _publish(self, name: Name, entry: Entry) -> None:
        run, stage = name
        # `version` and `messages` describe `value`, so they are read before `send`. During `send`, other greenthreads
        # can count more messages.
        version, messages = entry.changed, entry.stage.messages
        value = State(entry.stage, entry.sender).encode()
        entry.closed = len(value) > LARGEST_STATE
        entry.not_before = self._clock() + len(value) / STATE_BYTES_PER_SECOND
        try:
            delivery = self._producer.send(
                RUN_STATES, [state_key(run, stage, entry.key)], [value], [partition_of(run, self.partitions)]
            )
        except ClientError as error:
            extra = {"run": str(run)}
            log.warning("the state of run %s at %s was not published, trying again: %s", run, stage, error, extra=extra)
        else:
            entry.publications.append((version, messages, delivery))

    def _look_at(self, entry: Entry) -> None:
        """Find out which publications Kafka has acknowledged.

        A refused publication counts as acknowledged, because it must not block commits.
        """
        while entry.publications and entry.publications[0][2].done:
            version, messages, delivery = entry.publications.pop(0)
            failure = delivery.failures.get(0)
            if failure is None or isinstance(failure, Refused):
                entry.acknowledged, entry.recorded_messages = version, messages
            if isinstance(failure, Refused):
                log.error("a state is not on record, because Kafka refuses it: %s", failure)
                entry.closed = True
            elif failure is not None:
                log.warning("a state was not recorded, trying again: %s", failure)
        if entry.clean:
            self._dirty.pop(entry.key, None)

    def _forget(self) -> None:
        now = self._clock()
        for name, entry in list(islice(self._entries.items(), 100)):  # the oldest come first
            # While a run is being sent, its state has the request and the claim. A new state would lack both.
            sending = entry.sender is not None and entry.sender.outcome == SENDING
            if now - entry.touched > IDLE_SECONDS and not sending and entry.key not in self._dirty:
                del self._entries[name]
