"""How a run gets to its service, with all that can come between."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from api.problems import Problem
from api.rpc.errors import NotAnswered, NotTaken, not_running
from api.runs.dispatch import Dispatcher
from api.runs.store import Store, now
from tests.unit.api_fakes import Records, Topic, asked, seen, wait_until

FIGURES = {"num_messages": 10}
LOST = NotTaken(TimeoutError())


class FakeCalls:
    """ping and pong. `error` is raised instead of an answer; `on_call` happens while a call is under way."""

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

    def _call(self, request):
        self.called.append(request)
        self.on_call(request)
        if self.error:
            raise self.error
        return FIGURES

    def queue(self, request):
        self.on_call(request)
        if self.error:
            raise self.error
        self.queued.append(request)


class Process:
    """An API process: its store and its dispatcher, over calls and a topic that it shares with others."""

    def __init__(self, topic: Topic, calls: FakeCalls, runs_pending: int = 100, waiting: int = 48):
        self.store = Store(topic.journal(), runs_kept=1000, stalled_after=30)
        dispatcher = Dispatcher(self.store, calls, runs_pending, waiting)
        self.send, self.queue = dispatcher.send, dispatcher.queue


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr("api.runs.store.BEHIND_SECONDS", 0.01)


@pytest.fixture
def topic():
    return Topic()


@pytest.fixture
def calls():
    return FakeCalls()


@pytest.fixture
def api(topic, calls):
    return Process(topic, calls)


def new_run(**options):
    return asked(created=now(), **options)


def refused(status: int, attempt, *arguments) -> Problem:
    """The problem that this ends in."""
    with pytest.raises(Problem) as raised:
        attempt(*arguments)
    assert raised.value.status == status, raised.value.detail
    return raised.value


def finish(topic: Topic, request) -> None:
    """Let a run of pong be sent and received."""
    records, numbers = Records(request), range(request.num_messages)
    topic.add(records.sent("sent", seen(numbers)))
    topic.add(records.stage("ping_received", seen(numbers)))


class TestSendingNow:
    def test_the_client_gets_the_figures_and_the_service_keeps_the_record(self, api, topic, calls):
        request = new_run()

        assert api.send(request, False) == FIGURES
        assert calls.called == [request]
        assert topic.kinds(request.run) == []

    def test_with_a_key_the_run_is_on_record_before_the_service_begins(self, api, topic, calls):
        request = new_run()
        calls.on_call = lambda request: before.extend(topic.kinds(request.run))
        before = []

        assert api.send(request, True) == FIGURES
        assert before == ["accepted"]

    def test_a_key_that_was_used_before_is_409_with_a_link_and_sends_nothing(self, api, calls):
        request = new_run()
        api.send(request, True)

        assert refused(409, api.send, new_run(run=request.run), True).run == request.run
        assert calls.called == [request]

    def test_a_key_that_belongs_to_other_numbers_is_422(self, api, calls):
        request = new_run(num_messages=300)
        api.send(request, True)
        problem = refused(422, api.send, new_run(run=request.run, num_messages=301), True)

        assert "/ping/300/5" in problem.detail
        assert problem.run is None
        assert len(calls.called) == 1

    def test_without_the_service_it_is_503_and_nothing_is_left_behind(self, api, topic, calls):
        calls.is_running = False
        request = new_run()

        assert refused(503, api.send, request, True).run is None
        assert topic.records == []

    def test_a_service_that_fails_is_503_with_a_link(self, api, calls):
        calls.error = Problem(503, "it did not finish")
        request = new_run()

        assert refused(503, api.send, request, False).run == request.run

    def test_a_call_without_an_answer_goes_on_and_its_link_leads_somewhere(self, api, topic, calls):
        calls.error = NotAnswered("ping", 15)
        request = new_run()

        assert refused(504, api.send, request, False).run == request.run
        assert api.store.summary(api.store.get(request.run)).state == "accepted"

    def test_its_record_counts_from_the_timeout_not_from_the_request(self, api, calls):
        calls.error = NotAnswered("ping", 15)
        request = asked()  # years ago
        refused(504, api.send, request, False)

        assert api.store.summary(api.store.get(request.run)).stalled is None

    def test_a_call_that_was_not_confirmed_is_revoked_and_on_record(self, api, topic, calls):
        calls.error = LOST
        request = new_run()

        assert refused(503, api.send, request, False).run == request.run
        assert topic.kinds(request.run) == ["accepted", "stop"]
        assert api.store.summary(api.store.get(request.run)).state == "stopped"

    @pytest.mark.parametrize("error", [LOST, NotAnswered("ping", 15)], ids=["not taken", "not answered"])
    def test_the_client_learns_of_a_lost_call_also_without_kafka(self, api, topic, calls, error):
        calls.error = error
        topic.is_down = True
        request = new_run()

        assert refused(error.status, api.send, request, False).run == request.run


class TestQueueing:
    def test_a_run_is_put_on_record_then_queued(self, api, topic, calls):
        request = new_run()
        calls.on_call = lambda request: before.extend(topic.kinds(request.run))
        before = []
        run = api.queue(request)

        assert (run.state, run.request) == ("accepted", request)
        assert before == ["accepted"]
        assert calls.queued == [request]

    def test_a_second_request_of_the_same_id_gets_the_run_and_queues_nothing(self, api, calls):
        request = new_run()
        api.queue(request)

        assert api.queue(new_run(run=request.run)).request == request
        assert calls.queued == [request]

    def test_a_second_request_with_other_numbers_is_422(self, api, calls):
        request = new_run(num_messages=300)
        api.queue(request)

        assert "/ping/300/5" in refused(422, api.queue, new_run(run=request.run, size=6)).detail
        assert len(calls.queued) == 1

    def test_a_call_that_was_not_confirmed_stops_the_run(self, api, topic, calls):
        calls.error = LOST
        request = new_run()
        refused(503, api.queue, request)

        assert topic.kinds(request.run) == ["accepted", "stop"]
        assert api.store.summary(api.store.get(request.run)).state == "stopped"

    def test_a_run_that_could_not_be_queued_is_withdrawn_and_its_id_can_be_used_again(self, api, topic, calls):
        calls.error = Problem(503, "RabbitMQ does not answer")
        request = new_run()
        refused(503, api.queue, request)
        assert topic.kinds(request.run) == ["accepted", "withdrawn"]

        calls.error = None
        assert api.queue(request).state == "accepted"
        assert calls.queued == [request]

    def test_without_kafka_it_is_503_and_nothing_is_queued(self, api, topic, calls):
        topic.is_down = True
        refused(503, api.queue, new_run())

        assert calls.queued == []


class TestRaces:
    """Two API processes with one topic."""

    @pytest.fixture
    def other(self, topic, calls):
        return Process(topic, calls)

    def test_of_two_requests_at_the_same_time_one_is_queued(self, api, other, topic, calls):
        request, same = new_run(), None
        same = new_run(run=request.run)
        with ThreadPoolExecutor(2) as pool:
            with topic.held():
                answers = [pool.submit(api.queue, request), pool.submit(other.queue, same)]
                wait_until(lambda: topic.kinds(request.run) == ["accepted", "accepted"])
            runs = [answer.result(5) for answer in answers]

        assert runs[0].request == runs[1].request
        assert len(calls.queued) == 1
        assert topic.kinds(request.run) == ["accepted", "accepted", "withdrawn"]

    def test_of_two_different_requests_at_the_same_time_one_is_422(self, api, other, topic, calls):
        request = new_run(num_messages=1)
        with ThreadPoolExecutor(2) as pool:
            with topic.held():
                answers = [pool.submit(api.queue, request)]
                wait_until(lambda: topic.kinds(request.run) == ["accepted"])
                answers.append(pool.submit(other.queue, new_run(run=request.run, num_messages=2)))
                wait_until(lambda: topic.kinds(request.run) == ["accepted", "accepted"])
            assert answers[0].result(5).request == request
            assert refused(422, answers[1].result, 5)

        assert calls.queued == [request]

    def test_of_two_callers_at_the_same_time_one_calls_and_the_other_is_409(self, api, other, topic, calls):
        request = new_run()
        with ThreadPoolExecutor(2) as pool:
            with topic.held():
                first = pool.submit(api.send, request, True)
                wait_until(lambda: topic.kinds(request.run) == ["accepted"])
                second = pool.submit(other.send, new_run(run=request.run), True)
                wait_until(lambda: topic.kinds(request.run) == ["accepted", "accepted"])
            assert first.result(5) == FIGURES
            assert refused(409, second.result, 5).run == request.run

        assert calls.called == [request]

    def test_who_waits_for_a_run_that_is_withdrawn_hears_of_it(self, api, other, topic, calls):
        """The first request cannot queue the run while a second one waits for it already."""
        request = new_run()
        may_fail = threading.Event()
        calls.on_call = lambda request: may_fail.wait(5)
        calls.error = Problem(503, "RabbitMQ does not answer")
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(api.queue, request)
            wait_until(lambda: other.store.find(request.run))
            second = pool.submit(other.queue, new_run(run=request.run), 10)
            may_fail.set()
            refused(503, first.result, 5)

            assert "could not queue it" in refused(503, second.result, 5).detail
        assert calls.queued == []


class TestWaiting:
    def test_the_client_gets_the_run_when_it_is_over(self, api, topic, calls):
        request = new_run(service="pong")
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(api.queue, request, 10)
            wait_until(lambda: calls.queued)
            finish(topic, request)
            run = answer.result(5)

        assert (run.state, run.is_over, run.has_arrived) == ("done", True, True)

    def test_the_client_gets_the_run_as_it_is_when_the_time_is_up(self, api, topic):
        request = new_run()

        assert api.queue(request, 0.01).state == "accepted"
        topic.add(Records(request).sent("sending", seen([1])))
        assert api.queue(request, 0.01).state == "sending"

    def test_only_so_many_wait_for_a_service_and_the_others_leave_nothing_behind(self, topic, calls):
        api = Process(topic, calls, waiting=1)
        first, late = new_run(service="pong"), new_run(service="pong")
        with ThreadPoolExecutor(1) as pool:
            waits = pool.submit(api.queue, first, 10)
            wait_until(lambda: calls.queued)
            refused(503, api.queue, late, 10)
            refused(503, api.send, late, False)
            assert topic.kinds(late.run) == []

            assert api.queue(late).state == "accepted", "needs no place"
            assert api.send(new_run(service="ping"), False) == FIGURES, "is another service"
            finish(topic, first)
            assert waits.result(5).is_over
        assert api.send(new_run(service="pong"), False) == FIGURES, "the place is free again"

    def test_a_place_is_free_again_after_an_error(self, topic, calls):
        api = Process(topic, calls, waiting=1)
        calls.error = Problem(503, "failed")
        refused(503, api.send, new_run(), False)
        refused(503, api.queue, new_run(), 10)
        calls.error = None

        assert api.send(new_run(), False) == FIGURES


class TestRunsPending:
    def test_too_many_runs_under_way_are_503_and_leave_nothing_behind(self, topic, calls):
        api = Process(topic, calls, runs_pending=2)
        for _ in range(2):
            api.queue(new_run())
        late = new_run()
        refused(503, api.queue, late)
        refused(503, api.send, late, True)

        assert topic.kinds(late.run) == []
        assert (len(calls.queued), calls.called) == (2, [])

    def test_a_known_run_can_be_asked_for_all_the_same(self, topic, calls):
        api = Process(topic, calls, runs_pending=1)
        request = new_run()
        api.queue(request)

        assert api.queue(new_run(run=request.run)).request == request

    def test_runs_that_are_over_or_stalled_do_not_count(self, topic, calls):
        api = Process(topic, calls, runs_pending=1)
        over = new_run(service="pong")
        api.queue(over)
        finish(topic, over)
        api.queue(asked())  # of years ago, so it is stalled

        assert api.send(new_run(), False) == FIGURES
