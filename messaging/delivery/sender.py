"""Carries out the calls to send a run: once per run, put on record, and with an end that the caller can rely on."""

import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID, uuid4

from pyroaring import BitMap

from messaging.runs.outcome import CallAgain, DeliveryFailed, Figures, RunStopped
from messaging.runs.request import Limits, Request, check_limits
from messaging.runs.sending import Out, Sending
from messaging.stopping import StopRequest

RECORD_SECONDS = 10
"""How long the outcome may take to get on record before the call is answered all the same."""


class Journal(Protocol):
    """Where the sending of a run is put on record."""

    def begin(self, request: Request) -> None: ...
    def end(self, run: UUID, outcome: str, reason: str | None = None, failed: int = 0) -> None: ...
    def sent(self, run: UUID, numbers: Sequence[int], size: int, partition: int, time_sent: int) -> None: ...
    def flush(self, seconds: float) -> bool: ...


class Past(Protocol):
    """What others have put on record of a run."""

    def sent_before(self, run: UUID) -> BitMap: ...
    def stop_asked(self, run: UUID) -> bool: ...


@dataclass(frozen=True)
class StopOfRun:
    """Says when to stop one run: when its user or the whole service wants it."""

    run: UUID
    past: Past
    service: StopRequest

    @property
    def asked(self) -> bool:
        return self.service.asked or self.past.stop_asked(self.run)

    @property
    def overdue(self) -> bool:
        return self.service.overdue


class Sender:
    """Sends runs for one service. Safe to be used by many greenthreads."""

    def __init__(self, service: str, out: Out, journal: Journal, past: Past, stop: StopRequest, limits: Limits):
        self._service = service
        self._out = out
        self._journal = journal
        self._past = past
        self._stop = stop
        self._limits = limits
        self._under_way: dict[UUID, Future[Figures]] = {}

    def send_run(self, num_messages: int, size: int, run_id: str | None = None, queued: bool = False) -> Figures:
        """Send `num_messages` with `size` random bytes each; return once Kafka has acknowledged every one.

        `run_id` is a UUID as text. Messages that are on record as sent, by an instance that did not finish the run,
        are not sent again. Nobody waits for the answer of a `queued` run, so it outlasts this instance. A call that
        RabbitMQ delivers again meanwhile, because a connection was lost, ends as the first one does.

        Raises ValueError for numbers out of range, DeliveryFailed, RunStopped, CallAgain.
        """
        check_limits(num_messages, size, self._limits)
        run = UUID(run_id) if run_id else uuid4()
        if run in self._under_way:
            return self._under_way[run].result()
        outcome = self._under_way[run] = Future()
        try:
            request = Request(run, self._service, num_messages, size, time.time_ns() // 1000)
            outcome.set_result(self._send(request, queued))
        except Exception as error:
            outcome.set_exception(error)
        finally:
            del self._under_way[run]
        return outcome.result()

    def _send(self, request: Request, queued: bool) -> Figures:
        run = request.run
        self._journal.begin(request)
        started = time.perf_counter()
        sending = Sending(
            request,
            self._out,
            StopOfRun(run, self._past, self._stop),
            lambda *acknowledged: self._journal.sent(run, *acknowledged),
            self._past.sent_before(run),
        )
        try:
            sending.send()
            seconds = time.perf_counter() - started
            self._journal.end(run, "sent")
        except (DeliveryFailed, RunStopped) as error:
            if queued and self._stop.asked:
                raise CallAgain from None
            stopped = isinstance(error, RunStopped) and not self._stop.asked
            self._journal.end(run, "stopped" if stopped else "failed", str(error), sending.failed)
            raise
        finally:
            self._journal.flush(1 if self._stop.asked else RECORD_SECONDS)
        return Figures(request.num_messages, request.size, seconds)
