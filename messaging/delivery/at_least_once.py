"""Receiving at least once: offsets are committed after the work. After a kill, unfinished work comes again."""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from messaging.clients.errors import Unavailable
from messaging.clients.protocols import Consumer, Fetched, Partition, Taken
from messaging.delivery import checkpoints, receiving
from messaging.delivery.outbox import IN_FLIGHT_BYTES, cost_of
from messaging.journal.writer import JournalWriter
from messaging.runs.batch import Batch
from messaging.stopping import StopRequest

log = logging.getLogger(__name__)


class AtLeastOnce:
    """Commits an offset once all messages before it are done: handled, answered and on record.

    Implements `receiving.Receiving`.
    """

    def __init__(self, consumer: Consumer, journal: JournalWriter, stop: StopRequest, on_change: receiving.OnChange):
        self._consumer = consumer
        self._journal = journal
        self._stop = stop
        self._on_change = on_change
        self._checkpoints = checkpoints.Checkpoints(journal)
        self._reached: dict[Partition, int] = {}
        """The end offsets of the partitions that recent polls have read to the end."""
        self.epoch = 0

    @property
    def keep_alive_seconds(self) -> float:
        return self._consumer.keep_alive_seconds

    def poll(self, seconds: float) -> Sequence[Fetched]:
        polled = self._consumer.poll(seconds)
        for change in polled.changes:
            if isinstance(change, Taken):
                self._give_back()
            else:
                self._on_change(change)
        self._reached |= polled.reached
        return polled.fetched

    def pause(self) -> None:
        self._consumer.pause()

    def resume(self) -> None:
        self._consumer.resume()

    def parts(self, fetched: Fetched) -> Iterable[Fetched]:
        return (fetched,)

    def has_room(self, cost: int, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while 0 < self._checkpoints.in_flight > IN_FLIGHT_BYTES - cost and not self._stop.overdue:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._checkpoints.wait(left)
        return True

    def handled(self, fetched: Fetched, batch: Batch, answers: Any, epoch: int) -> None:
        self._journal.received(batch)
        offsets: Mapping[Partition, int] = fetched.next_offsets
        if epoch != self.epoch:
            offsets = {}  # these partitions were taken away, so the messages come again
        self._checkpoints.add(batch, offsets, answers, cost_of(batch.keys, batch.values))
        self._checkpoints.advance()

    def advance(self) -> None:
        if self._reached:  # all messages before these ends are handled by now
            self._checkpoints.add(Batch("", (), (), (), 0), self._reached, None)
            self._reached = {}
        self._checkpoints.advance()

    def commit(self) -> None:
        offsets = self._checkpoints.uncommitted(self._consumer.confirmed)
        if offsets:
            self._consumer.commit_soon(offsets)

    def finish(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self._checkpoints.wait(max(0.0, deadline - time.monotonic())) and time.monotonic() < deadline:
            pass
        self._journal.flush(deadline - time.monotonic())
        self._checkpoints.advance()
        offsets = self._checkpoints.uncommitted(self._consumer.confirmed)
        if offsets:
            try:
                self._consumer.commit(offsets, max(0.1, deadline - time.monotonic()))
            except Unavailable as error:
                log.warning("offsets were not committed, some messages will come again: %s", error)

    def close(self) -> None:
        self._consumer.close()

    def _give_back(self) -> None:
        """Finish and commit handled batches before losing partitions. Otherwise the next owner would repeat them."""
        self._on_change(None)
        self.finish(receiving.REBALANCE_SECONDS)
        self.epoch += 1
        self._reached = {}
        self._checkpoints.forget()
