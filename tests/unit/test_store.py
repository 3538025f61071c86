"""The runs of an API process, read from the journal."""

import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from api.problems import Problem
from api.runs.store import Store, now
from tests.unit.api_fakes import Records, Topic, asked, seen


@pytest.fixture
def topic():
    return Topic()


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """What does not come at once does not come in these tests."""
    monkeypatch.setattr("api.runs.store.BEHIND_SECONDS", 0.01)
    monkeypatch.setattr("api.runs.store.KAFKA_SECONDS", 0.01)


def store_of(topic: Topic) -> Store:
    """The store of one API process."""
    return Store(topic.journal(), runs_kept=10, stalled_after=30)


def new_run(**options):
    return asked(created=now(), **options)


def test_an_accepted_run_is_known_to_every_api_process(topic):
    here, there = store_of(topic), store_of(topic)
    request = new_run()
    acceptance = here.accept(request)

    assert acceptance.is_first
    assert acceptance.run.request == request
    assert there.get(request.run).request == request


def test_the_second_request_with_an_id_learns_of_the_first_and_takes_its_own_record_back(topic):
    here, there = store_of(topic), store_of(topic)
    first, second = new_run(), None
    second = new_run(run=first.run, num_messages=99)
    here.accept(first)
    acceptance = there.accept(second)

    assert not acceptance.is_first
    assert acceptance.run.request == first
    assert topic.kinds(first.run) == ["accepted", "accepted", "withdrawn"]
    assert here.get(first.run).request == first


def test_an_acceptance_that_is_not_read_back_is_503(topic):
    store = store_of(topic)
    with topic.held(), pytest.raises(Problem, match="has not come back") as raised:
        store.accept(new_run())

    assert raised.value.status == 503


def test_a_run_that_another_process_has_just_accepted_is_waited_for(topic, monkeypatch):
    monkeypatch.setattr("api.runs.store.BEHIND_SECONDS", 10)
    here, there = store_of(topic), store_of(topic)
    request = new_run()
    assert there.find(request.run) is None
    with ThreadPoolExecutor(1) as pool:
        with topic.held():
            here.note(request)
            found = pool.submit(there.get, request.run)
        assert found.result(5).id == request.run


def test_an_unknown_run_is_404(topic):
    with pytest.raises(Problem, match="There is no run") as raised:
        store_of(topic).get(uuid4())

    assert raised.value.status == 404


def test_kafka_that_is_down_is_503_and_tried_again_at_the_next_request(topic):
    store, request = store_of(topic), new_run()
    topic.is_down = True
    for attempt in (store.find, store.get, lambda run: store.newest(1, run), store.withdraw):
        with pytest.raises(Problem) as raised:
            attempt(*[request.run, "token"][: 1 + (attempt == store.withdraw)])
        assert raised.value.status == 503
    topic.is_down = False

    assert store.accept(request).is_first


def test_a_revoked_run_is_stopped_and_kafka_may_be_down(topic):
    store = store_of(topic)
    run = store.accept(new_run()).run
    store.revoke(run.id)
    assert store.summary(run).state == "stopped"

    topic.is_down = True
    store.revoke(run.id)


def test_a_stopped_run_is_stopped(topic):
    store = store_of(topic)
    run = store.accept(new_run()).run
    store.stop(run)

    assert store.view(run).is_over


def test_a_change_wakes_those_who_wait_for_it(topic):
    store = store_of(topic)
    request = new_run()
    run = store.accept(request).run
    version = store.summary(run).version
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(store.wait_for_change, run, version, 10)
        topic.add(Records(request).sent("sending", seen([1])))
        assert waiting.result(5)

    assert store.summary(run).version > version
    assert not store.wait_for_change(run, store.summary(run).version, 0.01)


def test_pages_of_the_newest_runs(topic):
    store = store_of(topic)
    runs = [store.accept(new_run()).run.id for _ in range(3)]

    assert [run.request.run for run in store.newest(2, None)] == [runs[2], runs[1]]
    assert [run.request.run for run in store.newest(2, runs[1])] == [runs[0]]
    with pytest.raises(Problem, match="to continue from") as raised:
        store.newest(2, uuid4())
    assert raised.value.status == 404


def test_runs_under_way_are_counted(topic):
    store = store_of(topic)
    store.accept(new_run())
    store.stop(store.accept(new_run()).run)

    assert store.unfinished() == 1


def test_many_threads_can_begin_with_it_at_once(topic):
    store = store_of(topic)
    begin = threading.Barrier(8)

    def accept(_: int) -> bool:
        begin.wait(5)
        return store.accept(new_run()).is_first

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(accept, range(8)))
    assert len(store.newest(10, None)) == 8
