"""How far the record of a run may lag behind its sending, and states that Kafka refuses."""

import uuid

import pytest

from messaging.clients.errors import TooLarge, Unavailable
from messaging.journal.writer import JournalWriter
from messaging.runs.request import Request
from tests.unit.fakes import Clock
from tests.unit.journal_producer import RUN, Producer, acknowledged, batch, newest, scattered

MOST = 4000


@pytest.fixture
def producer():
    return Producer()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def writer(producer, clock):
    return JournalWriter(producer, "pong", clock)


class TestKeepingUp:
    """While a run is sent, its record may lack only a limited number of the sent messages."""

    @pytest.fixture(autouse=True)
    def begun(self, writer, producer, clock):
        writer.begin(Request(RUN, "ping", 10**6, 1, created=0), "host:1/a.1")
        writer.publish()
        producer.acknowledge()
        clock.advance(1)

    def test_the_record_does_not_keep_up_if_it_lacks_too_many_sent_messages(self, writer, producer):
        writer.sent(RUN, acknowledged(range(MOST)))
        assert writer.keep_up(RUN, MOST)
        writer.sent(RUN, acknowledged(range(MOST, MOST + 1)))
        assert not writer.keep_up(RUN, MOST)

        producer.acknowledge()
        assert writer.keep_up(RUN, MOST)

    def test_the_state_is_published_if_the_unrecorded_messages_are_more_than_half_of_the_limit(self, writer, producer):
        writer.sent(RUN, acknowledged(range(MOST // 2)))
        assert writer.keep_up(RUN, MOST)
        assert len(producer.records) == 1
        writer.sent(RUN, acknowledged(range(MOST // 2, MOST)))
        assert writer.keep_up(RUN, MOST)
        assert writer.keep_up(RUN, MOST)
        assert [state["messages"] for _, state in producer.records] == [0, MOST]

    def test_messages_in_a_closed_state_count_too(self, writer, producer):
        writer.sent(RUN, acknowledged(scattered(0, 150_000)))
        writer.publish()
        writer.sent(RUN, acknowledged(range(1, 2)))
        assert not writer.keep_up(RUN, MOST)

        producer.acknowledge()
        assert writer.keep_up(RUN, MOST)

    def test_a_closed_state_that_is_not_on_record_is_published_again(self, writer, producer):
        writer.sent(RUN, acknowledged(scattered(0, 150_000)))
        writer.publish()
        producer.deliveries[-1].fail(Unavailable("too late"))
        writer.sent(RUN, acknowledged(range(1, 2)))

        assert not writer.keep_up(RUN, MOST)
        producer.acknowledge()
        assert writer.keep_up(RUN, MOST)
        assert sorted(state.messages for state in newest(producer).values()) == [1, 150_000]

    def test_other_runs_do_not_count(self, writer):
        writer.sent(uuid.uuid4(), acknowledged(range(2 * MOST)))

        assert writer.keep_up(RUN, MOST)

    def test_an_unknown_run_has_nothing_to_keep_up_with(self, writer):
        assert writer.keep_up(uuid.uuid4(), MOST)


class TestRefusing:
    """A state that Kafka refuses for good must not stop the commits of other runs."""

    @pytest.fixture
    def refused(self, writer, producer):
        """Publishes the states of two runs. Kafka refuses the first one for good. Returns the other run."""
        other = uuid.uuid4()
        writer.received(batch(range(10)))
        writer.received(batch(range(5), other))
        writer.publish()
        producer.deliveries[0].fail(TooLarge("1.1 MB"))
        producer.deliveries[1].acknowledge()
        return other

    def test_everything_counts_as_recorded_and_the_refusal_is_logged(self, writer, refused, caplog):
        assert writer.recorded(writer.mark)
        assert "a state is not on record, because Kafka refuses it: 1.1 MB" in caplog.text

    def test_a_refused_state_is_not_published_again(self, writer, producer, clock, refused):
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

    def test_a_refused_state_is_given_up_even_if_more_was_counted_meanwhile(self, writer, producer, clock):
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

    def test_the_sending_of_a_run_goes_on_if_its_state_is_refused(self, writer, producer):
        writer.begin(Request(RUN, "ping", 10**6, 1, created=0), "host:1/a.1")
        writer.sent(RUN, acknowledged(range(MOST + 1)))
        writer.publish()
        producer.deliveries[0].fail(TooLarge("1.1 MB"))

        assert writer.keep_up(RUN, MOST)
