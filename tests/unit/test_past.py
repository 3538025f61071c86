"""An instance reads the records of a run before it takes the run over. Here, Kafka is a fake in memory."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event
from uuid import UUID

import pytest

from messaging.clients.errors import Unavailable
from messaging.clients.protocols import Partition
from messaging.journal.past import SLACK_MS, Past, PastReader
from messaging.journal.requests import PARTITION
from messaging.journal.states import RUN_STATES, SENT, Sender, State, partition_of
from messaging.stopping import StopRequest
from tests.unit.api_fakes import Records, asked, seen
from tests.unit.broker import Broker


def now() -> int:
    return time.time_ns() // 1000


@pytest.fixture
def broker():
    return Broker()


@pytest.fixture
def reader(broker):
    return PastReader(broker, StopRequest())


@pytest.fixture
def request_():
    return asked(created=now())


@pytest.fixture
def read(reader, request_):
    """Reads the past of the run."""
    return lambda seconds=5: reader.read(request_.run, request_.created, seconds)


@pytest.fixture
def sent(broker, request_):
    """Records the messages that an instance has sent."""

    def sent(numbers, outcome: str, key: str = "host:1/a.1", claim: str = "one") -> None:
        broker.add_state(request_.run, SENT, key, State(seen(numbers), Sender(request_, claim, outcome)))

    return sent


def test_an_unknown_run_has_no_records(read):
    past = read()

    assert past == Past()
    assert (len(past.sent), past.ended) == (0, None)


def test_everything_on_record_is_read(broker, request_, read, sent):
    records = Records(request_)
    for made in records.accepted("first"), records.queued(), records.claim("one"), records.stop(), records.claim("two"):
        broker.add(made)
    sent([0, 1], "sending")
    sent([0, 1, 2], "yielded")
    sent([4], "sending", key="host:2/b.1", claim="two")
    past = read()

    assert past.standing.request == request_
    assert (past.standing.claims, past.standing.stopped, past.standing.queued) == (["one", "two"], True, True)
    assert list(past.sent) == [0, 1, 2, 4]
    assert (past.has_yielded("one"), past.has_yielded("two")) == (True, False)
    assert past.ended is None


@pytest.mark.parametrize("outcome", ["sent", "failed", "stopped"])
def test_the_past_has_the_outcome_of_a_run_that_has_ended(read, sent, outcome):
    sent([0, 1], outcome)

    assert read().ended.outcome == outcome
    assert read().has_yielded("one"), "the instance sends no more"


def test_records_of_another_run_or_stage_or_program_are_left_out(broker, request_, read, sent, caplog):
    other = replace(request_, run=UUID(int=request_.run.int ^ 1 << 64))
    assert partition_of(other.run, 4) == partition_of(request_.run, 4)
    broker.add_state(other.run, SENT, "host:1/a.1", State(seen([7]), Sender(other, "one", "sent")))
    broker.add_state(request_.run, "pong_received", "host:1/a.1", State(seen([7])))
    broker.write(PARTITION, f"{request_.run}/reconsidered/".encode(), b"{}")
    broker.write(Partition(RUN_STATES, partition_of(request_.run, 4)), f"{request_.run}/sent/x".encode(), b"{}")
    broker.write(PARTITION, None, b"no key")
    sent([1], "sending")
    past = read()

    assert list(past.sent) == [1]
    assert past.ended is None
    assert caplog.text.count("not a record of a run") == 2


def test_old_records_and_records_in_other_partitions_of_run_states_are_not_read(broker, request_, read, sent):
    states = Partition(RUN_STATES, partition_of(request_.run, 4))
    before = request_.created // 1000 - SLACK_MS - 1000
    for partition in states, PARTITION:
        for _ in range(1000):
            broker.write(partition, b"other/kind/", b"{}", before)
    for number in range(4):
        broker.write(Partition(RUN_STATES, number), b"other/sent/", b"{}")
    sent([1], "sending")
    read()

    assert broker.reads == {states: 2}


def test_reading_ends_even_if_new_records_are_written_meanwhile(broker, request_, read, sent):
    sent([1], "sending")
    write = broker.write

    class Busy(list):
        def __getitem__(self, index):
            write(PARTITION, b"other/kind/", b"{}")
            return super().__getitem__(index)

    broker.messages[PARTITION] = Busy([])
    assert list(read().sent) == [1]


def test_each_read_returns_the_newest_records(read, sent):
    sent([1], "sending")
    assert list(read().sent) == [1]
    sent([1, 2], "yielded")
    assert (list(read().sent), read().has_yielded("one")) == ([1, 2], True)


def test_reading_fails_without_kafka_and_works_again_afterwards(broker, read, sent):
    sent([1], "sending")
    broker.is_down = True
    with pytest.raises(Unavailable):
        read()
    broker.is_down = False

    assert list(read().sent) == [1]
    broker.is_down = True
    with pytest.raises(Unavailable):
        read()
    assert broker.readers == 0


def test_a_topic_that_kafka_does_not_know_yet_is_unavailable(broker, read):
    broker.partitions_of[RUN_STATES] = 0
    with pytest.raises(Unavailable, match="does not know topic run-states yet"):
        read()


@pytest.mark.parametrize("seconds", [0, -0.01, -1, -100])
def test_reading_fails_at_once_if_no_time_is_left(read, sent, seconds):
    sent([1], "sending")
    with pytest.raises(Unavailable):
        read(seconds)


def test_a_second_read_waits_for_the_first_one_but_not_longer_than_its_own_timeout(broker, reader, request_):
    reading, may_go_on = Event(), Event()
    connect = broker.reader

    def slow():
        reading.set()
        may_go_on.wait(5)
        return connect()

    broker.reader = slow
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(reader.read, request_.run, request_.created, 5)
        assert reading.wait(5)
        with pytest.raises(Unavailable, match="was not read in time"):
            reader.read(request_.run, request_.created, 0.01)
        may_go_on.set()
        assert first.result(5) == Past()
