"""Sends runs in transactions. A sender fences the previous owner of a run before it sends anything."""

import logging
import time
from collections.abc import Callable
from uuid import UUID

from messaging.clients.errors import ClientError, Fenced, Unavailable
from messaging.clients.transactions import TransactionalProducer
from messaging.delivery.calls import LOOK_BACK, Call, RunSender, seconds_of, unexpected
from messaging.delivery.exactly_once.transactions import Transactions
from messaging.delivery.journal import Journal
from messaging.delivery.ownership import PAST_SECONDS, Hints, Ownership
from messaging.journal.counts import SentCounts, keys_of
from messaging.journal.past import Past
from messaging.journal.states import CONFLUENT_KAFKA, DONE, EXACTLY_ONCE, FAILED, RUN_STATES, SENDING
from messaging.journal.states import Sender as Sent
from messaging.runs.blocks import Blocks
from messaging.runs.outcome import CallAgain, DeliveryFailed, Figures, RunStopped, Superseded
from messaging.runs.request import Limits, Request
from messaging.runs.schedule import WALL_CLOCK, WallClock
from messaging.stopping import StopRequest

log = logging.getLogger(__name__)

CLOSE_SECONDS = 1

Connect = Callable[[UUID], TransactionalProducer]
"""Makes the producer of a run. Its transactional id is the same at every instance. Raises Unavailable."""


class TransactionalSender(RunSender):
    """Sends the runs of one service. Safe to be used by many greenthreads."""

    def __init__(
        self,
        service: str,
        topic: str,
        connect: Connect,
        journal: Journal,
        stop: StopRequest,
        limits: Limits,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: WallClock = WALL_CLOCK,
    ):
        super().__init__(service, journal, stop, limits, clock, wall_clock)
        self._topic = topic
        self._connect = connect
        self._producers: dict[UUID, TransactionalProducer] = {}

    def _own(self, call: Call, run: UUID) -> Figures:
        try:
            return super()._own(call, run)
        finally:
            producer = self._producers.pop(run, None)
            if producer is not None:
                producer.close(CLOSE_SECONDS)

    def _take(self, call: Call, request: Request, ownership: Ownership) -> Past:
        """Claim the run, fence its earlier senders, and return the committed records of the run."""
        ownership.write(request.run)
        try:
            producer = self._producers[request.run] = self._connect(request.run)
            self._start(producer)
            if past := self._nobody_elses(call, request.run):
                return past
            return self._journal.past.read(request.run, call.created or request.created - LOOK_BACK, PAST_SECONDS)
        except ClientError as error:
            raise self._given_up(error, ownership) from error

    def _start(self, producer: TransactionalProducer) -> None:
        """Fence earlier producers of the run. Raises Fenced, Unavailable."""
        error = Unavailable("the service stops")

        def started(seconds: float) -> bool:
            nonlocal error
            try:
                producer.start(seconds)
            except Unavailable as unavailable:
                error = unavailable
                return False
            return True

        if not self._stop.wait(started, PAST_SECONDS):
            raise error

    def _send(self, request: Request, ownership: Ownership, past: Past, queued: bool) -> Figures:
        try:
            return self._send_on(request, ownership, past, queued)
        except ClientError as error:
            raise self._given_up(error, ownership) from error

    def _send_on(self, request: Request, ownership: Ownership, past: Past, queued: bool) -> Figures:
        sending = self._begin(request, ownership, past)

        def seconds() -> float:
            return seconds_of(sending.first_sent, self._wall_clock.now(), past)

        try:
            sending.send(len(past.sent))
            # The outcome is a part of the last transaction, so the seconds in it exclude the commit. The seconds in the
            # reply include the commit.
            sending.end(DONE, seconds=seconds())
        except (DeliveryFailed, RunStopped) as error:
            outcome, reason, told = self._ended(error, ownership, queued)
            _end(sending, outcome, reason)
            raise told from None
        except ClientError:
            raise
        except Exception as error:
            _end(sending, FAILED, unexpected(error))
            raise
        return Figures(request.num_messages, request.size, seconds())

    def _begin(self, request: Request, ownership: Ownership, past: Past) -> Transactions:
        producer = self._producers[request.run]
        schedule = self._schedule(request.rate, past)
        blocks = Blocks(request, past.sent, schedule)
        counts = SentCounts(request, keys_of(ownership.claim), producer.partitions(RUN_STATES))
        start = schedule.start if schedule else None
        sent = Sent(request, ownership.claim, SENDING, client=CONFLUENT_KAFKA, delivery=EXACTLY_ONCE, start=start)
        return Transactions(producer, self._topic, blocks, counts, sent, Hints(ownership), self._clock)

    def _given_up(self, error: ClientError, ownership: Ownership) -> Exception:
        """Return the exception for the call. This instance writes nothing more, because another may own the run now."""
        log.warning("this instance stops sending: %s", error)
        if isinstance(error, Fenced) and self._journal.claims.catch_up(PAST_SECONDS) and ownership.superseded:
            return Superseded()
        return CallAgain()


def _end(sending: Transactions, outcome: str, reason: str | None) -> None:
    """Put the outcome on record. If Kafka refuses the last messages, it is FAILED, and DeliveryFailed is raised."""
    try:
        sending.end(outcome, reason)
    except DeliveryFailed as error:
        sending.end(FAILED, str(error))
        raise
