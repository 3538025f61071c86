"""A run whose client waits: how it gets to its service, and what the client learns."""

import pytest

from api.problems import Problem
from api.rpc.errors import ConnectionLost, NotAnswered
from tests.unit.api_fakes import Records, Topics, asked, seen
from tests.unit.api_processes import FIGURES, LOST, FakeCalls, Process, new_run, refused


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


def test_without_a_key_the_client_gets_the_figures_and_the_api_writes_no_record(api, topics, calls):
    request = new_run()

    assert api.send(request, False) == FIGURES
    assert calls.called == [request]
    assert topics.kinds(request.run) == []


def test_with_a_key_the_run_is_on_record_before_the_call_and_on_record_as_queued_after_it(api, topics, calls):
    request = new_run()
    calls.on_call = lambda request: before.extend(topics.kinds(request.run))
    before = []

    assert api.send(request, True) == FIGURES
    assert before == ["accepted"]
    assert topics.kinds(request.run) == ["accepted", "queued"]


def test_a_key_that_was_used_before_is_409_with_a_link_and_sends_nothing(api, calls):
    request = new_run()
    api.send(request, True)

    assert refused(409, api.send, new_run(run=request.run), True).run == request.run
    assert calls.called == [request]
    assert calls.queued == []


def test_a_key_that_belongs_to_other_numbers_is_422(api, calls):
    request = new_run(num_messages=300)
    api.send(request, True)
    problem = refused(422, api.send, new_run(run=request.run, num_messages=301), True)

    assert "/ping/300/5" in problem.detail
    assert problem.run is None
    assert len(calls.called) == 1


@pytest.mark.parametrize(("first", "second"), [(100, 200), (100, None), (None, 100)])
def test_a_key_that_belongs_to_another_rate_is_422(api, calls, first, second):
    request = new_run(num_messages=300, rate=first)
    api.send(request, True)
    for attempt in lambda other: api.send(other, True), api.queue:
        problem = refused(422, attempt, new_run(run=request.run, num_messages=300, rate=second))
        assert f"belongs to /ping/300/5{'?rate=100' if first else ''}; use" in problem.detail

    assert api.queue(new_run(run=request.run, num_messages=300, rate=first)).request.rate == first
    assert len(calls.called) == 1


def test_a_key_of_a_run_that_was_only_accepted_is_409_and_the_run_is_queued(api, topics, calls):
    """The process that accepted the run may have died."""
    request = new_run()
    topics.add(Records(request).accepted())

    assert refused(409, api.send, new_run(run=request.run), True).run == request.run
    assert (calls.called, calls.queued) == ([], [request])
    assert topics.kinds(request.run) == ["accepted", "queued"]


def test_without_the_service_a_request_is_503_and_leaves_no_record(api, topics, calls):
    calls.is_running = False
    request = new_run()

    assert refused(503, api.send, request, True).run is None
    assert topics.kinds(request.run) == []


def test_a_service_that_fails_is_503_with_a_link_and_the_api_writes_no_record(api, topics, calls):
    calls.error = Problem(503, "it did not finish")
    request = new_run()

    assert refused(503, api.send, request, False).run == request.run
    assert topics.kinds(request.run) == []


def test_a_run_is_on_record_if_the_connection_is_lost_before_the_reply(api, calls):
    calls.error = ConnectionLost("ping", OSError("gone"))
    request = new_run()

    assert refused(503, api.send, request, False).run == request.run
    assert api.state(request.run) == "accepted"
    assert not api.store.get(request.run).standing.on_disk


@pytest.mark.parametrize("has_key", [False, True])
def test_the_run_goes_on_and_the_link_leads_to_it_if_the_reply_is_late(api, topics, calls, has_key):
    calls.error = NotAnswered("ping", 15)
    request = new_run()

    assert refused(504, api.send, request, has_key).run == request.run
    assert api.state(request.run) == "accepted"
    assert api.store.get(request.run).standing.queued, "RabbitMQ has the call"
    assert api.store.get(request.run).standing.on_disk == has_key


