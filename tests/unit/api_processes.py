"""API processes without brokers. Each has a store and a dispatcher. All use the same topics of the journal."""

from contextlib import contextmanager

import pytest

from api.problems import Problem
from api.rpc.errors import NotTaken, not_running
from api.runs.dispatch import Dispatcher
from api.runs.store import Store, now
from tests.unit.api_fakes import Records, Topics, asked, seen

FIGURES = {"num_messages": 10}
LOST = NotTaken(TimeoutError())


class FakeCalls:
    """Fake calls to ping and pong. Each call runs `on_call` first. If `error` is set, the call then raises `error`."""

    def __init__(self):
        self.is_running = True
        self.error: Problem | None = None
        self.on_call = lambda request: None
        self.called = []
        self.queued = []

    @contextmanager
    def connected(self, service):
        if not self.is_running:
            raise not_running(service)
        yield self._call

    def _call(self, request, on_record, on_taken):
        self.called.append(request)
        self.on_call(request)
        if isinstance(self.error, NotTaken):
            raise self.error
        on_taken()
        if self.error:
            raise self.error
        return FIGURES

    def queue(self, request):
        self.on_call(request)
        if self.error:
            raise self.error
        self.queued.append(request)


class Process:
    """An API process."""

    def __init__(self, topics: Topics, calls, runs_pending=100, waiting=48, runs_kept=1000, stalled_after=30):
        self.journal = topics.journal()
        self.store = Store(self.journal, runs_kept, stalled_after)
        dispatcher = Dispatcher(self.store, calls, runs_pending, waiting)
        self.send, self.queue = dispatcher.send, dispatcher.queue

    def state(self, run) -> str:
        """The state of a run as this process shows it."""
        return self.store.summary(self.store.get(run)).state


def new_run(**options):
    return asked(created=now(), **options)


def refused(status: int, attempt, *arguments) -> Problem:
    """Return the problem that this attempt raises. It must have this status."""
    with pytest.raises(Problem) as raised:
        attempt(*arguments)
    assert raised.value.status == status, raised.value.detail
    return raised.value


def finish(topics: Topics, request) -> None:
    """Put on record that a run of pong was sent and has arrived at ping."""
    records, numbers = Records(request), range(request.num_messages)
    topics.add(records.sent("sent", seen(numbers)))
    topics.add(records.stage("ping_received", seen(numbers)))
