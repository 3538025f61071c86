"""Receiving exactly once: one transaction commits answers, counts and offsets, or none of them.

One transaction is open at a time. After an abort, all partitions are read again from the last committed offsets.
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
from messaging.delivery.exactly_once.positions import Positions
from messaging.delivery.receiving import REBALANCE_SECONDS, OnChange
from messaging.journal.counts import Counts
from messaging.journal.states import RUN_STATES
from messaging.runs.batch import Batch

log = logging.getLogger(__name__)

OPEN_SECONDS = 0.2
"""A transaction that is open for this long, in seconds, is committed at the next check. `commit` may come earlier."""

IDLE_SECONDS = 0.02
"""A transaction is committed when no more messages come for this long, in seconds."""

KAFKA_SECONDS = 5
"""The timeout of one step at Kafka, in seconds: half of the transaction's timeout."""

MOST_ABORTS = 3
"""Make new clients after this many aborts in a row, because librdkafka's producer may not recover from an outage."""

ABORT_SECONDS = 1
"""How long an abort may take while the service stops, in seconds. Kafka aborts a transaction that stays open."""


class Clients(NamedTuple):
    """A started producer, and a consumer that joined its group afterwards."""

    producer: TransactionalProducer
    consumer: TransactionalConsumer


class ExactlyOnce:
    """Handles messages in transactions. Implements `messaging.delivery.receiving.Receiving`.

    `connect` makes both clients. It raises Unavailable, or Fenced if another process takes the transactional id.
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
        self._paused = self._idle = self._fenced = False
        self._aborts = 0
        self._handled: list[Fetched] = []
        """The messages of the open transaction. Without messages, no transaction is open."""
        self._begun = 0.0
        self._abort_seconds: float = KAFKA_SECONDS
        self._positions = Positions()
        self.epoch = 0

    @property
    def keep_alive_seconds(self) -> float:
        return self._clients.consumer.keep_alive_seconds if self._clients else OPEN_SECONDS

    def poll(self, seconds: float) -> Sequence[Fetched]:
        self._commit_in_time()
        clients = self._connected()
        epoch = self.epoch
        polled = clients.consumer.poll(min(seconds, IDLE_SECONDS) if self._handled else seconds)
        for change in polled.changes:
            if isinstance(change, Taken):
                self._give_back(change)
            else:
                self._narrowing.keep(change.partitions)
                self._on_change(change)
        if self._clients is not clients:
            return ()
        for fetched in polled.fetched:
            self._positions.note(fetched)
        if epoch != self.epoch and polled.fetched:
            self._read_again()  # these messages were polled before `_read_again` moved the position
            return ()
        self._positions.reach(polled.reached)
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
        return True  # the producer's queue has a limit, and `send` waits for room

    def handled(self, fetched: Fetched, batch: Batch, answers: Any, epoch: int) -> None:
        if epoch == self.epoch:  # otherwise these messages come again, so this result is dropped
            self._attempt(lambda clients: self._put_in(clients, fetched, batch, answers))
        self._commit_in_time()

    def advance(self) -> None:
        if self._idle:
            self.commit()
            if ends := self._positions.uncommitted_ends():
                self._attempt(lambda clients: self._commit_ends(clients, ends))

    def commit(self) -> None:
        self._commit(KAFKA_SECONDS)

    def finish(self, seconds: float) -> None:
        self._abort_seconds = ABORT_SECONDS
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

    def _commit_in_time(self) -> None:
        """Commit the open transaction if it has been open for long enough, or may take no more messages."""
        if self._narrowing.active or self._clock() - self._begun >= OPEN_SECONDS:
            self.commit()

    def _commit(self, seconds: float) -> None:
        """Commit the open transaction, if there is one."""
        if self._handled:
            self._attempt(lambda clients: self._conclude(clients, seconds))

    def _conclude(self, clients: Clients, seconds: float) -> None:
        offsets = {p: offset for fetched in self._handled for p, offset in fetched.next_offsets.items()}
        # Kafka has all answers before the commit. So a reader of a state finds all answers that the state counts.
        clients.producer.send(RUN_STATES, *self._counts.records(), seconds)
        clients.producer.commit(seconds, offsets, clients.consumer.membership)
        self._counts.committed()
        self._positions.commit(offsets)
        self._narrowing.committed(self._handled)
        self._handled, self._fenced, self._aborts = [], False, 0

    def _commit_ends(self, clients: Clients, ends: dict[Partition, int]) -> None:
        """Commit the end offsets that follow markers or aborted messages. Otherwise these look unhandled."""
        clients.producer.begin()
        clients.producer.commit(KAFKA_SECONDS, ends, clients.consumer.membership)
        self._positions.commit_ends(ends)
        self._fenced = False

    def _give_back(self, taken: Taken) -> None:
        """Commit the handled messages before other instances get these partitions. Unhandled messages come again."""
        self._on_change(None)
        self._positions.take(taken.partitions)
        epoch = self.epoch
        self._commit(REBALANCE_SECONDS)
        if epoch == self.epoch:
            self._read_again()

    def _attempt(self, step: Callable[[Clients], None]) -> None:
        """Take a step of the transaction. If it fails, undo the whole transaction. Raises Fenced."""
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
        clients.producer.abort(self._abort_seconds)
        self._aborts = 0 if isinstance(error, Refused) else self._aborts + 1
        if self._aborts >= MOST_ABORTS:
            raise OutcomeUnknown(f"{self._aborts} transactions in a row were aborted")
        if isinstance(error, Refused):
            self._narrowing.refuse(handled)
        self._read_again()

    def _read_again(self) -> None:
        """Continue at the committed offsets, in all partitions that this instance still has."""
        self.epoch += 1
        if self._clients is None:
            return
        try:
            for partition, offset in self._positions.read_again().items():
                self._clients.consumer.seek(partition, offset)
        except Unavailable as error:
            self._renew(error)

    def _renew(self, error: Exception) -> None:
        """Drop both clients. The next poll makes new ones and aborts the old transaction. Raises Fenced."""
        if isinstance(error, Fenced) and self._fenced:
            raise error  # fenced twice in a row: another process has this transactional id
        log.warning("replacing both Kafka clients: %s", error)
        self._fenced = isinstance(error, Fenced)
        self.epoch += 1
        self._handled = []
        self._positions.clear()
        self._counts.aborted()
        self._on_change(None)
        try:
            self.close()
        except Unavailable as failure:
            log.warning("the old clients were not closed: %s", failure)
