"""Reads topics of the journal in a thread, up to their ends, and then each new record."""

import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from messaging.clients.errors import Transactional, Unavailable
from messaging.clients.protocols import Client, Partition, Reader

log = logging.getLogger(__name__)

POLL_SECONDS = 0.2
RETRY_SECONDS = 1

GIVE_UP = 4
"""If a worker exits with this code, gunicorn exits too instead of replacing the worker."""

Apply = Callable[[Partition, int, bytes | None, bytes | None], None]
"""Called with the partition, offset, key and value of each record."""

Start = Callable[[Reader], Mapping[Partition, int]]
"""Returns the partitions to read, each with the offset to start from."""


@contextmanager
def foreign_records_logged(topic: str, offset: int) -> Iterator[None]:
    """Log an exception instead of raising it."""
    try:
        yield
    except Exception as error:  # many types are possible: the record may be from another program or another version
        log.warning("topic %s, offset %d: not a record of a run: %r", topic, offset, error, extra={"topic": topic})


class Tail:
    """Hands every record to `apply`. A foreign record is logged and left out."""

    def __init__(self, client: Client, start: Start, apply: Apply):
        self._client = client
        self._where = start
        self._apply = apply
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._condition = threading.Condition()
        self._wanted = 1
        self._reached = 0
        self._next: dict[Partition, int] = {}

    def start(self) -> None:
        """Start the thread, unless it was started before."""
        with self._condition:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="journal tail", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        self._stopped.set()

    def wait_until_caught_up(self, seconds: float) -> bool:
        """Wait until the thread has read to the end for the first time. Return False after this many seconds."""
        with self._condition:
            return self._condition.wait_for(lambda: self._reached > 0, seconds)

    def catch_up(self, seconds: float) -> bool:
        """Wait until all current records are read. Return False after this many seconds."""
        with self._condition:
            self._wanted += 1
            wanted = self._wanted
            return self._condition.wait_for(lambda: self._reached >= wanted, seconds)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._read()
            except Transactional as error:
                log.critical("%s", error)
                os._exit(GIVE_UP)  # an exception in this thread would not end the process
            except Exception as error:  # any exception: this thread must go on
                log.warning("cannot read the record of runs, trying again: %r", error)
                self._stopped.wait(RETRY_SECONDS)

    def _read(self) -> None:
        reader = self._client.reader()
        try:
            if not self._next:
                self._next = dict(self._where(reader))
            if not self._next:
                raise Unavailable("Kafka does not know the topic yet")
            reader.assign(self._next)
            while not self._stopped.is_set():
                self._poll(reader, POLL_SECONDS)
                if self._reached < self._wanted:
                    self._read_to_end(reader)
        finally:
            reader.close()

    def _read_to_end(self, reader: Reader) -> None:
        wanted = self._wanted
        ends = reader.ends(list(self._next))
        while any(reader.position(partition) < end for partition, end in ends.items()):
            self._poll(reader, POLL_SECONDS)
            if self._stopped.is_set():
                return
        with self._condition:
            self._reached = wanted
            self._condition.notify_all()

    def _poll(self, reader: Reader, seconds: float) -> None:
        for fetched in reader.poll(seconds).fetched:
            columns = fetched.partitions, fetched.offsets, fetched.keys, fetched.values
            for number, offset, key, value in zip(*columns, strict=True):
                with foreign_records_logged(fetched.topic, offset):
                    self._apply(Partition(fetched.topic, number), offset, key, value)
            self._next.update(fetched.next_offsets)
