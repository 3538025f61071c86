"""Large states of runs: how often they are published, when they are closed, and what Kafka refuses."""

import uuid

import pytest
from pyroaring import BitMap

from messaging.clients.errors import TooLarge, Unavailable
from messaging.journal.writer import LARGEST_STATE, STATE_BYTES_PER_SECOND, JournalWriter
from messaging.runs.request import Request
from messaging.runs.stage import Stage
from tests.unit.fakes import Clock
from tests.unit.journal_producer import RUN, Producer, batch

MOST = 4000


def scattered(start: int, count: int) -> range:
    """Numbers of which a bitmap has to hold each one: about 2.7 bytes of a state for each."""
    return range(20 * start, 20 * (start + count), 20)


@pytest.fixture
def producer():
    return Producer()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def writer(producer, clock):
    return JournalWriter(producer, "pong", clock)


def sent(writer: JournalWriter, numbers: range) -> None:
    writer.sent(RUN, numbers, len(numbers), 0, 0)


def newest(producer: Producer) -> dict[str, Stage]:
    """The newest state by key."""
    return {key: Stage.from_json(state) for key, state in producer.records}


class TestPace:
    def test_a_small_state_is_published_each_time(self, writer, producer, clock):
        for number in range(5):
            writer.received(batch([number]))
            clock.advance(0.2)
            writer.publish()

        assert len(producer.records) == 5

    def test_a_large_one_waits_until_its_bytes_per_second_are_few(self, writer, producer, clock):
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

    def test_a_small_one_does_not_wait_for_a_large_one(self, writer, producer, clock):
        writer.received(batch(scattered(0, 50_000)))
        writer.publish()
        small = uuid.uuid4()
        for part in batch([1]), batch([1], small):
            writer.received(part)
        writer.publish()

        assert producer.records[-1][0].startswith(str(small))
        assert len(producer.records) == 2

    def test_a_flush_does_not_wait(self, writer, producer):
        writer.received(batch(scattered(0, 50_000)))
        writer.publish()
        writer.received(batch([1]))
        writer.flush(0)

        assert len(producer.records) == 2


class TestClosing:
    def test_a_state_that_is_too_large_goes_on_under_a_new_key_and_nothing_is_lost(self, writer, producer, clock):
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

    def test_what_was_closed_is_published_again_if_it_did_not_get_on_record(self, writer, producer, clock):
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

    def test_the_run_and_its_outcome_are_in_the_new_state_too(self, writer, producer):
        writer.begin(Request(RUN, "ping", 200_000, 1, created=0), "host:1/a.1")
        sent(writer, scattered(0, 150_000))
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


class TestKeepingUp:
    """How far the record of a run that is being sent lags behind."""

    @pytest.fixture(autouse=True)
    def begun(self, writer, producer, clock):
        writer.begin(Request(RUN, "ping", 10**6, 1, created=0), "host:1/a.1")
        writer.publish()
        producer.acknowledge()
        clock.advance(1)

    def test_it_keeps_up_until_more_is_sent_and_not_on_record(self, writer, producer):
        sent(writer, range(MOST))
        assert writer.keep_up(RUN, MOST)
        sent(writer, range(MOST, MOST + 1))
        assert not writer.keep_up(RUN, MOST)

        producer.acknowledge()
        assert writer.keep_up(RUN, MOST)

    def test_from_half_of_it_on_the_state_is_published(self, writer, producer):
        sent(writer, range(MOST // 2))
        assert writer.keep_up(RUN, MOST)
        assert len(producer.records) == 1
        sent(writer, range(MOST // 2, MOST))
        assert writer.keep_up(RUN, MOST)
        assert writer.keep_up(RUN, MOST)
        assert [state["messages"] for _, state in producer.records] == [0, MOST]

    def test_what_is_in_a_closed_state_counts_as_well(self, writer, producer):
        sent(writer, scattered(0, 150_000))
        writer.publish()
        sent(writer, range(1, 2))
        assert not writer.keep_up(RUN, MOST)

        producer.acknowledge()
        assert writer.keep_up(RUN, MOST)

    def test_a_closed_state_that_did_not_get_on_record_is_published_again(self, writer, producer):
        sent(writer, scattered(0, 150_000))
        writer.publish()
        producer.deliveries[-1].fail(Unavailable("too late"))
        sent(writer, range(1, 2))

        assert not writer.keep_up(RUN, MOST)
        producer.acknowledge()
        assert writer.keep_up(RUN, MOST)
        assert sorted(state.messages for state in newest(producer).values()) == [1, 150_000]

    def test_other_runs_do_not_count(self, writer):
        writer.sent(uuid.uuid4(), range(2 * MOST), 1, 0, 0)

        assert writer.keep_up(RUN, MOST)

    def test_a_run_of_which_nothing_is_known_has_nothing_to_keep_up_with(self, writer):
        assert writer.keep_up(uuid.uuid4(), MOST)


class TestRefusing:
    """A state that Kafka will never take must not stop the commits of others."""

    @pytest.fixture
    def refused(self, writer, producer):
        """A run whose state was refused, and another one."""
        other = uuid.uuid4()
        writer.received(batch(range(10)))
        writer.received(batch(range(5), other))
        writer.publish()
        producer.deliveries[0].fail(TooLarge("1.1 MB"))
        producer.deliveries[1].acknowledge()
        return other

    def test_everything_counts_as_recorded_and_it_is_logged(self, writer, refused, caplog):
        assert writer.recorded(writer.mark)
        assert "a state is not on record, because Kafka refuses it: 1.1 MB" in caplog.text

    def test_it_is_not_published_again(self, writer, producer, clock, refused):
        writer.recorded(writer.mark)
        clock.advance(10)
        writer.publish()

        assert len(producer.records) == 2

    def test_the_stage_goes_on_under_a_new_key(self, writer, producer, clock, refused):
        writer.recorded(writer.mark)
        writer.received(batch(range(10, 15)))
        clock.advance(1)
        writer.publish()
        producer.acknowledge()

        assert writer.recorded(writer.mark)
        assert producer.records[-1][0] != producer.records[0][0]
        assert producer.records[-1][1]["messages"] == 5

    def test_it_is_given_up_also_if_more_was_counted_meanwhile(self, writer, producer, clock):
        writer.received(batch(range(10)))
        writer.publish()
        writer.received(batch(range(10, 20)))
        producer.deliveries[0].fail(TooLarge("1.1 MB"))
        for _ in range(3):
            clock.advance(1)
            writer.publish()
            if len(producer.deliveries) > 1:
                producer.deliveries[1].fail(TooLarge("1.2 MB"))

        assert writer.recorded(writer.mark)
        assert len(producer.records) == 2

    def test_a_run_that_is_being_sent_goes_on(self, writer, producer):
        writer.begin(Request(RUN, "ping", 10**6, 1, created=0), "host:1/a.1")
        sent(writer, range(MOST + 1))
        writer.publish()
        producer.deliveries[0].fail(TooLarge("1.1 MB"))

        assert writer.keep_up(RUN, MOST)
