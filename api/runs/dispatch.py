"""How a run gets to its service: called while the client waits, or queued for later.

Here several requests race for one id, and a call may be lost on its way. So the store and the calls come in as
arguments: tests run every order of events without a broker.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from time import monotonic
from typing import Protocol

from api.places import Places
from api.problems import Problem
from api.rpc.calls import Figures
from api.rpc.errors import NotAnswered, NotTaken
from api.runs.model import Run, RunView
from api.runs.store import Store, now
from messaging.runs.request import Request

WAITING = 48
"""The most requests of one process that may wait for a service at once."""


class Calls(Protocol):
    """`api.rpc.calls.Calls`, as far as it is used here."""

    def connected(self, service: str) -> AbstractContextManager[Callable[[Request], Figures]]: ...
    def queue(self, request: Request) -> None: ...


class Dispatcher:
    """Takes requests for runs, each of which it carries out once. Every method raises Problem."""

    def __init__(self, store: Store, calls: Calls, runs_pending: int, waiting: int = WAITING):
        self._store = store
        self._calls = calls
        self._runs_pending = runs_pending
        self._places = {service: _places(service, waiting) for service in ("ping", "pong")}

    def send(self, request: Request, has_key: bool) -> Figures:
        """Have the service send now, and return its figures. With a key, only the first request of that id sends.

        The Problem leads to the run if one has begun, or had the id before.
        """
        self._refuse_if_too_many()
        may_have_begun = False
        try:
            with self._places[request.service].taken(), self._calls.connected(request.service) as call:
                if has_key:
                    self._accept_only_once(request)
                may_have_begun = True
                return call(request)
        except (NotTaken, NotAnswered) as problem:
            self._note_lost_call(request, revoke=isinstance(problem, NotTaken))
            problem.run = request.run
            raise
        except Problem as problem:
            if may_have_begun:
                problem.run = request.run
            raise

    def queue(self, request: Request, wait_seconds: float = 0) -> RunView:
        """Accept a run and queue it, unless this id has a run already. Return the run, once it is over or time is up.

        The Problem is 422 if the id belongs to a run that asked for something else.
        """
        # Without a free place nothing may be left behind, so the place comes first.
        with self._places[request.service].taken() if wait_seconds else nullcontext():
            run = self._begin(request)
            return self._wait_until_over(run, wait_seconds)

    def _begin(self, request: Request) -> Run:
        run = self._store.find(request.run)
        if run is None:
            self._refuse_if_too_many()
            acceptance = self._store.accept(request)
            run = acceptance.run
            if acceptance.is_first:
                self._hand_over(request, acceptance.token)
        _refuse_if_other(run, request)
        return run

    def _hand_over(self, request: Request, token: str) -> None:
        try:
            self._calls.queue(request)
        except NotTaken:
            self._store.revoke(request.run)
            raise
        except Problem:
            self._store.withdraw(request.run, token)
            raise

    def _wait_until_over(self, run: Run, seconds: float) -> RunView:
        deadline = monotonic() + seconds
        while True:
            view = self._store.view(run)
            left = deadline - monotonic()
            if run.withdrawn:
                raise Problem(503, f"The request that began run {run.id} could not queue it, so nothing is sent.")
            if view.is_over or left <= 0:
                return view
            self._store.wait_for_change(run, view.version, left)

    def _accept_only_once(self, request: Request) -> None:
        acceptance = self._store.accept(request)
        if not acceptance.is_first:
            _refuse_if_other(acceptance.run, request)
            problem = Problem(409, "This Idempotency-Key was used before; the run is at the link.")
            problem.run = request.run
            raise problem

    def _note_lost_call(self, request: Request, revoke: bool) -> None:
        """Put the run on record, so that its link leads somewhere. The service may not have come to that yet."""
        with suppress(Problem):
            # Created now: a run that is as old as its timeout would count as stalled from its start.
            self._store.note(replace(request, created=now()))
        if revoke:
            self._store.revoke(request.run)

    def _refuse_if_too_many(self) -> None:
        if self._store.unfinished() >= self._runs_pending:
            raise Problem(503, f"{self._runs_pending} runs are under way; try again when some have ended.")


def _refuse_if_other(run: Run, request: Request) -> None:
    """Raise Problem 422 if the run asked for something else than the request."""
    asked = run.request
    if (asked.service, asked.num_messages, asked.size) != (request.service, request.num_messages, request.size):
        path = f"/{asked.service}/{asked.num_messages}/{asked.size}"
        raise Problem(422, f"This Idempotency-Key belongs to {path}; use a new one.")


def _places(service: str, count: int) -> Places:
    return Places(
        count, f"{count} requests wait for {service} already; try again later, or do not wait for the answer."
    )
