"""An instance takes a run over from another one. The journal is real, and Kafka is in memory."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from messaging import settings
from messaging.delivery.backpressure import UNRECORDED
from messaging.delivery.calls import Call
from messaging.delivery.journal import Journal
from messaging.delivery.sender import Sender
from messaging.journal.claims import Claims
from messaging.journal.past import PastReader
from messaging.journal.requests_writer import RequestsWriter
from messaging.journal.writer import JournalWriter
from messaging.runs.outcome import Superseded
from messaging.runs.stamp import unpack
from messaging.stopping import StopRequest
from tests.unit.api_fakes import RUN, asked, wait_until
from tests.unit.broker import Broker
from tests.unit.fakes import Topic

MESSAGES = 20_000
CREATED = asked().created


class Out(Topic):
    """The topic of one instance. After `stop_after` messages it blocks until it may go on."""

    def __init__(self, stop_after: int = 0):
        super().__init__()
        self.reached, self.may_go_on = threading.Event(), threading.Event()
        self._stop_after = stop_after

    def send(self, keys, values, partitions):
        delivery = super().send(keys, values, partitions)
        if len(self.messages) == self._stop_after:
            self.reached.set()
            assert self.may_go_on.wait(10)
        return delivery


class Instance:
    def __init__(self, broker: Broker, out: Out):
        self.out = out
        self.claims = Claims(broker)
        self.claims.start()
        producer = broker.producer()
        writer = JournalWriter(producer, "ping")
        journal = Journal(writer, RequestsWriter(lambda: producer), self.claims, PastReader(broker, StopRequest()))
        self._sender = Sender("ping", out, journal, StopRequest(), settings.load())

    def send(self, **call):
        return self._sender.send_run(Call(MESSAGES, 5, str(RUN), **call))


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr("messaging.journal.tail.POLL_SECONDS", 0.01)


@pytest.fixture
def broker():
    return Broker()


@pytest.fixture
def pool():
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.fixture
def start(broker):
    """Starts an instance."""
    instances = []

    def start(stop_after: int = 0) -> Instance:
        instances.append(Instance(broker, Out(stop_after)))
        return instances[-1]

    yield start
    for instance in instances:
        instance.out.may_go_on.set()
        instance.claims.stop()
    wait_until(lambda: broker.readers <= len(instances))


def twice(*instances: Instance) -> int:
    """Return how many extra copies were sent. Fails if a message is missing."""
    numbers = Counter(unpack(key)[1] for instance in instances for key, _, _ in instance.out.messages)
    assert set(numbers) == set(range(MESSAGES))
    return sum(numbers.values()) - MESSAGES


@pytest.mark.parametrize("call", [{"created": CREATED}, {"created": CREATED, "queued": True}], ids=repr)
def test_an_owner_that_is_alive_yields_and_nothing_is_sent_twice(monkeypatch, broker, start, pool, call):
    # On a busy machine, the owner may need more than the default of 3 s to yield.
    monkeypatch.setattr("messaging.delivery.ownership.YIELD_SECONDS", 10)

    # Given a run that is half sent
    old, new = start(stop_after=MESSAGES // 2), start()
    first = pool.submit(old.send, **call)
    assert old.out.reached.wait(10)

    # When its call is delivered to another instance
    second = pool.submit(new.send, redelivered=True, **call)
    wait_until(lambda: claims_of(broker) == 2)
    assert old.claims.catch_up(10)
    old.out.may_go_on.set()

    # Then the first instance does not reply, and the other one sends the rest
    with pytest.raises(Superseded):
        first.result(10)
    assert second.result(10).num_messages == MESSAGES
    assert twice(old, new) == 0
    assert len(new.out.messages) < MESSAGES // 2 + 1000


def test_only_messages_not_on_record_are_sent_again_if_the_owner_has_no_claim(monkeypatch, broker, start, pool):
    monkeypatch.setattr("messaging.delivery.ownership.CLAIM_SECONDS", 60)
    old, new = start(stop_after=MESSAGES // 2), start()
    first = pool.submit(old.send)
    assert old.out.reached.wait(10)

    second = pool.submit(new.send, redelivered=True)
    wait_until(lambda: claims_of(broker) == 1)
    assert old.claims.catch_up(10)
    old.out.may_go_on.set()

    with pytest.raises(Superseded):
        first.result(10)
    assert second.result(10).num_messages == MESSAGES
    assert twice(old, new) <= UNRECORDED + 200
    assert claims_of(broker) == 1


def test_only_messages_not_on_record_are_sent_again_if_the_owner_is_dead(monkeypatch, start, pool):
    monkeypatch.setattr("messaging.delivery.ownership.YIELD_SECONDS", 0.2)
    old, new = start(stop_after=MESSAGES // 2), start()
    first = pool.submit(old.send, created=CREATED)
    assert old.out.reached.wait(10)
    new.send(created=CREATED, redelivered=True)

    assert twice(old, new) <= UNRECORDED + 200

    # And an instance that was only frozen sends nothing more when it wakes up
    old.out.may_go_on.set()
    with pytest.raises(Superseded):
        first.result(10)
    assert len(old.out.messages) == MESSAGES // 2


def test_a_run_that_was_sent_is_not_sent_again(start):
    old, new = start(), start()
    figures = old.send(created=CREATED)

    assert new.send(created=CREATED, redelivered=True).seconds == pytest.approx(figures.seconds)
    assert new.out.messages == []


def claims_of(broker: Broker) -> int:
    """How many claims to the run are on record."""
    return sum(b"/claim/" in message.key for messages in broker.messages.values() for message in messages)
