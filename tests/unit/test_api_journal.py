"""The API's connection to the journal, with a Kafka in memory and real threads."""

import pytest

from api.problems import Problem
from api.runs.journal import Journal
from api.runs.store import Store, now
from messaging.clients.errors import TooFewBrokers
from messaging.journal.requests import PARTITION
from messaging.journal.states import SENT, Sender, State
from tests.unit.api_fakes import Records, asked, seen, wait_until
from tests.unit.api_processes import refused
from tests.unit.broker import Broker


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr("messaging.journal.tail.POLL_SECONDS", 0.01)
    monkeypatch.setattr("messaging.journal.tail.RETRY_SECONDS", 0.01)
    monkeypatch.setattr("api.runs.store.BEHIND_SECONDS", 0.01)


@pytest.fixture
def broker():
    return Broker()


def start(broker: Broker) -> Store:
    """The store of an API process."""
    return Store(Journal(broker, partitions=4, replicas=1), runs_kept=100, stalled_after=30)


def finish(broker: Broker, request) -> None:
    """Put on record that a run of pong was sent and has arrived."""
    numbers = range(request.num_messages)
    broker.add_state(request.run, SENT, "host:1/a.1", State(seen(numbers), Sender(request, "c", "sent")))
    broker.add_state(request.run, "ping_received", "host:2/b.1", State(seen(numbers)))


def test_both_topics_are_created(broker):
    start(broker).newest(1, None)

    assert {topic.name: topic.partitions for topic in broker.created} == {"run-requests": 1, "run-states": 4}


def test_every_process_knows_each_run_that_another_one_accepts(broker):
    here, there = start(broker), start(broker)
    assert there.newest(1, None) == []
    request = asked(created=now())
    run, is_first = here.accept(request)

    assert (is_first, run.request) == (True, request)
    wait_until(lambda: there.find(request.run))
    assert not there.accept(request)[1]


def test_a_run_looks_the_same_in_a_process_that_starts_later(broker):
    store, request = start(broker), asked("pong", created=now())
    run, _ = store.accept(request)
    finish(broker, request)
    wait_until(lambda: store.view(run).is_over)
    later = start(broker)

    assert later.view(later.get(request.run)) == store.view(run)


def test_a_run_stays_the_same_after_another_request_with_its_id_and_after_a_restart(broker):
    request = asked("pong", created=now())
    broker.add(Records(request).claim())
    finish(broker, request)
    store = start(broker)
    assert not store.accept(asked("ping", 99, run=request.run))[1]

    for process in store, start(broker):
        assert process.summary(process.get(request.run)).state == "done"
        assert process.get(request.run).request == request


def test_a_stop_is_put_on_record(broker):
    store = start(broker)
    run, _ = store.accept(asked(created=now()))
    store.stop(run)

    assert any(b"/stop/" in message.key for message in broker.messages[PARTITION])


def test_a_request_is_503_while_kafka_is_away_and_the_next_request_connects_again(broker):
    store = start(broker)
    broker.is_down = True
    for _ in range(2):
        refused(503, store.newest, 1, None)
    broker.is_down = False

    assert store.newest(1, None) == []


def test_too_few_brokers_are_reported(broker):
    def create(topic):
        raise TooFewBrokers("REPLICATION_FACTOR must be at most 1")

    broker.create = create
    with pytest.raises(Problem, match="REPLICATION_FACTOR must be at most 1") as raised:
        start(broker).newest(1, None)
    assert raised.value.status == 503


def test_catching_up_waits_for_both_topics(broker):
    store, request = start(broker), asked("pong", created=now())
    run, _ = store.accept(request)
    finish(broker, request)
    store.catch_up()

    assert store.view(run).is_over


def test_catching_up_before_the_journal_has_connected_is_503(broker):
    refused(503, Journal(broker, 4, 1).catch_up)
