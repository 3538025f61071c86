"""Receiving exactly once: answers, counts and offsets are committed in one transaction, or none of them is.

One transaction is open at a time. After an abort, all partitions are read again from what was committed last.
"""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from messaging.clients.errors import Aborted, Fenced, OutcomeUnknown, Refused, Unavailable
from messaging.clients.protocols import Fetched, Partition, Taken
from messaging.clients.transactions import TransactionalConsumer, TransactionalProducer
from messaging.delivery.answers import PlannedAnswers
from messaging.delivery.exactly_once.narrowing import Narrowing
from messaging.delivery.receiving import REBALANCE_SECONDS, OnChange
from messaging.journal.counts import Counts
from messaging.journal.states import RUN_STATES
from messaging.runs.batch import Batch

log = logging.getLogger(__name__)

OPEN_SECONDS = 0.2
"""How long a transaction may be open while messages come."""

IDLE_SECONDS = 0.02
"""How long to wait for more messages before a transaction is committed because none come."""

KAFKA_SECONDS = 5
"""How long Kafka may take for one step; half as long as a transaction may be open."""


class Clients(NamedTuple):
    """A producer that was started, and a consumer that joined its group after that."""

    producer: TransactionalProducer
    consumer: TransactionalConsumer


class ExactlyOnce:
    """Handles messages in transactions. It is a `messaging.delivery.receiving.Receiving`.

    `connect` makes both clients. It raises Unavailable, and Fenced if another process has the same transactional id.
    """

    def __init__(
        self,
        connect: Callable[[], Clients],
        counts: Counts,
        on_change: OnChange,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._connect = connect
        self._counts = counts
        self._on_change = on_change
        self._clock = clock
        self._narrowing = Narrowing()
        self._clients: Clients | None = connect()
        self._paused = False
        self._idle = False
        self._fenced = False
        self._handled: list[Fetched] = []
        """The messages of the open transaction. None is open while there are none."""
        self._begun = 0.0
        self._committed: dict[Partition, int] = {}
        """Where each partition goes on after an abort, as far as messages of it have come."""
        self._reached: dict[Partition, int] = {}
        """The ends that were reached. Marks of transactions may lie between them and the last message."""
        self.epoch = 0

    @property
    def keep_alive_seconds(self) -> float:
        return self._clients.consumer.keep_alive_seconds if self._clients else OPEN_SECONDS

    def poll(self, seconds: float) -> Sequence[Fetched]:
        if self._handled and self._clock() - self._begun >= OPEN_SECONDS:
            self.commit()
        clients = self._connected()
        epoch = self.epoch
        polled = clients.consumer.poll(min(seconds, IDLE_SECONDS) if self._handled else seconds)
        for change in polled.changes:
            if isinstance(change, Taken):
                self._give_back(change)
            else:
                self._on_change(change)
        if self._clients is not clients:
            return ()
        for fetched in polled.fetched:
            self._note_first(fetched)
        if epoch != self.epoch and polled.fetched:
            self._read_again()  # these came before what was sought
            return ()
        self._reached |= polled.reached
        self._idle = not polled.fetched
        return polled.fetched

    def pause(self) -> None:
        self._paused = True
        if self._clients:
            self._clients.consumer.pause()

    def resume(self) -> None:
        self._paused = False
        if self._clients:
            self._clients.consumer.resume()

    def parts(self, fetched: Fetched) -> Iterable[Fetched]:
        return self._narrowing.parts(fetched)

    def has_room(self, cost: int, seconds: float) -> bool:
        return True  # the producer's queue has a limit, and `send` waits for it

    def handled(self, fetched: Fetched, batch: Batch, answers: Any, epoch: int) -> None:
        if epoch == self.epoch:  # or the handler has outlived its transaction, and produces nothing
            self._attempt(lambda clients: self._put_in(clients, fetched, batch, answers))
        if self._handled and self._narrowing.active:
            self.commit()

    def advance(self) -> None:
        if self._idle:
            self.commit()
            ends = {p: offset for p, offset in self._reached.items() if offset > self._committed.get(p, -1)}
            if ends:
                self._attempt(lambda clients: self._commit_ends(clients, ends))

    def commit(self) -> None:
        self._commit(KAFKA_SECONDS)

    def finish(self, seconds: float) -> None:
        self._commit(seconds)

    def close(self) -> None:
        clients, self._clients = self._clients, None
        if clients:
            try:
                clients.producer.close(1)
            finally:
                clients.consumer.close()

    def _connected(self) -> Clients:
        if self._clients is None:
            self._clients = self._connect()
            if self._paused:
                self._clients.consumer.pause()
        return self._clients

    def _note_first(self, fetched: Fetched) -> None:
        if not fetched.next_offsets.keys() <= self._committed.keys():
            for number, offset in zip(fetched.partitions, fetched.offsets, strict=True):
                self._committed.setdefault(Partition(fetched.topic, number), offset)

    def _put_in(self, clients: Clients, fetched: Fetched, batch: Batch, answers: PlannedAnswers | None) -> None:
        if not self._handled:
            self._begun = self._clock()
            clients.producer.begin()
        self._handled.append(fetched)
        self._counts.received(batch)
        if answers is None:
            return
        if self._narrowing.is_refused(fetched):
            self._counts.answered(batch, [0], 0)
            return
        clients.producer.send(answers.topic, *answers.columns, KAFKA_SECONDS)
        self._counts.answered(batch, (), time.time_ns() // 1000)

    def _commit(self, seconds: float) -> None:
        """Commit the open transaction, if there is one."""
        if self._handled:
            self._attempt(lambda clients: self._conclude(clients, seconds))

    def _conclude(self, clients: Clients, seconds: float) -> None:
        offsets = {p: offset for fetched in self._handled for p, offset in fetched.next_offsets.items()}
        # The states come last. Who reads one of them then finds everything that it counts.
        clients.producer.send(RUN_STATES, *self._counts.records(), seconds)
        clients.producer.commit(seconds, offsets, clients.consumer.membership)
        self._counts.committed()
        self._committed.update((p, offset) for p, offset in offsets.items() if p in self._committed)
        self._handled = []
        self._fenced = False
        self._narrowing.committed()

    def _commit_ends(self, clients: Clients, ends: dict[Partition, int]) -> None:
        """Commit offsets alone, so that nobody takes the marks of transactions for messages that are left to do."""
        clients.producer.begin()
        clients.producer.commit(KAFKA_SECONDS, ends, clients.consumer.membership)
        self._committed |= ends
        self._reached.clear()

    def _give_back(self, taken: Taken) -> None:
        """Commit what was handled, before others get these partitions. What is in hand comes again where it belongs."""
        self._on_change(None)
        for partition in taken.partitions:
            self._committed.pop(partition, None)
        epoch = self.epoch
        self._commit(REBALANCE_SECONDS)
        if epoch == self.epoch:
            self._read_again()

    def _attempt(self, step: Callable[[Clients], None]) -> None:
        """Take a step of the transaction. If it fails, nothing of the transaction remains. Raises Fenced."""
        clients = self._clients
        if clients is None:
            return
        try:
            try:
                step(clients)
            except (Aborted, Refused, Unavailable) as error:
                self._abort(clients, error)
        except (Fenced, OutcomeUnknown) as error:
            self._renew(error)

    def _abort(self, clients: Clients, error: Exception) -> None:
        handled, self._handled = self._handled, []
        log.warning("%d messages are handled again, their transaction was aborted: %s", sum(map(len, handled)), error)
        self._counts.aborted()
        clients.producer.abort(KAFKA_SECONDS)
        if isinstance(error, Refused):
            self._narrowing.refuse(handled)
        self._read_again()

    def _read_again(self) -> None:
        """Go on after what was committed, in all partitions that this instance still has."""
        self.epoch += 1
        self._reached.clear()
        if self._clients is None:
            return
        try:
            for partition, offset in self._committed.items():
                self._clients.consumer.seek(partition, offset)
        except Unavailable as error:
            self._renew(error)

    def _renew(self, error: Exception) -> None:
        """Drop both clients. New ones with the same id settle what has become of the transaction. Raises Fenced."""
        if isinstance(error, Fenced) and self._fenced:
            raise error  # another process has this transactional id: never guess
        log.warning("the clients are made anew: %s", error)
        self._fenced = isinstance(error, Fenced)
        self.epoch += 1
        self._handled = []
        self._committed.clear()
        self._reached.clear()
        self._counts.aborted()
        self._on_change(None)
        try:
            self.close()
        except Unavailable as failure:
            log.warning("the old clients were not closed: %s", failure)