def test_the_run_is_not_stalled_at_once_if_the_reply_is_late(api, calls):
    calls.error = NotAnswered("ping", 15)
    request = asked()  # created years ago
    refused(504, api.send, request, False)

    assert api.store.summary(api.store.get(request.run)).stalled is None


@pytest.mark.parametrize("has_key", [False, True])
def test_a_run_is_on_record_as_failed_if_its_call_was_not_confirmed(api, topics, calls, has_key):
    calls.error = LOST
    request = new_run()

    assert refused(503, api.send, request, has_key).run == request.run
    assert topics.kinds(request.run) == ["accepted", "failed"]
    run = api.store.summary(api.store.get(request.run))
    assert (run.state, "RabbitMQ did not take the call" in run.reason) == ("failed", True)


@pytest.mark.parametrize("has_key", [False, True])
@pytest.mark.parametrize("step", ["claim", "queued"])
def test_a_client_whose_call_was_not_confirmed_learns_that_the_run_goes_on_anyway(api, topics, calls, has_key, step):
    calls.error = LOST
    request = new_run()
    records = Records(request)
    calls.on_call = lambda request: topics.add(getattr(records, step)())
    problem = refused(503, api.send, request, has_key)

    assert problem.run == request.run
    assert "ping has it. The run goes on" in problem.detail
    assert api.state(request.run) == "accepted"


@pytest.mark.parametrize("error", [LOST, NotAnswered("ping", 15)], ids=["not taken", "not answered"])
def test_without_kafka_the_client_still_learns_that_its_call_was_not_taken_or_not_answered(api, topics, calls, error):
    calls.error = error
    topics.is_down = True
    request = new_run()

    assert refused(error.status, api.send, request, False).run == request.run


def test_a_run_without_a_key_stays_the_same_when_its_id_is_used_as_a_key(topics, calls):
    # Given a run that was sent without a key
    api = Process(topics, calls)
    request = new_run()
    api.send(request, False)
    records = Records(request)
    topics.add(records.claim())
    topics.add(records.sent("sent", seen(range(10))))

    # When its id is used as a key
    assert refused(409, api.send, new_run(run=request.run), True).run == request.run

    # Then the run is unchanged, in this process and in a new one
    for process in api, Process(topics, calls):
        assert process.state(request.run) == "bouncing"
        assert process.store.get(request.run).request == request
        assert refused(409, process.send, new_run(run=request.run), True).run == request.run
    assert calls.called == [request]
    assert calls.queued == []


def test_a_run_without_a_key_is_recognized_by_a_process_that_has_not_yet_read_its_claim(api, topics, calls):
    request = new_run(num_messages=10)
    api.store.find(request.run)
    api.journal.lags = True
    topics.add(Records(request).claim())

    assert refused(409, api.send, new_run(run=request.run, num_messages=10), True).run == request.run
    api.journal.lags = True
    other = new_run()
    topics.add(Records(other).claim())
    refused(422, api.queue, new_run(run=other.run, num_messages=20))
    assert (calls.called, calls.queued) == ([], [])


def test_a_key_that_is_the_id_of_a_run_with_other_numbers_is_422_and_the_run_stays(api, topics, calls):
    request = new_run(num_messages=10)
    topics.add(Records(request).claim())
    refused(422, api.send, new_run(run=request.run, num_messages=20), True)
    refused(422, api.queue, new_run(run=request.run, num_messages=20))

    assert api.store.get(request.run).request == request
    assert (calls.called, calls.queued) == ([], [])


def test_a_key_of_a_run_that_is_too_old_to_be_shown_is_409_and_sends_nothing(topics, calls):
    api = Process(topics, calls, runs_kept=1)
    old = new_run()
    api.send(old, True)
    api.send(new_run(), True)
    for process in api, Process(topics, calls, runs_kept=1):
        problems = refused(409, process.send, new_run(run=old.run), True), refused(409, process.queue, old)
        assert all("too old to be shown" in problem.detail for problem in problems)

    assert calls.called.count(old) == 1
    assert calls.queued == []
