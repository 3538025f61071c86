"""Queued runs: what is put on record and when, who waits for them, and how many there may be."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from api.problems import Problem
from tests.unit.api_fakes import Records, Topics, asked, seen, wait_until
from tests.unit.api_processes import FIGURES, LOST, FakeCalls, Process, finish, new_run, refused


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr("api.runs.store.BEHIND_SECONDS", 0.01)
    monkeypatch.setattr("api.runs.dispatch.KAFKA_SECONDS", 0.01)


@pytest.fixture
def topics():
    return Topics()


@pytest.fixture
def calls():
    return FakeCalls()


@pytest.fixture
def api(topics, calls):
    return Process(topics, calls)


class TestQueueing:
    def test_a_run_is_put_on_record_before_it_is_queued_and_again_after_that(self, api, topics, calls):
        request = new_run()
        calls.on_call = lambda request: before.extend(topics.kinds(request.run))
        before = []
        run = api.queue(request)

        assert (run.state, run.request) == ("accepted", request)
        assert before == ["accepted"]
        assert calls.queued == [request]
        assert topics.kinds(request.run) == ["accepted", "queued"]

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

    def test_a_call_that_was_not_confirmed_fails_the_run_with_the_reason(self, api, topics, calls):
        calls.error = LOST
        request = new_run()
        problem = refused(503, api.queue, request)

        assert (problem.run, "RabbitMQ did not take the call" in problem.detail) == (request.run, True)
        assert topics.kinds(request.run) == ["accepted", "failed"]
        assert api.state(request.run) == "failed"

    def test_a_run_that_has_failed_is_503_for_every_later_request_and_is_not_queued(self, api, topics, calls):
        calls.error = LOST
        request = new_run()
        refused(503, api.queue, request)
        calls.error = None
        for process in api, Process(topics, calls):
            assert "new Idempotency-Key" in refused(503, process.queue, new_run(run=request.run)).detail

        assert calls.queued == []

    def test_a_run_that_could_not_be_queued_waits_for_a_request_that_can_queue_it(self, api, topics, calls):
        calls.error = Problem(503, "RabbitMQ does not answer")
        request = new_run()
        assert refused(503, api.queue, request).run == request.run
        assert topics.kinds(request.run) == ["accepted"]

        calls.error = None
        assert api.queue(new_run(run=request.run)).state == "accepted"
        assert calls.queued == [request]
        assert topics.kinds(request.run) == ["accepted", "queued"]

    def test_without_kafka_a_request_is_503_and_nothing_is_queued(self, api, topics, calls):
        topics.is_down = True
        refused(503, api.queue, new_run())

        assert calls.queued == []

    @pytest.mark.parametrize("error", [None, LOST])
    def test_a_failure_of_kafka_after_the_call_is_503_and_says_that_the_run_may_go_on(self, api, topics, calls, error):
        def fail(request):
            topics.is_down = True

        calls.on_call, calls.error = fail, error
        request = new_run()
        problem = refused(503, api.queue, request)

        assert problem.detail.endswith("The run may go on: see its link.")
        assert problem.run == request.run

    def test_a_run_that_was_stopped_before_it_was_queued_is_not_queued(self, api, topics, calls):
        request = new_run()
        records = Records(request)
        topics.add(records.accepted())
        topics.add(records.stop())

        assert api.queue(new_run(run=request.run)).state == "stopped"
        assert calls.queued == []


class TestDeath:
    """A process dies between accepting and queueing."""

    class Killed(BaseException):
        pass

    @pytest.fixture
    def accepted(self, api, calls):
        """The request for a run. The process that accepted the run has died."""
        request = new_run()

        def die(request):
            calls.on_call = lambda request: None
            raise self.Killed

        calls.on_call = die
        with pytest.raises(self.Killed):
            api.queue(request)
        return request

    def test_the_next_request_with_the_key_queues_the_run(self, topics, calls, accepted):
        survivor = Process(topics, calls)

        assert survivor.queue(new_run(run=accepted.run)).state == "accepted"
        assert calls.queued == [accepted]
        assert topics.kinds(accepted.run) == ["accepted", "queued"]
        assert survivor.queue(new_run(run=accepted.run)).request == accepted
        assert calls.queued == [accepted], "once is enough"

    def test_a_run_that_an_instance_has_begun_is_not_queued_again(self, topics, calls, accepted):
        topics.add(Records(accepted).claim())

        assert Process(topics, calls).queue(new_run(run=accepted.run)).request == accepted
        assert calls.queued == []


class TestWaiting:
    def test_the_client_gets_the_run_when_it_is_over(self, api, topics, calls):
        request = new_run(service="pong")
        with ThreadPoolExecutor(1) as pool:
            response = pool.submit(api.queue, request, 10)
            wait_until(lambda: calls.queued)
            finish(topics, request)
            run = response.result(5)

        assert (run.state, run.is_over, run.has_arrived) == ("done", True, True)

    def test_the_client_gets_the_run_as_it_is_when_the_time_is_up(self, api, topics):
        request = new_run()

        assert api.queue(request, 0.01).state == "accepted"
        topics.add(Records(request).sent("sending", seen([1])))
        assert api.queue(request, 0.01).state == "sending"

    def test_a_request_leaves_no_record_if_too_many_requests_already_wait_for_its_service(self, topics, calls):
        api = Process(topics, calls, waiting=1)
        first, late = new_run(service="pong"), new_run(service="pong")
        with ThreadPoolExecutor(1) as pool:
            waits = pool.submit(api.queue, first, 10)
            wait_until(lambda: calls.queued)
            refused(503, api.queue, late, 10)
            refused(503, api.send, late, False)
            assert topics.kinds(late.run) == []

            assert api.queue(late).state == "accepted", "a request that does not wait needs no place"
            assert api.send(new_run(service="ping"), False) == FIGURES, "each service has its own places"
            finish(topics, first)
            assert waits.result(5).is_over
        assert api.send(new_run(service="pong"), False) == FIGURES, "the place is free again"

    def test_a_place_is_free_again_after_an_error(self, topics, calls):
        api = Process(topics, calls, waiting=1)
        calls.error = Problem(503, "failed")
        refused(503, api.send, new_run(), False)
        refused(503, api.queue, new_run(), 10)
        calls.error = None

        assert api.send(new_run(), False) == FIGURES


class TestRunsPending:
    def test_a_new_run_is_503_and_leaves_no_record_while_too_many_runs_are_under_way(self, topics, calls):
        api = Process(topics, calls, runs_pending=2)
        for _ in range(2):
            api.queue(new_run())
        late = new_run()
        refused(503, api.queue, late)
        refused(503, api.send, late, True)

        assert topics.kinds(late.run) == []
        assert (len(calls.queued), calls.called) == (2, [])

    def test_a_known_run_can_still_be_asked_for(self, topics, calls):
        api = Process(topics, calls, runs_pending=1)
        request = new_run()
        api.queue(request)

        assert api.queue(new_run(run=request.run)).request == request

    def test_the_limit_does_not_count_runs_that_are_over_or_have_stalled_after_their_first_message(self, topics, calls):
        api = Process(topics, calls, runs_pending=1)
        over = new_run(service="pong")
        api.queue(over)
        finish(topics, over)
        stalled = asked()  # created years ago
        api.queue(stalled)
        topics.add(Records(stalled).sent("sending", seen([1])))

        assert api.send(new_run(), False) == FIGURES

    def test_runs_still_count_while_they_wait_for_a_service_that_is_down(self, topics, calls):
        api = Process(topics, calls, runs_pending=2)
        for _ in range(2):
            api.queue(asked())  # created years ago
        refused(503, api.queue, new_run())

        assert len(calls.queued) == 2
