"""Tells a sender quickly if one of its runs has a newer claim or was stopped."""

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from uuid import UUID

from messaging.clients.protocols import Client, Partition, Reader
from messaging.journal.requests import FAILED, PARTITION, STOP, Standing, decode
from messaging.journal.tail import Tail

ENDED_KEPT = 10_000
"""`Claims` remembers this many runs that were stopped or have failed: the newest ones."""

RECENT_MS = 600_000
"""How far back a process reads when it starts. So it knows the runs that were stopped or failed in this time."""


class Claims:
    """Reads the newest part of topic `run-requests`, keeps reading, and follows the watched runs."""

    def __init__(self, client: Client) -> None:
        self._tail = Tail(client, self._recent, self._apply)
        self._watched: dict[bytes, Standing] = {}  # by id, in the format of a record's key
        self._ended: OrderedDict[UUID, None] = OrderedDict()
        self._changed = threading.Condition()

    def start(self) -> None:
        self._tail.start()

    def stop(self) -> None:
        self._tail.stop()

    def wait_until_reading(self, seconds: float) -> bool:
        return self._tail.wait_until_caught_up(seconds)

    @contextmanager
    def watched(self, run: UUID) -> Iterator[Standing]:
        """Follow a run. All later records of the run update the standing that this returns."""
        key = str(run).encode()
        standing = self._watched[key] = Standing()
        try:
            yield standing
        finally:
            del self._watched[key]

    def is_ended(self, run: UUID) -> bool:
        """Return True if this process has read a stop or failure of the run."""
        return run in self._ended

    def wait_for_claim(self, standing: Standing, claim: str, seconds: float) -> bool:
        """Wait until this claim was read back. Return False after this many seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: claim in standing.claims, seconds)

    def catch_up(self, seconds: float) -> bool:
        """Wait until all current records are read. Return False after this many seconds."""
        return self._tail.catch_up(seconds)

    def _recent(self, reader: Reader) -> Mapping[Partition, int]:
        return reader.offsets_at([PARTITION], time.time_ns() // 1_000_000 - RECENT_MS)

    def _apply(self, partition: Partition, offset: int, key: bytes | None, value: bytes | None) -> None:
        run_id, kind, _ = (key or b"").split(b"/", 2)
        if kind not in (STOP.encode(), FAILED.encode()) and run_id not in self._watched:
            return
        record = decode(key, value, offset)
        with self._changed:
            if record.kind in (STOP, FAILED):
                self._ended[record.run] = None
                if len(self._ended) > ENDED_KEPT:
                    self._ended.popitem(last=False)
            if run_id in self._watched:
                self._watched[run_id].apply(record)
                self._changed.notify_all()
