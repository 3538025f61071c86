"""An accepted run is carried out, even if requests with the same key race. Hypothesis tries many orders.

Requests, the janitor, the service, and API processes that read the journal are greenlets of one thread. They switch
whenever one of them uses RabbitMQ or writes to the journal. All timeouts are 0: a record that has not arrived yet
counts as missing.
"""

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import combinations, product
from typing import Any

import pytest
from greenlet import GreenletExit, getcurrent, greenlet
from hypothesis import given, settings
from hypothesis import strategies as st

from api.problems import Problem
from api.rpc.errors import NotAnswered, NotTaken, not_running
from api.runs.janitor import Janitor
from messaging.journal.requests import RUN_REQUESTS, Standing, decode
from tests.unit.api_fakes import RUN, Records, Topics
from tests.unit.api_processes import FIGURES, Process, new_run

ENDS = "confirmed", "confirmed too late", "lost", "impossible"
"""The results of queueing a call. With "confirmed too late", RabbitMQ has the call, but the API does not know it."""


def others_first() -> None:
    """Let the other greenlets run."""
    if getcurrent().parent is not None:
        getcurrent().parent.switch()


class World:
    """RabbitMQ, a service and two API processes, which get requests for one run."""

    def __init__(self, choose: Callable[[Sequence], Any]):
        self.choose = choose
        self.topics = Topics()
        self.in_queue = 0
        self.claims = 0
        self.carried_out = False
        self.statuses: list[int] = []
        self.processes = [self.start_process() for _ in range(2)]
        for process in self.processes:
            process.journal.lags = True
            process.journal.write = partial(self._write, process.journal.write)

    def start_process(self) -> Process:
        """Start an API process. It reads the journal. It counts a run as stalled immediately."""
        process = Process(self.topics, self, stalled_after=0)
        process.store.find(RUN)
        return process

    @contextmanager
    def connected(self, service):
        yield self._call

    def queue(self, request):
        others_first()
        end = self.choose(ENDS)
        if end == "impossible":
            raise not_running("ping")
        self.in_queue += end != "lost"
        if end != "confirmed":
            raise NotTaken(TimeoutError())

    def _call(self, request, on_record, on_taken):
        self.queue(request)
        on_taken()
        for _ in range(3):
            others_first()
            if self.carried_out:
                return FIGURES
        raise NotAnswered("ping", 15)

    def _write(self, write, record, wait=False):
        others_first()
        write(record, wait)

    def post(self, process: Process) -> None:
        self._ask(202, process.queue, new_run(run=RUN))

    def get(self, process: Process) -> None:
        self._ask(200, process.send, new_run(run=RUN), True)

    def _ask(self, status: int, ask: Callable, *arguments) -> None:
        try:
            ask(*arguments)
        except Problem as problem:
            status = problem.status
        self.statuses.append(status)

    def read(self, process: Process) -> None:
        process.journal.read()

    def tidy_up(self, process: Process) -> None:
        Janitor(process.store, lambda group: 1, list, 0).look()

    def serve(self) -> None:
        """An instance takes a call and claims the run. Then it sends the run, but not if the run has failed."""
        if self.in_queue:
            self.in_queue -= 1
            self.claims += 1
            self.topics.add(Records(new_run(run=RUN)).claim(f"host:1/a.{self.claims}"))
            others_first()
            self.carried_out |= self.standing().failed is None

    def settle(self) -> None:
        """Finish all work that is under way."""
        while self.in_queue:
            self.serve()
        for process in self.processes:
            process.journal.read()
            self.tidy_up(process)

    def standing(self) -> Standing:
        """Return the standing of the run, from all its records."""
        standing = Standing()
        for offset, key, value in self.topics.records[RUN_REQUESTS]:
            standing.apply(decode(key, value, offset))
        return standing


def play(world: World, turns: list[Callable[[], None]], lives: int = 100) -> None:
    """Run `turns` as greenlets, in an order that the world chooses.

    The greenlet of `turns[0]` is killed after `lives` - 1 steps.
    """
    alive = [greenlet(turn) for turn in turns]
    first = alive[0]
    while alive:
        actor = world.choose(alive)
        if actor is first:
            lives -= 1
        if lives or actor is not first:
            actor.switch()
        else:
            actor.throw(GreenletExit)
        alive = [actor for actor in alive if not actor.dead]


def check(world: World) -> None:
    """Check that a run is carried out if a response was 200 or 202, and that all processes show the same state."""
    standing = world.standing()
    if {200, 202} & set(world.statuses):
        assert world.carried_out
    assert world.carried_out == (bool(standing.claims) and standing.failed is None)
    if standing.accepted_by is not None:
        assert standing.under_way or standing.failed is not None, "the run is accepted, but nobody has it"
        state = world.processes[0].state(RUN)
        assert state == ("accepted" if standing.failed is None else "failed")
        assert [process.state(RUN) for process in (world.processes[1], world.start_process())] == [state] * 2
        world.topics.compact()
        assert world.start_process().state(RUN) == state


@pytest.fixture(autouse=True, scope="module")
def at_once():
    """Set all timeouts to 0."""
    with pytest.MonkeyPatch.context() as patch:
        for name in "store.KAFKA_SECONDS", "store.BEHIND_SECONDS", "dispatch.KAFKA_SECONDS":
            patch.setattr(f"api.runs.{name}", 0)
        yield


@settings(max_examples=200)
@given(st.data())
def test_a_run_that_was_reported_as_accepted_or_sent_is_carried_out(data):
    world = World(lambda options: options[data.draw(st.integers(0, len(options) - 1))])
    first, second = world.processes
    method = st.sampled_from([world.post, world.get])
    turns = [partial(data.draw(method), process) for process in (first, second, first)]
    for do in world.tidy_up, world.read:
        turns += [partial(do, first), partial(do, second)]
    play(world, [*turns, world.serve, world.serve], lives=data.draw(st.sampled_from([100, *range(1, 10)])))
    world.settle()
    check(world)


@pytest.mark.parametrize("ends", list(product(ENDS, ENDS)), ids=" and ".join)
@pytest.mark.parametrize("methods", [("post", "post"), ("post", "get"), ("get", "get")], ids=" and ".join)
def test_an_accepted_run_is_carried_out_in_whatever_order_two_requests_take_their_steps(methods, ends):
    for order in combinations(range(8), 4):
        rest, calls = iter([step in order for step in range(8)]), iter(ends)

        def choose(options, rest=rest, calls=calls):
            return next(calls) if options is ENDS else options[-1 if next(rest, True) else 0]

        world = World(choose)
        play(world, [partial(getattr(world, name), of) for name, of in zip(methods, world.processes, strict=True)])
        world.settle()
        check(world)
