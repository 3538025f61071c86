"""Sends runs at least once: messages are acknowledged, then put on record."""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from messaging.delivery.backpressure import Backpressure
from messaging.delivery.calls import LOOK_BACK, Call, RunSender, seconds_of, unexpected
from messaging.delivery.journal import Journal
from messaging.delivery.ownership import Ownership
from messaging.journal.past import Past
from messaging.journal.states import DONE, FAILED
from messaging.runs.outcome import DeliveryFailed, Figures, RunStopped
from messaging.runs.request import Limits, Request
from messaging.runs.schedule import WALL_CLOCK, WallClock
from messaging.runs.sending import Out, Sending
from messaging.stopping import StopRequest

RECORD_SECONDS = 10
"""The longest wait for the outcome to be on record, in seconds. Then the call gets its reply in any case."""


class Sender(RunSender):
    """Sends runs for one service. Safe to be used by many greenthreads."""

    def __init__(
        self,
        service: str,
        out: Out,
        journal: Journal,
        stop: StopRequest,
        limits: Limits,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: WallClock = WALL_CLOCK,
    ):
        super().__init__(service, journal, stop, limits, clock, wall_clock)
        self._out = out

    def _take(self, call: Call, request: Request, ownership: Ownership) -> Past:
        """Claim the run, and return everything on record of it. Raises ClientError."""
        if past := self._nobody_elses(call, request.run):
            ownership.claim_later()
            return past
        since = call.created or request.created - LOOK_BACK
        return ownership.take(replace(request, created=since), self._journal.past)

    def _send(self, request: Request, ownership: Ownership, past: Past, queued: bool) -> Figures:
        run, writer = request.run, self._journal.writer
        schedule = self._schedule(request.rate, past)
        writer.begin(request, ownership.claim, schedule.start if schedule else None)
        backpressure = Backpressure(run, writer, ownership, self._clock)
        sending = Sending(request, self._out, backpressure, partial(writer.sent, run), past.sent, schedule)
        try:
            if schedule:
                backpressure.wait_until_recorded()  # otherwise an instance that takes over would not know the start
            sending.send()
            seconds = seconds_of(sending.first_sent, sending.last_acknowledged, past)
            writer.end(run, DONE, seconds=seconds)
        except (DeliveryFailed, RunStopped) as error:
            outcome, reason, told = self._ended(error, ownership, queued)
            writer.end(run, outcome, reason, sending.failed if reason else None)
            raise told from None
        except Exception as error:
            writer.end(run, FAILED, unexpected(error), sending.failed)
            raise
        finally:
            ownership.claim_now()
            writer.flush(1 if self._stop.asked else RECORD_SECONDS, run)
        return Figures(request.num_messages, request.size, seconds)
