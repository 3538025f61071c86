"""Runs without brokers: records to feed the model with, and a journal in memory."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from itertools import count
from uuid import UUID, uuid4

from api.problems import no_kafka
from messaging.journal.records import ACCEPTED, SENT, STOP, Record, State, decode
from messaging.runs.request import Request
from messaging.runs.stage import Stage

CREATED = 1_700_000_000_000_000
"""In microseconds since the epoch, as all times here."""
RUN = UUID("3f1c3e9a-5b0c-4f7e-8a35-3d0a5f6f2b11")


def asked(service: str = "ping", num_messages: int = 10, size: int = 5, run: UUID | None = None, created=CREATED):
    return Request(run or uuid4(), service, num_messages, size, created)


def seen(numbers: Iterable[int] = (), at: int | None = None, size: int = 5) -> Stage:
    """The state of a stage that has seen these messages, each 1 ms after it was sent."""
    stage, numbers = Stage(), list(numbers)
    if numbers:
        at = at or CREATED + 1000
        stage.add(numbers, len(numbers) * size, Counter({0: len(numbers)}), [at - 1000] * len(numbers), at)
    return stage


def wait_until(condition: Callable[[], object]) -> None:
    """Wait for what another thread is about to do."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.001)


class Records:
    """Makes the records of one run, in their order."""

    def __init__(self, request: Request, offsets: Iterable[int] | None = None):
        self.request = request
        self._offsets = iter(offsets or count(1))

    def accepted(self, token: str = "first") -> Record:
        return self._record(ACCEPTED, token, self.request)

    def withdrawn(self, token: str = "first") -> Record:
        return Record(self.request.run, ACCEPTED, token, None, True, next(self._offsets))

    def stop(self) -> Record:
        return Record(self.request.run, STOP, "", None, False, next(self._offsets))

    def sent(self, outcome: str, stage: Stage | None = None, reason: str | None = None, writer="host:1/a") -> Record:
        return self._record(SENT, writer, State(stage or seen(), self.request, outcome, reason))

    def stage(self, name: str, stage: Stage, writer: str = "host:1/a") -> Record:
        return self._record(name, writer, State(stage))

    def _record(self, kind: str, writer: str, content: Request | State) -> Record:
        return Record(self.request.run, kind, writer, content, False, next(self._offsets))


class Topic:
    """The topic of runs in memory. Each API process has its own `journal()`; all of them read the same order."""

    def __init__(self):
        self.is_down = False
        self.records: list[Record] = []
        self._readers: list[Callable[[Record], None]] = []
        self._delivered = 0
        self._is_held = False
        self._lock = threading.RLock()

    def journal(self) -> "MemoryJournal":
        return MemoryJournal(self)

    def read(self, apply: Callable[[Record], None]) -> None:
        with self._lock:
            self._readers.append(apply)
            for old in self.records[: self._delivered]:
                apply(old)

    def write(self, key: bytes, value: bytes | None) -> None:
        with self._lock:
            self.records.append(decode(key, value, len(self.records)))
            self._deliver()

    def add(self, made: Record) -> None:
        """Write a record of somebody else."""
        with self._lock:
            self.records.append(Record(*list(vars(made).values())[:-1], len(self.records)))
            self._deliver()

    @contextmanager
    def held(self):
        """Within the block, records are written and not read back."""
        self._is_held = True
        yield
        with self._lock:
            self._is_held = False
            self._deliver()

    def kinds(self, run: UUID) -> list[str]:
        """What was written about a run: the kind of each record, and "withdrawn" for one that takes back another."""
        records = [made for made in self.records if made.run == run]
        return ["withdrawn" if made.withdrawn else made.kind for made in records]

    def _deliver(self) -> None:
        while not self._is_held and self._delivered < len(self.records):
            self._delivered += 1
            for apply in self._readers:
                apply(self.records[self._delivered - 1])


class MemoryJournal:
    """The journal of one API process."""

    def __init__(self, topic: Topic):
        self._topic = topic

    def start(self, apply: Callable[[Record], None]) -> None:
        self.wait_until_read()
        self._topic.read(apply)

    def wait_until_read(self) -> None:
        if self._topic.is_down:
            raise no_kafka("it is down")

    def write(self, key: bytes, value: bytes | None, wait: bool = False) -> None:
        self.wait_until_read()
        self._topic.write(key, value)
