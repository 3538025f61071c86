"""Large states of runs: how often they are published, and when they are closed."""

import uuid

import pytest
from pyroaring import BitMap

from messaging.clients.errors import Unavailable
from messaging.journal.writer import LARGEST_STATE, STATE_BYTES_PER_SECOND, JournalWriter
from messaging.runs.request import Request
from tests.unit.fakes import Clock
from tests.unit.journal_producer import RUN, Producer, acknowledged, batch, newest, scattered


@pytest.fixture
def producer():
    return Producer()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def writer(producer, clock):
    return JournalWriter(producer, "pong", clock)


class TestPace:
    def test_a_small_state_is_published_each_time(self, writer, producer, clock):
        for number in range(5):
            writer.received(batch([number]))
            clock.advance(0.2)
            writer.publish()

        assert len(producer.records) == 5

    def test_a_large_state_waits_so_that_its_bytes_per_second_stay_below_the_limit(self, writer, producer, clock):
        writer.received(batch(scattered(0, 50_000)))
        writer.publish()
        seconds = producer.sizes[0] / STATE_BYTES_PER_SECOND
        assert seconds > 0.2

        writer.received(batch([1]))
        clock.advance(seconds - 0.01)
        writer.publish()
        assert len(producer.records) == 1
        clock.advance(0.02)
        writer.publish()
        assert len(producer.records) == 2

    def test_a_small_state_does_not_wait_for_a_large_one(self, writer, producer, clock):
        writer.received(batch(scattered(0, 50_000)))
        writer.publish()
        small = uuid.uuid4()
        for part in batch([1]), batch([1], small):
            writer.received(part)
        writer.publish()

        assert producer.records[-1][0].startswith(str(small))
        assert len(producer.records) == 2

    def test_a_flush_publishes_a_large_state_at_once(self, writer, producer):
        writer.received(batch(scattered(0, 50_000)))
        writer.publish()
        writer.received(batch([1]))
        writer.flush(0)

        assert len(producer.records) == 2


class TestClosing:
    def test_a_state_that_is_too_large_is_closed_and_a_new_state_continues_its_stage(self, writer, producer, clock):
        everything = BitMap()
        for start in range(0, 300_000, 20_000):
            numbers = scattered(start, 20_000)
            everything |= BitMap(numbers)
            writer.received(batch(numbers))
            clock.advance(1)
            writer.publish()
            producer.acknowledge()
        states = newest(producer).values()

        assert writer.recorded(writer.mark)
        assert len(states) > 2
        assert BitMap.union(*(state.numbers for state in states)) == everything
        assert sum(state.messages for state in states) == len(everything)
        assert max(producer.sizes) < LARGEST_STATE + 4 * 20_000

    def test_repeated_messages_are_not_out_of_order_after_their_state_was_closed(self, writer, producer, clock):
        numbers = scattered(0, 150_000)
        for _ in range(2):
            writer.received(batch(numbers))
            clock.advance(1)
            writer.publish()
            producer.acknowledge()
        states = newest(producer).values()

        assert len(states) == 2
        assert [state.out_of_order for state in states] == [0, 0]

    def test_a_closed_state_that_is_not_on_record_is_published_again(self, writer, producer, clock):
        writer.received(batch(scattered(0, 150_000)))
        writer.publish()
        producer.deliveries[0].fail(Unavailable("too late"))
        writer.received(batch([1]))
        clock.advance(1)
        writer.publish()
        assert not writer.recorded(writer.mark)
        producer.acknowledge()

        assert writer.recorded(writer.mark)
        assert sorted(state.messages for state in newest(producer).values()) == [1, 150_000]

    def test_the_new_state_also_has_the_request_and_the_claim_and_the_newest_outcome(self, writer, producer):
        writer.begin(Request(RUN, "ping", 200_000, 1, created=0), "host:1/a.1")
        writer.sent(RUN, acknowledged(scattered(0, 150_000)))
        writer.publish()
        writer.end(RUN, "sent", seconds=1.5)
        writer.publish()
        (first, old), (second, new) = producer.records

        assert first != second
        assert (old["outcome"], old["messages"]) == ("sending", 150_000)
        assert (new["outcome"], new["messages"], new["claim"], new["num_messages"]) == (
            "sent",
            0,
            "host:1/a.1",
            200_000,
        )
