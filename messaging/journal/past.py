"""Reads what the earlier senders of a run have put on record. The next sender needs it."""

import threading
import time
from dataclasses import dataclass, field
from uuid import UUID

from pyroaring import BitMap

from messaging.clients.errors import Unavailable
from messaging.clients.protocols import Client, Partition, Reader
from messaging.journal.requests import PARTITION, RUN_REQUESTS, Standing, decode
from messaging.journal.states import (
    RUN_STATES,
    SENDING,
    SENT,
    YIELDED,
    Sender,
    State,
    parse_key,
    partition_of,
    start_of,
)
from messaging.journal.tail import foreign_records_logged
from messaging.runs.stage import union
from messaging.stopping import StopRequest

SLACK_MS = 60_000
"""How far the clocks of the API, of Kafka and of an instance may differ."""

POLL_SECONDS = 0.2


@dataclass
class Past:
    """The records of a run: its standing, and the newest state of stage `sent` for each state key."""

    standing: Standing = field(default_factory=Standing)
    states: dict[str, State] = field(default_factory=dict)

    def apply(self, topic: str, offset: int, key: bytes, value: bytes | None) -> None:
        """Take in a record of this topic. For a foreign record, raises an exception of any type."""
        if topic == RUN_REQUESTS:
            self.standing.apply(decode(key, value, offset))
            return
        run, stage, own = parse_key(key)
        if stage == SENT and value is not None:
            self.states[own] = State.decode(run, stage, value)

    @property
    def sent(self) -> BitMap:
        """The numbers of the messages that Kafka has acknowledged to any instance."""
        return union(state.stage for state in self.states.values())

    @property
    def first_sent(self) -> int | None:
        """When the first message was sent, in microseconds since the epoch. None if that is not on record."""
        return min((state.stage.first_sent for state in self.states.values() if state.stage.first_sent), default=None)

    @property
    def last_acknowledged(self) -> int:
        """When the last acknowledgement came, in microseconds since the epoch; 0 if none did."""
        return max((state.stage.last or 0 for state in self.states.values()), default=0)

    @property
    def ended(self) -> Sender | None:
        """The sender that has ended the run, if one has."""
        return next((s for s in self._senders if s.outcome not in (SENDING, YIELDED)), None)

    @property
    def start(self) -> int | None:
        """When message 0 of a paced run is due; None if it is not on record."""
        return start_of(self._senders)

    def has_yielded(self, claim: str) -> bool:
        """Return True if it is on record that the instance with this claim has stopped sending."""
        return any(sender.claim == claim and sender.outcome != SENDING for sender in self._senders)

    @property
    def _senders(self) -> list[Sender]:
        return [state.sender for state in self.states.values() if state.sender]


class PastReader:
    """Reads the past of runs, one at a time, with one reader that it keeps."""

    def __init__(self, client: Client, stop: StopRequest):
        self._client = client
        self._stop = stop
        self._reader: Reader | None = None
        self._lock = threading.Lock()

    def read(self, run: UUID, created: int, seconds: float) -> Past:
        """Return the past of a run that was created at this time (µs since the epoch).

        Raises Unavailable if that takes longer than `seconds`, or if a stop is overdue.
        """
        seconds = max(0.0, seconds)
        deadline = time.monotonic() + seconds
        if not self._stop.wait(lambda slice_: self._lock.acquire(timeout=slice_), seconds):
            raise Unavailable(f"the record of run {run} was not read in time")
        try:
            self._reader = self._reader or self._client.reader()
            return self._read(self._reader, run, created, deadline)
        except Unavailable:
            self._drop()
            raise
        finally:
            self._lock.release()

    def close(self) -> None:
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    def _read(self, reader: Reader, run: UUID, created: int, deadline: float) -> Past:
        past = Past()
        count = len(reader.partitions(RUN_STATES))
        if not count:
            raise Unavailable(f"Kafka does not know topic {RUN_STATES} yet")
        partitions = [PARTITION, Partition(RUN_STATES, partition_of(run, count))]
        ends = reader.ends(partitions)
        reader.assign(reader.offsets_at(partitions, created // 1000 - SLACK_MS))
        prefix = str(run).encode()
        while any(reader.position(partition) < end for partition, end in ends.items()):
            if time.monotonic() > deadline or self._stop.overdue:
                raise Unavailable(f"the record of run {run} was not read in time")
            for fetched in reader.poll(POLL_SECONDS).fetched:
                for offset, key, value in zip(fetched.offsets, fetched.keys, fetched.values, strict=True):
                    if key is not None and key.startswith(prefix):
                        with foreign_records_logged(fetched.topic, offset):
                            past.apply(fetched.topic, offset, key, value)
        return past
