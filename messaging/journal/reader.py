"""Reads the topic `runs` from its start, in a thread, and goes on reading."""

import logging
import threading
import time
from collections.abc import Callable, Collection
from uuid import UUID

from pyroaring import BitMap

from messaging.clients.protocols import Client, Reader
from messaging.journal.records import KINDS, PARTITION, RUNS, SENT, STOP, Record, State, decode
from messaging.runs.stage import Stage, union

log = logging.getLogger(__name__)

POLL_SECONDS = 0.2


class JournalReader:
    """Hands every record of these kinds to `apply`, for as long as it runs."""

    def __init__(self, client: Client, apply: Callable[[Record], None], kinds: Collection[str] = KINDS):
        self._client = client
        self._apply = apply
        self._kinds = kinds
        self._stopped = threading.Event()
        self._caught_up = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start the thread, unless it was started before."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="journal reader", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        self._stopped.set()

    def wait_until_caught_up(self, seconds: float) -> bool:
        """Wait, no longer than this, until everything was read that was there at the start; return False if not."""
        return self._caught_up.wait(seconds)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._read()
            except Exception as error:  # any: without this thread the process would learn nothing any more
                log.warning("cannot read topic %s, trying again: %r", RUNS, error)
                time.sleep(1)

    def _read(self) -> None:
        reader = self._client.reader()
        try:
            reader.assign(reader.beginnings([PARTITION]))
            end = reader.ends([PARTITION])[PARTITION]
            while not self._stopped.is_set():
                if not self._caught_up.is_set() and reader.position(PARTITION) >= end:
                    self._caught_up.set()
                self._poll(reader)
        finally:
            reader.close()

    def _poll(self, reader: Reader) -> None:
        for fetched in reader.poll(POLL_SECONDS).fetched:
            for offset, key, value in zip(fetched.offsets, fetched.keys, fetched.values, strict=True):
                try:
                    record = decode(key, value, offset, self._kinds)
                    if record is not None:
                        self._apply(record)
                except Exception as error:  # somebody else's record, or one of another version
                    log.warning("topic %s, offset %d: not a record of a run: %r", RUNS, offset, error)


class SendersView:
    """What a sender must know of its runs: which are to stop, and what other instances have sent before it."""

    def __init__(self, client: Client, runs_kept: int):
        self._reader = JournalReader(client, self._remember, (STOP, SENT))
        self._runs_kept = runs_kept
        self._stops: set[UUID] = set()
        self._sent: dict[UUID, dict[str, Stage]] = {}

    def start(self) -> None:
        self._reader.start()

    def stop(self) -> None:
        self._reader.stop()

    def stop_asked(self, run: UUID) -> bool:
        """Return True if a user wants the sending of the run to end."""
        return run in self._stops

    def sent_before(self, run: UUID, seconds: float = 10) -> BitMap:
        """Return the numbers of the messages that Kafka has acknowledged to earlier instances, as far as on record."""
        self._reader.wait_until_caught_up(seconds)
        return union(self._sent.get(run, {}).values())

    def _remember(self, record: Record) -> None:
        if record.kind == STOP:
            self._stops.add(record.run)
        elif record.kind == SENT and isinstance(record.content, State):
            self._sent.setdefault(record.run, {})[record.writer] = record.content.stage
            while len(self._sent) > self._runs_kept:
                del self._sent[next(iter(self._sent))]
