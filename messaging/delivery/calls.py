"""Carries out the calls to send a run. Puts each run on record, so that a repeated call gets the same outcome."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from itertools import count
from uuid import UUID, uuid4

from messaging.clients.errors import ClientError, Unavailable
from messaging.delivery.journal import Journal
from messaging.delivery.ownership import PAST_SECONDS, Ownership
from messaging.journal.past import Past
from messaging.journal.requests import Standing
from messaging.journal.states import DONE, FAILED, STOPPED, YIELDED
from messaging.journal.states import Sender as Ended
from messaging.runs.outcome import CallAgain, DeliveryFailed, Figures, RunStopped, StoppedForGood, Superseded
from messaging.runs.request import Limits, Request, check_limits
from messaging.runs.schedule import WALL_CLOCK, Schedule, WallClock
from messaging.stopping import StopRequest

START_SECONDS = 0.1
"""The first message of a paced run is due this many seconds after its sender is ready to send.

With DELIVERY=at-least-once, the sender puts this due time on record before it sends."""

LOOK_BACK = 24 * 3600 * 1_000_000
"""In microseconds. If a call without `created` comes again, the sender looks for its record this far back."""


@dataclass(frozen=True)
class Call:
    """A call to send a run. `created` (µs since the epoch) is None if the API did not put the run on record."""

    num_messages: int
    size: int
    run_id: str | None = None
    queued: bool = False
    created: int | None = None
    redelivered: bool = False
    rate: int | None = None


class RunSender:
    """Sends runs for one service. Safe to be used by many greenthreads."""

    def __init__(
        self,
        service: str,
        journal: Journal,
        stop: StopRequest,
        limits: Limits,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: WallClock = WALL_CLOCK,
    ):
        self._service = service
        self._journal = journal
        self._stop = stop
        self._limits = limits
        self._clock = clock
        self._wall_clock = wall_clock
        self._under_way: dict[UUID, Future[Figures]] = {}
        self._numbers = count(1)

    def send_run(self, call: Call) -> Figures:
        """Send the messages of a run. Return once Kafka has acknowledged every one.

        Another instance may have begun the run. Messages that it has put on record as sent are not sent again.

        Nobody waits for the reply to a queued call. So if this instance stops, another instance can continue the run.

        If a connection is lost, RabbitMQ delivers the call again. The second call then has the same outcome as the
        first one.

        Raises ValueError for numbers out of range, DeliveryFailed, RunStopped, CallAgain, Superseded.
        """
        run = UUID(call.run_id) if call.run_id else uuid4()
        if run in self._under_way:
            return self._under_way[run].result()
        outcome = self._under_way[run] = Future()
        try:
            outcome.set_result(self._own(call, run))
        except Exception as error:
            outcome.set_exception(error)
        finally:
            del self._under_way[run]
        return outcome.result()

    def _own(self, call: Call, run: UUID) -> Figures:
        """Claim the run, read its record, and send the rest."""
        claims = self._journal.claims
        created = call.created or time.time_ns() // 1000
        request = Request(run, self._service, call.num_messages, call.size, created, call.rate)
        claim = f"{self._journal.writer.process}.{next(self._numbers)}"
        with claims.watched(run) as standing:
            write = partial(self._journal.requests.claim, request, claim)
            ownership = Ownership(claim, write, standing, claims, self._stop, self._clock)
            past = self._prepare(call, request, ownership)
            if past.ended:
                return _as_before(past.ended)
            standing.stopped = standing.stopped or past.standing.stopped or past.standing.failed is not None
            return self._send(request, ownership, past, call.queued)

    def _prepare(self, call: Call, request: Request, ownership: Ownership) -> Past:
        """Check and claim the run, and return its record. Errors other than CallAgain and Superseded fail the run."""
        try:
            check_limits(call.num_messages, call.size, self._limits, call.rate)
        except ValueError as error:
            if call.created is not None:  # the run is on record, and would look unfinished without a failure
                self._fail(request, ownership, str(error))
            raise
        try:
            return self._take(call, request, ownership)
        except (CallAgain, Superseded):
            raise
        except ClientError as error:
            if ownership.superseded:
                raise Superseded from error
            if call.queued:
                raise CallAgain from error
            failure = f"Kafka does not answer: {error}"
            self._fail(request, ownership, failure)
            raise DeliveryFailed(failure) from error
        except Exception as error:
            self._fail(request, ownership, unexpected(error))
            raise

    def _take(self, call: Call, request: Request, ownership: Ownership) -> Past:
        """Claim the run, and return everything on record of it. Raises ClientError, CallAgain, Superseded."""
        raise NotImplementedError

    def _nobody_elses(self, call: Call, run: UUID) -> Past | None:
        """Return an empty past if no other instance can have begun the run. Otherwise return None.

        The past is marked as stopped if the run was stopped or has failed.
        """
        claims = self._journal.claims
        if call.created is not None or call.redelivered:
            return None
        if not self._stop.wait(claims.wait_until_reading, PAST_SECONDS):
            raise Unavailable("the record of runs was not read in time")
        return Past(Standing(stopped=claims.is_ended(run)))

    def _send(self, request: Request, ownership: Ownership, past: Past, queued: bool) -> Figures:
        """Send the messages that are not in the past, and put the outcome on record."""
        raise NotImplementedError

    def _schedule(self, rate: int | None, past: Past) -> Schedule | None:
        """Return the schedule of a paced run. It begins in START_SECONDS, unless another instance has begun it."""
        if rate is None:
            return None
        start = past.start or self._wall_clock.now() + int(START_SECONDS * 1e6)
        return Schedule(rate, start, self._wall_clock)

    def _ended(self, error: Exception, ownership: Ownership, queued: bool) -> tuple[str, str | None, Exception]:
        """Return the outcome and reason of an incomplete sending, and the exception for the caller."""
        if ownership.superseded:
            return YIELDED, None, Superseded()
        if queued and (self._stop.asked or ownership.unsure):
            return YIELDED, None, CallAgain()
        if ownership.unsure:
            error = DeliveryFailed(f"Kafka does not answer, so this instance must stop sending: {error}")
        if isinstance(error, RunStopped) and not self._stop.asked:
            return STOPPED, str(error), StoppedForGood(str(error))
        return FAILED, str(error), error

    def _fail(self, request: Request, ownership: Ownership, reason: str) -> None:
        """Put on record that the sending has failed before it began."""
        writer = self._journal.writer
        writer.begin(request, ownership.claim)
        writer.end(request.run, FAILED, reason)
        writer.flush(1, request.run)


def seconds_of(first_sent: int | None, last_acknowledged: int, past: Past) -> float:
    """Return the time from the first send of the run, at any instance, to the last acknowledgement."""
    begun = [begin for begin in (past.first_sent, first_sent) if begin]
    ended = max(last_acknowledged, past.last_acknowledged)
    return max(ended - min(begun), 1) / 1e6 if begun else 1e-6


def unexpected(error: Exception) -> str:
    return f"an error in the service: {error!r}"


def _as_before(ended: Ended) -> Figures:
    """Return the figures of a run that has ended before, or raise its error."""
    if ended.outcome == DONE:
        return Figures(ended.request.num_messages, ended.request.size, ended.seconds or 0.001)
    raise (StoppedForGood if ended.outcome == STOPPED else DeliveryFailed)(ended.reason)
