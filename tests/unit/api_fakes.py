"""Fakes for tests of runs: records for a `Run`, and the journal's two topics in memory."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import count
from typing import NamedTuple
from uuid import UUID, uuid4

from pyroaring import BitMap

from api.problems import no_kafka
from messaging.clients.protocols import Partition
from messaging.journal import requests
from messaging.journal.requests import PARTITION, RUN_REQUESTS, RequestRecord
from messaging.journal.requests_writer import RequestsWriter
from messaging.journal.states import RUN_STATES, SENT, Sender, State, state_key
from messaging.runs.request import Request
from messaging.runs.stage import Stage
from tests.unit.fakes import Delivery

CREATED = 1_700_000_000_000_000
"""In microseconds since the epoch, like all times here."""
RUN = UUID("3f1c3e9a-5b0c-4f7e-8a35-3d0a5f6f2b11")
CLAIM = "host:1/a.1"


def asked(
    service: str = "ping", num_messages: int = 10, size: int = 5, run: UUID | None = None, created=CREATED, rate=None
):
    return Request(run or uuid4(), service, num_messages, size, created, rate)


def seen(numbers: Iterable[int] = (), at: int | None = None, size: int = 5, failed: Iterable[int] = ()) -> Stage:
    """The state of a stage that has seen these messages, each 1 ms after it was sent."""
    stage, numbers = Stage(failed=BitMap(failed)), list(numbers)
    if numbers:
        at = at or CREATED + 1000
        stage.add(numbers, len(numbers) * size, [0] * len(numbers), [at - 1000] * len(numbers), at)
    return stage


def wait_until(condition: Callable[[], object]) -> None:
    """Wait for something that another thread will do."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "the condition was not true within 10 s"
        time.sleep(0.001)


@dataclass(frozen=True)
class StateRecord:
    """A record of topic `run-states`."""

    run: UUID
    stage: str
    key: str
    state: State
    offset: int


def apply(made: RequestRecord | StateRecord, run) -> None:
    """Give a record to a `Run`."""
    if isinstance(made, RequestRecord):
        run.apply_request(made)
    else:
        run.apply_state(made.stage, made.key, made.state, made.offset)


class Records:
    """Makes the records of one run. Their offsets count up from 1, unless others are given."""

    def __init__(self, request: Request, offsets: Iterable[int] | None = None):
        self.request = request
        self._offsets = iter(offsets or count(1))

    def accepted(self, token: str = "first") -> RequestRecord:
        return self._asked(requests.ACCEPTED, token, self.request)

    def queued(self, on_disk: bool = True) -> RequestRecord:
        return self._asked(requests.QUEUED, "" if on_disk else requests.IN_MEMORY)

    def claim(self, claim: str = CLAIM) -> RequestRecord:
        return self._asked(requests.CLAIM, claim, self.request)

    def stop(self) -> RequestRecord:
        return self._asked(requests.STOP)

    def failed(self, reason: str = "it was not queued") -> RequestRecord:
        return self._asked(requests.FAILED, reason=reason)

    def incomplete(self, reason: str, at: int | None = None) -> RequestRecord:
        return replace(self._asked(requests.INCOMPLETE, reason=reason), time=at or self.request.created)

    def sent(
        self,
        outcome: str,
        stage: Stage | None = None,
        reason=None,
        writer="host:1/a",
        claim=CLAIM,
        start=None,
        ended=None,
    ):
        sender = Sender(self.request, claim, outcome, reason, start=start, ended=ended)
        return StateRecord(self.request.run, SENT, writer, State(stage or seen(), sender), next(self._offsets))

    def stage(self, name: str, stage: Stage, writer: str = "host:1/a") -> StateRecord:
        return StateRecord(self.request.run, name, writer, State(stage), next(self._offsets))

    def _asked(self, kind: str, writer: str = "", request: Request | None = None, reason: str | None = None):
        return RequestRecord(self.request.run, kind, writer, request, reason, next(self._offsets))


