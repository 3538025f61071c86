"""What a service has seen of each run, published to the compacted topic `runs`.

One record per (run, stage, instance), each the newest absolute state. An instance is one process from start to end.
Published on a clock; a consumer commits no offsets before the state that has these messages in it is acknowledged, so
nothing that is not on record is ever committed.
"""

import logging
import os
import socket
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from uuid import UUID

from kafka import KafkaProducer
from kafka.errors import KafkaError
from kafka.future import Future
from nameko.extensions import SharedExtension
from pyroaring import BitMap

from messaging.batch import Batch
from messaging.lifecycle import Stopping
from messaging.runs_topic import RUNS, RunsReader, ensure_runs_topic, record_key
from messaging.stage import Stage
from messaging.stamp import is_one_run, words

log = logging.getLogger(__name__)

IDLE_SECONDS = 30
"""States that are published and have not changed for so long are forgotten here; a later one begins anew."""


class Entry:
    """A state, and how far it is published: `changed` and `acknowledged` are numbers of the recorder's changes."""

    def __init__(self, instance: str):
        self.stage = Stage()
        self.instance = instance
        self.more: dict[str, object] = {}
        self.changed = 0
        self.acknowledged = 0
        self.publications: list[tuple[int, Future]] = []
        self.touched = 0.0


class RunRecorder(SharedExtension):
    """One per service. Safe to be used by many greenthreads."""

    stopping = Stopping()

    def __init__(self) -> None:
        self._entries: dict[tuple[UUID, str], Entry] = {}
        self._dirty: dict[tuple[UUID, str], Entry] = {}
        self._changes = 0
        self._process = f"{socket.gethostname()}:{os.getpid()}"
        self._born = 0
        self._producer: KafkaProducer | None = None

    def setup(self) -> None:
        config = self.container.config
        ensure_runs_topic(config, self.stopping)
        self._producer = KafkaProducer(**config["KAFKA_PRODUCER"])
        self._started = time.time_ns() // 1000
        self.reader = RunsReader(config)

    def start(self) -> None:
        self.reader.start()

    def stop(self) -> None:
        if self._producer is not None:
            self.reader.stop()
            self._producer.close(timeout=1)

    kill = stop

    def sent_before(self, run: UUID) -> BitMap:
        """The numbers of those messages of a run that earlier instances have sent, as far as is on record."""
        self.reader.wait_until_caught_up(10)
        return self.reader.sent_before(run)

    def stop_asked(self, run: UUID) -> bool:
        """Whether a user wants the sending of the run to end."""
        return self.reader.stop_asked(run)

    def received(self, batch: Batch) -> None:
        """Count a batch that the service's handler has done its work on."""
        self._batch(f"{self.container.service_name}_received", batch)

    def answered(self, batch: Batch, failed: int) -> None:
        """Count a batch whose answers Kafka has acknowledged, but for those that it refused for good."""
        self._batch(f"{self.container.service_name}_answered", batch, failed)

    def _batch(self, stage: str, batch: Batch, failed: int = 0) -> None:
        now = time.time_ns() // 1000
        for run, numbers, values, partitions, times in _by_run(batch):
            entry = self._entry(UUID(bytes=run), stage)
            entry.stage.add(numbers, sum(map(len, filter(None, values))), Counter(partitions), times, now)
            entry.stage.failed += failed
            failed = 0

    def sent(self, run: UUID, numbers: Sequence[int], size: int, partition: int, time_sent: int) -> None:
        """Count messages of a run that Kafka has acknowledged now; `size` is that of all of them, in bytes."""
        now = time.time_ns() // 1000
        stage = self._entry(run, "sent").stage
        stage.add(numbers, size, Counter({partition: len(numbers)}), [time_sent] * len(numbers), now)

    def sending(self, run: UUID, **more: object) -> None:
        """Note how the sending of a run stands: what was asked for, outcome, failures."""
        entry = self._entry(run, "sent")
        entry.stage.failed = more.pop("failed", entry.stage.failed)
        entry.more |= more

    def _entry(self, run: UUID, stage: str) -> Entry:
        key = run, stage
        entry = self._entries.get(key)
        if entry is None:
            self._born += 1
            # Not the process alone: in containers its number repeats, and a forgotten state must not be overwritten.
            entry = self._entries[key] = Entry(f"{self._process}/{self._started}.{self._born}")
        self._changes += 1
        entry.changed = self._changes
        entry.touched = time.monotonic()
        self._dirty[key] = entry
        return entry

    def publish(self) -> int:
        """Hand every changed state to the client; return a mark for `recorded`."""
        for (run, stage), entry in list(self._dirty.items()):
            self._settle(run, stage, entry)
            if entry.acknowledged < entry.changed and all(v < entry.changed for v, _ in entry.publications):
                value = entry.stage.encode(**entry.more)
                future = self._producer.send(RUNS, value, record_key(run, stage, entry.instance), partition=0)
                entry.publications.append((entry.changed, future))
        self._forget()
        return self._changes

    def recorded(self, mark: int) -> bool:
        """Whether Kafka has acknowledged all that was counted before `publish` has returned this mark."""
        for (run, stage), entry in list(self._dirty.items()):
            self._settle(run, stage, entry)
        return all(entry.acknowledged >= min(mark, entry.changed) for entry in self._dirty.values())

    def wait(self, mark: int, seconds: float) -> bool:
        """Wait for `recorded`, for so long at most; return it."""
        deadline = time.monotonic() + seconds
        while not self.recorded(mark):
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self.publish()  # again what has failed
            under_way = [future for entry in self._dirty.values() for _, future in entry.publications]
            if under_way:
                with suppress(KafkaError):  # for `recorded` to look at
                    under_way[0].get(timeout=min(left, 1))
        return True

    def _settle(self, run: UUID, stage: str, entry: Entry) -> None:
        while entry.publications and entry.publications[0][1].is_done:
            version, future = entry.publications.pop(0)
            if future.succeeded():
                entry.acknowledged = version
            else:
                log.warning("state of run %s at %s was not recorded, trying again: %r", run, stage, future.exception)
        if entry.acknowledged == entry.changed:
            self._dirty.pop((run, stage), None)

    def _forget(self) -> None:
        # The oldest come first.
        now = time.monotonic()
        for key, entry in list(islice(self._entries.items(), 100)):
            # What a run is, and that it is being sent, stands in one record and must not begin anew without it.
            idle = now - entry.touched > IDLE_SECONDS and entry.more.get("outcome") != "sending"
            if idle and key not in self._dirty:
                del self._entries[key]


def _by_run(batch: Batch) -> Iterator[tuple[bytes, Sequence[int], Sequence, Sequence[int], Sequence[int]]]:
    """The stamped messages of a batch by run: run id, numbers, values, partitions, times first sent."""
    if batch.words and is_one_run(batch.words):
        yield batch.keys[0][:16], batch.words[2::4], batch.values, batch.partitions, batch.sent_times
        return
    groups: dict[bytes, list[int]] = defaultdict(list)
    for index, (key, sent) in enumerate(zip(batch.keys, batch.sent_times, strict=True)):
        if sent is not None:
            groups[key[:16]].append(index)
    for run, indices in groups.items():
        columns = batch.keys, batch.values, batch.partitions, batch.sent_times
        keys, values, partitions, times = ([column[index] for index in indices] for column in columns)
        yield run, words(keys)[2::4], values, partitions, times
