"""The compacted topic `runs`: its keys, and reading it from its start.

A record's key is run/kind/writer. Kinds: `accepted` (by the API: what was asked for), `stop` (by the API), and the
stages of the run (by the services). It has one partition, so that all readers see the same order: of two requests for
one run the first record wins, everywhere.
"""

import json
import logging
import threading
import time
from collections.abc import Callable
from uuid import UUID

from kafka import KafkaConsumer, TopicPartition
from pyroaring import BitMap

from messaging.lifecycle import STARTUP_SECONDS, Stopping
from messaging.stage import numbers_of
from messaging.topics import ensure_topics

log = logging.getLogger(__name__)

RUNS = "runs"
PARTITION = TopicPartition(RUNS, 0)
RETENTION_MS = 7 * 24 * 3600 * 1000


ASKED = {"service", "num_messages", "size", "created"}
STATE = {"messages", "bytes", "failed", "first", "last", "numbers", "partitions", "latency"}
MEMBERS = {
    "accepted": ASKED,
    "stop": set(),
    "sent": STATE | ASKED | {"outcome"},
    "pong_received": STATE,
    "pong_answered": STATE,
    "ping_received": STATE,
}
"""What a record of each kind must have."""


def ensure_runs_topic(config: dict, stopping: Stopping, seconds: float = STARTUP_SECONDS) -> None:
    """Wait for Kafka, so long at most, then create the topic if it is absent."""
    servers = config["KAFKA_PRODUCER"]["bootstrap_servers"]
    options = {"cleanup.policy": "compact,delete", "retention.ms": str(RETENTION_MS), "segment.ms": "3600000"}
    ensure_topics([RUNS], servers, config | {"TOPIC_PARTITIONS": 1}, stopping, options, seconds)


def record_key(run: UUID, kind: str, writer: str = "") -> bytes:
    return f"{run}/{kind}/{writer}".encode()


def parse(key: bytes, value: bytes | None) -> tuple[UUID, str, str, dict | None]:
    """Run, kind, writer and what was recorded; ValueError if it is no record of ours."""
    if key is None:
        raise ValueError("no key")
    run, kind, writer = key.decode().split("/", 2)
    record = None if value is None else json.loads(value)
    if record is not None and not (isinstance(record, dict) and MEMBERS[kind] <= record.keys()):
        raise ValueError(f"members of {kind} are missing")
    return UUID(run), kind, writer, record


class TopicReader:
    """Reads the topic from its start in a thread of its own and hands over every record, for as long as it runs."""

    def __init__(self, config: dict, apply: Callable[[UUID, str, str, dict | None, int], None]):
        self._config = config
        self._apply = apply
        self._stopping = Stopping()
        self._caught_up = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start, unless it was started already."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="runs", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        self._stopping.ask()

    def wait_until_caught_up(self, seconds: float) -> bool:
        """Whether all that was there at the start has been read, after waiting so long at most."""
        return self._caught_up.wait(seconds)

    def _run(self) -> None:
        while not self._stopping.asked:
            try:
                self._read()
            except Exception as error:  # whatever it is: without this thread nothing is known any more
                log.warning("cannot read topic %s, trying again: %r", RUNS, error)
                time.sleep(1)

    def _read(self) -> None:
        options = {**self._config["KAFKA_CONSUMER"], "group_id": None, "max_poll_records": 2000}
        consumer = KafkaConsumer(**options)
        try:
            consumer.assign([PARTITION])
            consumer.seek_to_beginning(PARTITION)
            end = consumer.end_offsets([PARTITION])[PARTITION]
            while not self._stopping.asked:
                if not self._caught_up.is_set() and consumer.position(PARTITION) >= end:
                    self._caught_up.set()
                for record in consumer.poll(timeout_ms=200).get(PARTITION, ()):
                    try:
                        self._apply(*parse(record.key, record.value), record.offset)
                    except Exception as error:  # somebody else's, or of another version
                        log.warning("topic %s, offset %d: not a record of a run: %r", RUNS, record.offset, error)
        finally:
            consumer.close(autocommit=False)


class RunsReader(TopicReader):
    """What a sender must know: which runs are to stop, and which messages of a run others have sent before it."""

    def __init__(self, config: dict):
        super().__init__(config, self._remember)
        self._stops: set[UUID] = set()
        self._sent: dict[UUID, dict[str, dict]] = {}

    def stop_asked(self, run: UUID) -> bool:
        return run in self._stops

    def sent_before(self, run: UUID) -> BitMap:
        """The numbers of the messages that Kafka has acknowledged to earlier instances, as far as is on record."""
        return numbers_of(self._sent.get(run, {}).values())

    def _remember(self, run: UUID, kind: str, writer: str, value: dict | None, offset: int) -> None:
        if kind == "stop":
            self._stops.add(run)
        elif kind == "sent" and value is not None:
            self._sent.setdefault(run, {})[writer] = value
            while len(self._sent) > self._config["RUNS_KEPT"]:
                del self._sent[next(iter(self._sent))]