class Raw(NamedTuple):
    offset: int
    key: bytes
    value: bytes


class Topics:
    """The journal in memory. Each API process has its own `journal()`. All of them read the same records in order."""

    def __init__(self):
        self.is_down = False
        self.records: dict[str, list[Raw]] = {RUN_REQUESTS: [], RUN_STATES: []}
        self.lock = threading.RLock()
        self._journals: list[MemoryJournal] = []
        self._held: dict[str, list[Raw]] = {}

    def journal(self) -> "MemoryJournal":
        self._journals.append(MemoryJournal(self))
        return self._journals[-1]

    def send(self, topic: str, keys: Sequence[bytes], values: Sequence[bytes], partitions: Sequence[int]) -> Delivery:
        """Take records, as a producer does."""
        with self.lock:
            for key, value in zip(keys, values, strict=True):
                offset = self.records[topic][-1].offset + 1 if self.records[topic] else 0
                self.records[topic].append(Raw(offset, key, value))
            self._tell()
        delivery = Delivery(len(keys))
        delivery.acknowledge()
        return delivery

    def add(self, made: RequestRecord | StateRecord) -> None:
        """Write a record, as another process would."""
        if isinstance(made, RequestRecord):
            self.send(RUN_REQUESTS, [made.key], [made.value], [0])
        else:
            self.send(RUN_STATES, [state_key(made.run, made.stage, made.key)], [made.state.encode()], [0])

    @contextmanager
    def held(self):
        """Within the block, new records are written, but nobody can read them."""
        with self.lock:
            self._held = {topic: list(records) for topic, records in self.records.items()}
        yield
        with self.lock:
            self._held = {}
            self._tell()

    def readable(self, topic: str) -> list[Raw]:
        """Return the records that a process can read now."""
        return (self._held or self.records)[topic]

    def compact(self) -> None:
        """Keep only the newest record of each key, as Kafka does some time later."""
        for topic, records in self.records.items():
            newest = {raw.key: raw for raw in records}
            self.records[topic] = sorted(newest.values())

    def kinds(self, run: UUID) -> list[str]:
        """The kinds of the records in `run-requests` about a run."""
        keys = [raw.key.decode().split("/") for raw in self.records[RUN_REQUESTS]]
        return [kind for run_id, kind, *_ in keys if run_id == str(run)]

    def _tell(self) -> None:
        for journal in self._journals:
            if not journal.lags:
                journal.read()


class MemoryJournal:
    """The journal of one API process.

    The journal reads every new record immediately. If it `lags`, it reads only on demand and after its own writes.
    """

    def __init__(self, topics: Topics):
        self.lags = False
        self._topics = topics
        self._writer = RequestsWriter(lambda: topics)
        self._apply: dict[str, Callable] = {}
        self._next: dict[str, int] = {}

    def start(self, apply: Callable) -> None:
        self.wait_until_requests_read()
        self._apply[RUN_REQUESTS] = apply
        self.read()

    def start_states(self, since_ms: int, apply: Callable) -> None:
        self._apply[RUN_STATES] = apply
        self.read()

    def read(self) -> None:
        """Read everything that is on record."""
        with self._topics.lock:
            for topic, apply in self._apply.items():
                partition = PARTITION if topic == RUN_REQUESTS else Partition(topic, 0)
                for raw in self._topics.readable(topic):
                    if raw.offset >= self._next.get(topic, 0):
                        self._next[topic] = raw.offset + 1
                        with suppress(Exception):  # like `Tail`, skip foreign records
                            apply(partition, *raw)

    def wait_until_requests_read(self, seconds: float = 0) -> None:
        if self._topics.is_down:
            raise no_kafka("it is down")

    wait_until_states_read = wait_until_requests_read

    def catch_up(self) -> None:
        self.wait_until_requests_read()
        self.read()

    def write(self, record: Callable[[RequestsWriter], Delivery], wait: bool = False) -> None:
        self.wait_until_requests_read()
        record(self._writer)
        if self.lags:
            self.read()
