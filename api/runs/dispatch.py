"""Brings a run to its service: calls the service while the client waits, or queues the call for later.

Every accepted run is carried out, or ends `failed` or `stopped`. Several requests may race for one id, and RabbitMQ may
lose a call. `Dispatcher` gets the store and the calls as arguments, so tests can run every order of events without a
broker.
"""

from contextlib import nullcontext, suppress
from dataclasses import replace
from functools import partial
from time import monotonic

from api.places import Places
from api.problems import Problem, no_kafka
from api.rpc.calls import Calls, Figures
from api.rpc.errors import NEW_KEY, ConnectionLost, NotAnswered, NotTaken, TakenAllTheSame
from api.runs.journal import KAFKA_SECONDS
from api.runs.model import Run
from api.runs.store import Store, now
from api.runs.view import RunView
from messaging.runs.request import Request

WAITING = 48
"""At most this many requests of one process may wait for a service at the same time."""


class Dispatcher:
    """Takes requests for runs. No run is carried out more than once. Every method can raise Problem."""

    def __init__(self, store: Store, calls: Calls, runs_pending: int, waiting: int = WAITING):
        self._store = store
        self._calls = calls
        self._runs_pending = runs_pending
        self._places = {service: _places(service, waiting) for service in ("ping", "pong")}

    def send(self, request: Request, has_key: bool) -> Figures:
        """Make the service send now, and return its figures.

        If the client gave a key, the key is the run's id. Then only the first request with this id sends messages.
        The Problem links to the run if it may have begun, or if a kept run has this id and the same numbers.
        """
        self._refuse_if_too_many()
        may_have_begun = False
        try:
            with self._places[request.service].taken(), self._calls.connected(request.service) as call:
                if has_key:
                    self._accept_only_once(request)
                may_have_begun = True
                return call(request, has_key, lambda: self._note_taken(request, has_key))
        except (NotTaken, NotAnswered, ConnectionLost) as lost:
            problem = self._note_lost_call(request, lost, has_key)
            problem.run = request.run
            raise problem from None
        except Problem as problem:
            if may_have_begun:
                problem.run = request.run
            raise

    def queue(self, request: Request, wait_seconds: float = 0) -> RunView:
        """Put a new run on record and queue its call. If a run with this id exists, use that run instead.

        Return the run when it is over, or after `wait_seconds`.

        The Problem is 422 if the existing run has other numbers.
        """
        # Take the place first: if none is free, the run must not be on record.
        with self._places[request.service].taken() if wait_seconds else nullcontext():
            run = self._begin(request)
            return self._wait_until_over(run, wait_seconds)

    def _begin(self, request: Request) -> Run:
        run, is_first = self._store.find(request.run), False
        if run is None:
            self._refuse_if_dropped(request)
            self._refuse_if_too_many()
            run, is_first = self._store.accept(request)
        _refuse_if_other(run, request)
        try:
            if is_first or not self._store.wait_until_under_way(run, KAFKA_SECONDS):
                self._queue(run)
            if run.standing.failed is not None:
                raise Problem(503, f"{run.standing.failed} {NEW_KEY}")
        except Problem as problem:
            problem.run = run.id
            raise
        return run

    def _queue(self, run: Run) -> None:
        """Put the call into the service's queue. A second call is harmless, because it asks for the same run."""
        note = partial(self._store.note_queued, run.id)
        try:
            self._calls.queue(run.request)
        except NotTaken as problem:  # RabbitMQ may have the call. The failure on record keeps the service from sending.
            note = partial(self._store.fail, run.id, problem.reason)
        try:
            note()
            if not self._store.wait_until_under_way(run, KAFKA_SECONDS):
                raise no_kafka("the record of the run has not come back")
        except Problem as problem:  # perhaps no failure is on record, so the service may send if it has the call
            doubt = Problem(503, f"{problem.detail} The run may go on: see its link.")
            doubt.run = run.id
            raise doubt from None

    def _wait_until_over(self, run: Run, seconds: float) -> RunView:
        deadline = monotonic() + seconds
        while True:
            view = self._store.view(run)
            left = deadline - monotonic()
            if view.is_over or left <= 0:
                return view
            self._store.wait_for_change(run, view.version, left)

    def _accept_only_once(self, request: Request) -> None:
        """Put the run on record. Raises Problem 409 or 422 if another request had this id before."""
        run, is_first = self._store.find(request.run), False
        if run is None:
            self._refuse_if_dropped(request)
            run, is_first = self._store.accept(request)
        if is_first:
            return
        _refuse_if_other(run, request)
        if not self._store.wait_until_under_way(run, KAFKA_SECONDS):
            self._queue(run)  # perhaps another process accepted the run, and ended before it queued the call
        problem = Problem(409, "This Idempotency-Key was used before. The link leads to its run.")
        problem.run = request.run
        raise problem

    def _note_taken(self, request: Request, on_record: bool) -> None:
        if on_record:
            # The note is not necessary, because the service's claim also shows that RabbitMQ took the call.
            with suppress(Problem):
                self._store.note_queued(request.run)

    def _note_lost_call(
        self, request: Request, problem: NotTaken | NotAnswered | ConnectionLost, on_record: bool
    ) -> Problem:
        """Put the run on record, so that its link leads somewhere. Return the Problem for the client."""
        # If Kafka does not answer, the run need not be on record, because the service cannot send either.
        with suppress(Problem):
            if not on_record:
                # The run counts as created now. With the time of the request, it could be stalled from the start.
                self._store.note(replace(request, created=now()))
            if not isinstance(problem, NotTaken):
                self._store.note_queued(request.run, on_disk=on_record)
                return problem
            self._store.fail(request.run, problem.reason)
            run = self._store.get(request.run)
            if self._store.wait_until_under_way(run, KAFKA_SECONDS) and run.standing.failed is None:
                return TakenAllTheSame(request.service)
        return problem

    def _refuse_if_too_many(self) -> None:
        if self._store.unfinished() >= self._runs_pending:
            raise Problem(503, f"{self._runs_pending} runs are under way. Try again when some have ended.")

    def _refuse_if_dropped(self, request: Request) -> None:
        if self._store.is_dropped(request.run):
            detail = "This Idempotency-Key was used before, by a run that is too old to be shown."
            raise Problem(409, detail, request.run)


def _refuse_if_other(run: Run, request: Request) -> None:
    """Raise Problem 422 if the run has other numbers than the request."""
    asked = run.request
    if asked != replace(request, created=asked.created):
        path = f"/{asked.service}/{asked.num_messages}/{asked.size}"
        path += "" if asked.rate is None else f"?rate={asked.rate}"
        raise Problem(422, f"This Idempotency-Key belongs to {path}; use a new one.", run.id)


def _places(service: str, count: int) -> Places:
    return Places(
        count, f"{count} requests already wait for {service}. Try again later, or do not wait for the result."
    )
