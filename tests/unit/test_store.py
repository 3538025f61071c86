"""The runs of an API process, read from the journal."""

import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest

from api.problems import Problem
from api.runs.model import Run
from api.runs.store import Store
from messaging.journal.requests import RUN_REQUESTS
from messaging.runs.request import Request
from tests.unit.api_fakes import Records, Topics, seen
from tests.unit.api_processes import new_run, refused


@pytest.fixture
def topics():
    return Topics()


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Shorten the waits, because in most of these tests a record comes immediately or never."""
    monkeypatch.setattr("api.runs.store.BEHIND_SECONDS", 0.01)
    monkeypatch.setattr("api.runs.store.KAFKA_SECONDS", 0.01)


def store_of(topics: Topics) -> Store:
    """The store of one API process."""
    return Store(topics.journal(), runs_kept=10, stalled_after=30)


def accept(store: Store, request: Request | None = None) -> Run:
    return store.accept(request or new_run())[0]


def test_an_accepted_run_is_known_to_every_api_process(topics):
    here, there = store_of(topics), store_of(topics)
    request = new_run()
    run, is_first = here.accept(request)

    assert is_first
    assert run.request == request
    assert there.get(request.run).request == request


def test_a_second_request_with_the_same_id_gets_the_existing_run_and_changes_nothing(topics):
    here, there = store_of(topics), store_of(topics)
    first = new_run()
    here.accept(first)
    run, is_first = there.accept(new_run(run=first.run, num_messages=99))

    assert not is_first
    assert run.request == first
    assert topics.kinds(first.run) == ["accepted", "accepted"]
    assert here.get(first.run).request == first


def test_an_acceptance_that_is_not_read_back_is_503(topics):
    store = store_of(topics)
    with topics.held():
        assert "has not come back" in refused(503, store.accept, new_run()).detail


def test_a_run_that_another_process_has_just_accepted_is_waited_for(topics, monkeypatch):
    monkeypatch.setattr("api.runs.store.BEHIND_SECONDS", 10)
    here, there = store_of(topics), store_of(topics)
    request = new_run()
    assert there.find(request.run) is None
    with ThreadPoolExecutor(1) as pool:
        with topics.held():
            here.note(request)
            found = pool.submit(there.get, request.run)
        assert found.result(5).id == request.run


def test_an_unknown_run_is_404(topics):
    assert "There is no run" in refused(404, store_of(topics).get, uuid4()).detail


def test_a_request_is_503_while_kafka_is_down_and_the_next_one_tries_again(topics):
    store, request = store_of(topics), new_run()
    topics.is_down = True
    for attempt in (store.find, store.get, store.is_dropped, store.note_queued, lambda run: store.newest(1, run)):
        refused(503, attempt, request.run)
    topics.is_down = False

    assert store.accept(request)[1]


def test_a_stopped_run_is_over(topics):
    store = store_of(topics)
    run = accept(store)
    store.stop(run)

    assert store.view(run).is_over


def test_a_run_that_was_not_queued_has_failed_with_the_reason(topics):
    store = store_of(topics)
    run = accept(store)
    store.fail(run.id, "RabbitMQ did not take the call")

    assert (store.summary(run).state, store.summary(run).reason) == ("failed", "RabbitMQ did not take the call")


def test_an_incomplete_run_that_is_given_up_has_failed_with_the_reason(topics):
    store, request = store_of(topics), new_run(service="pong")
    run = accept(store, request)
    topics.add(Records(request).sent("sent", seen(range(10))))
    store.give_up(run.id, "10 messages are missing")

    assert (store.summary(run).state, store.summary(run).reason) == ("failed", "10 messages are missing")


def test_a_change_wakes_the_threads_that_wait_for_it(topics):
    store = store_of(topics)
    request = new_run()
    run = accept(store, request)
    version = store.summary(run).version
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(store.wait_for_change, run, version, 10)
        topics.add(Records(request).sent("sending", seen([1])))
        assert waiting.result(5)

    assert store.summary(run).version > version
    assert not store.wait_for_change(run, store.summary(run).version, 0.01)


@pytest.mark.parametrize("step", ["queued", "claim", "failed", "stop"])
def test_the_wait_for_a_run_ends_once_the_run_is_under_way_or_over(topics, step):
    store, request = store_of(topics), new_run()
    run = accept(store, request)
    assert not store.wait_until_under_way(run, 0.01)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(store.wait_until_under_way, run, 10)
        topics.add(getattr(Records(request), step)())
        assert waiting.result(5)


def test_the_newest_runs_come_in_pages(topics):
    store = store_of(topics)
    runs = [accept(store).id for _ in range(3)]

    assert [run.request.run for run in store.newest(2, None)] == [runs[2], runs[1]]
    assert [run.request.run for run in store.newest(2, runs[1])] == [runs[0]]
    assert "to continue from" in refused(404, store.newest, 2, uuid4()).detail


def test_unfinished_runs_are_counted(topics):
    store = store_of(topics)
    accept(store)
    store.stop(accept(store))

    assert store.unfinished() == 1


def test_many_threads_can_use_a_new_store_at_once(topics):
    store = store_of(topics)
    begin = threading.Barrier(8)

    def first(_: int) -> bool:
        begin.wait(5)
        return store.accept(new_run())[1]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(first, range(8)))
    assert len(store.newest(10, None)) == 8


class TestHistory:
    """Records from before the start of the process."""

    def test_a_process_that_starts_later_knows_the_same_runs(self, topics):
        before = store_of(topics)
        requests = [new_run(service="pong") for _ in range(3)]
        for request in requests:
            accept(before, request)
        topics.add(Records(requests[0]).sent("sent", seen(range(10))))
        topics.add(Records(requests[0]).stage("ping_received", seen(range(10))))
        topics.add(Records(requests[1]).stop())
        topics.add(Records(requests[2]).failed("not queued"))

        assert store_of(topics).newest(10, None) == before.newest(10, None)

    def test_runs_that_are_too_old_to_be_kept_are_known_as_dropped(self, topics):
        before = Store(topics.journal(), runs_kept=2, stalled_after=30)
        runs = [accept(before).id for _ in range(5)]
        after = Store(topics.journal(), runs_kept=2, stalled_after=30)

        for store in before, after:
            assert [store.is_dropped(run) for run in runs] == [True] * 3 + [False] * 2
            assert [store.find(run) is None for run in runs] == [True] * 3 + [False] * 2
            refused(404, store.get, runs[0])

    def test_a_record_of_another_program_or_another_version_is_left_out(self, topics, caplog):
        request = new_run()
        accept(store_of(topics), request)
        keys = [f"{uuid4()}/reconsidered/".encode(), f"{uuid4()}/accepted/x".encode(), b"not ours", b""]
        keys.append(f"{request.run}/accepted/y".encode())
        topics.send(RUN_REQUESTS, keys, [b"{}", b"no JSON", b"{}", b"{}", b"[]"], [0] * 5)

        store = store_of(topics)
        assert [run.request for run in store.newest(10, None)] == [request]
        accept(store, new_run())
        assert len(store.newest(10, None)) == 2


def test_a_run_that_never_existed_is_not_dropped(topics):
    assert not store_of(topics).is_dropped(UUID(int=7))


def test_a_problem_of_the_journal_is_raised_to_the_caller(topics):
    store = store_of(topics)
    run = accept(store)
    topics.is_down = True
    with pytest.raises(Problem):
        store.stop(run)
