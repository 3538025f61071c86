"""Two API processes that get requests with one key at the same time."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from api.problems import Problem
from tests.unit.api_fakes import Topics, wait_until
from tests.unit.api_processes import FIGURES, LOST, FakeCalls, Process, new_run, refused


@pytest.fixture
def topics():
    return Topics()


@pytest.fixture
def calls():
    return FakeCalls()


@pytest.fixture
def here(topics, calls):
    return Process(topics, calls)


@pytest.fixture
def there(topics, calls):
    return Process(topics, calls)


@pytest.fixture
def pool():
    with ThreadPoolExecutor(2) as pool:
        yield pool


def test_two_requests_at_the_same_time_queue_the_run_once(here, there, topics, calls, pool):
    request = new_run()
    with topics.held():
        responses = [pool.submit(process.queue, new_run(run=request.run)) for process in (here, there)]
        wait_until(lambda: topics.kinds(request.run) == ["accepted", "accepted"])
    runs = [response.result(5) for response in responses]

    assert runs[0].request == runs[1].request
    assert len(calls.queued) == 1
    assert topics.kinds(request.run) == ["accepted", "accepted", "queued"]


def test_of_two_different_requests_at_the_same_time_one_is_422(here, there, topics, calls, pool):
    request = new_run(num_messages=1)
    with topics.held():
        first = pool.submit(here.queue, request)
        wait_until(lambda: topics.kinds(request.run) == ["accepted"])
        second = pool.submit(there.queue, new_run(run=request.run, num_messages=2))
        wait_until(lambda: topics.kinds(request.run) == ["accepted", "accepted"])

    assert first.result(5).request == request
    assert refused(422, second.result, 5)
    assert calls.queued == [request]


def test_of_two_waiting_requests_at_the_same_time_one_sends_and_the_other_is_409(here, there, topics, calls, pool):
    request = new_run()
    with topics.held():
        first = pool.submit(here.send, request, True)
        wait_until(lambda: topics.kinds(request.run) == ["accepted"])
        second = pool.submit(there.send, new_run(run=request.run), True)
        wait_until(lambda: topics.kinds(request.run) == ["accepted", "accepted"])

    assert first.result(5) == FIGURES
    assert refused(409, second.result, 5).run == request.run
    assert calls.called == [request]
    assert calls.queued == []


class TestAFirstRequestThatCannotQueueTheRun:
    """A second request with the same key waits while the first request tries to queue the run."""

    @pytest.fixture
    def attempt(self, here, there, calls, pool):
        """Makes both requests. The call of the first one raises the error. Returns the request and both futures."""

        def attempt(error: Problem):
            request, may_end = new_run(), threading.Event()

            def fail(request):
                calls.on_call = lambda request: None
                may_end.wait(5)
                raise error

            calls.on_call = fail
            first = pool.submit(here.queue, request)
            wait_until(lambda: there.store.find(request.run))
            second = pool.submit(there.queue, new_run(run=request.run))
            may_end.set()
            return request, first, second

        return attempt

    def test_the_second_one_is_503_too_if_the_call_was_not_confirmed(self, attempt, topics, calls):
        request, first, second = attempt(LOST)
        refused(503, first.result, 10)

        assert "RabbitMQ did not take the call" in refused(503, second.result, 10).detail
        assert topics.kinds(request.run) == ["accepted", "failed"]
        assert calls.queued == []

    def test_the_second_one_queues_the_run_if_the_first_one_could_not(self, monkeypatch, attempt, topics, calls):
        monkeypatch.setattr("api.runs.dispatch.KAFKA_SECONDS", 0.2)
        request, first, second = attempt(Problem(503, "RabbitMQ does not answer"))
        refused(503, first.result, 10)

        assert second.result(10).request == request
        assert topics.kinds(request.run) == ["accepted", "queued"]
        assert calls.queued == [request]
