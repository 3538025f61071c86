"""Sends one run in transactions, without the messages that are committed already.

The last record of each transaction is the state of stage `sent`.
"""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from math import ceil

from pyroaring import BitMap

from messaging.clients.errors import Aborted, ClientError, Refused, Unavailable
from messaging.clients.transactions import TransactionalProducer
from messaging.delivery.exactly_once.receiving import KAFKA_SECONDS, OPEN_SECONDS
from messaging.journal.counts import SentCounts
from messaging.journal.states import RUN_STATES, Sender
from messaging.runs.blocks import Block, Blocks
from messaging.runs.outcome import DeliveryFailed, RunStopped
from messaging.runs.sending import Stop, incomplete

log = logging.getLogger(__name__)

STOP_SECONDS = 1
"""The timeout of one step at Kafka, in seconds, once the sending has to stop."""

MOST_MESSAGES = 10_000
"""A transaction is committed when it has this many messages. If it is aborted, they are sent again."""

MOST_BYTES = 16 * 2**20
"""A transaction is committed when it has this many bytes. More might not be acknowledged within KAFKA_SECONDS."""

LOOK_SECONDS = 0.2
"""How often a pause checks whether the sending must stop, in seconds."""

PAUSES = 0.2, 0.5, 1, 2, 4, 8, 8
"""The pauses before an aborted transaction is tried again, in seconds.

If the last attempt fails too, the call goes back into its queue."""


class Transactions:
    """The sending of one run by one started producer. Every method may raise Fenced and OutcomeUnknown."""

    def __init__(
        self,
        producer: TransactionalProducer,
        topic: str,
        blocks: Blocks,
        counts: SentCounts,
        sender: Sender,
        stop: Stop,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._producer = producer
        self._topic = topic
        self._blocks = blocks
        self._counts = counts
        self._sender = sender
        self._stop = stop
        self._clock = clock
        self._uncommitted: list[Block] = []
        """The blocks of the open transaction. If it is aborted, they go into the next one with the same stamps."""
        self._is_open = False
        self._begun = 0.0
        self._sent = 0
        """How many messages of the run are committed, including those of earlier senders."""
        self.first_sent: int | None = None
        """When the first message was sent or due, in microseconds since the epoch."""
        self.failed = BitMap()
        """The numbers of the messages whose transaction Kafka has refused."""

    def send(self, sent_before: int) -> None:
        """Send the messages. `end` commits the last ones. Raises DeliveryFailed, RunStopped, Unavailable."""
        self._sent = sent_before
        partitions = self._producer.partitions(self._topic)
        for numbers in self._blocks.numbers():
            if self._stop.asked:
                sent = self._sent + _count(self._uncommitted)
                raise RunStopped(f"stopped; {sent} of {self._sender.request.num_messages} messages were sent")
            if numbers:
                self._add(self._blocks.make(numbers, partitions))
            if self._is_due():
                self._commit(self._sender)

    def end(self, outcome: str, reason: str | None = None, seconds: float | None = None) -> None:
        """Commit the rest, and the outcome of the sending. Raises DeliveryFailed, Unavailable."""
        ended = time.time_ns() // 1000
        self._commit(replace(self._sender, outcome=outcome, reason=reason, seconds=seconds, ended=ended))

    @property
    def _seconds(self) -> float:
        return STOP_SECONDS if self._stop.asked else KAFKA_SECONDS

    def _add(self, block: Block) -> None:
        self.first_sent = self.first_sent or block.sent_times[0]
        self._uncommitted.append(block)
        try:
            if self._is_open:
                self._hand_over([block])
            else:
                self._open()
        except (Aborted, Unavailable) as error:
            self._abort(error)
        time.sleep(0)  # lets heartbeats and other calls run

    def _is_due(self) -> bool:
        if not self._uncommitted:
            return False
        is_long = self._clock() - self._begun >= OPEN_SECONDS
        count = _count(self._uncommitted)
        is_large = count >= MOST_MESSAGES or count * self._sender.request.size >= MOST_BYTES
        return is_long or is_large or not self._is_open

    def _open(self) -> None:
        self._producer.begin()
        self._is_open = True
        self._begun = self._clock()
        self._hand_over(self._uncommitted)

    def _hand_over(self, blocks: Iterable[Block]) -> None:
        for block in blocks:
            partitions = [block.partition] * len(block.keys)
            self._producer.send(self._topic, block.keys, self._blocks.values(block), partitions, self._seconds)

    def _commit(self, sender: Sender) -> None:
        """Commit everything so far. After an abort, try again with the same stamps and a new state key."""
        for pause in (0, *PAUSES):
            self._sleep(pause)
            try:
                self._conclude(sender)
                return
            except Refused as error:
                self._abort(error)
                raise self._refused(error) from error
            except (Aborted, Unavailable) as error:
                self._abort(error)
                if self._stop.overdue:
                    break
        raise Unavailable("Kafka did not commit a transaction of the run")

    def _sleep(self, seconds: float) -> None:
        """Sleep, but end early if the sending must stop."""
        for _ in range(ceil(seconds / LOOK_SECONDS)):
            if not self._stop.asked:
                time.sleep(LOOK_SECONDS)

    def _conclude(self, sender: Sender) -> None:
        if not self._is_open:
            self._open()
        at = time.time_ns() // 1000
        for block in self._uncommitted:
            self._counts.add(block, at)
        self._producer.send(RUN_STATES, *self._counts.records(sender, self.failed), self._seconds)
        self._producer.commit(self._seconds)
        self._is_open = False
        self._counts.committed()
        self._sent += _count(self._uncommitted)
        self._uncommitted.clear()

    def _abort(self, error: ClientError) -> None:
        log.warning("a transaction of run %s was aborted: %s", self._sender.request.run, error)
        self._is_open = False
        self._counts.aborted()
        self._producer.abort(self._seconds)

    def _refused(self, error: ClientError) -> DeliveryFailed:
        for block in self._uncommitted:
            self.failed |= BitMap(block.numbers)
        self._uncommitted.clear()
        return incomplete(self._sender.request, self._sent, str(error), error.too_large)


def _count(blocks: Iterable[Block]) -> int:
    return sum(len(block.numbers) for block in blocks)
