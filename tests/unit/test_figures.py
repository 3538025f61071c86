"""Each figure is the time of its event, and not the time when a loop noticed the event. The test sets the times."""

import pytest

from messaging.delivery.checkpoints import Checkpoints
from messaging.journal.past import Past
from messaging.journal.states import YIELDED
from messaging.journal.writer import JournalWriter
from messaging.runs.batch import Batch
from messaging.runs.stamp import stamps
from tests.unit.api_fakes import asked
from tests.unit.fakes import Answers, Journal, Topic
from tests.unit.journal_producer import AT, RUN, Producer, acknowledged, newest
from tests.unit.sending_instance import KNOWN, Instance, sent

SECOND = 1_000_000


@pytest.fixture
def clock(monkeypatch):
    """Sets the time of day, in microseconds since the epoch."""

    def set_time(microseconds: int) -> None:
        monkeypatch.setattr("time.time_ns", lambda: microseconds * 1000)

    set_time(AT)
    return set_time


def state_of(stage: str, *calls) -> object:
    """Return the state that a writer of pong publishes for this stage.

    First, each function in `calls` is called with the writer as its argument.
    """
    producer = Producer()
    writer = JournalWriter(producer, "pong")
    for call in calls:
        call(writer)
    writer.publish()
    return next(state for key, state in newest(producer).items() if f"/{stage}/" in key)


def batch(count: int, received_at: int) -> Batch:
    return Batch("pong", [0] * count, stamps(RUN.bytes, range(count)), [b"x"] * count, 0.0, received_at)


def test_the_received_time_is_when_the_poll_returned_although_messages_are_counted_after_the_handler(clock):
    polled = batch(10, AT + 5000)
    clock(AT + 9 * SECOND)
    state = state_of("pong_received", lambda writer: writer.received(polled))

    assert (state.first, state.last) == (AT + 5000, AT + 5000)
    assert state.latencies.percentiles([1.0]) == pytest.approx([5], rel=0.01)


def test_the_answered_time_is_when_the_acknowledgement_came_and_not_when_the_next_poll_noticed_it(clock):
    polled = batch(10, AT + 5000)
    clock(AT + 9 * SECOND)
    state = state_of("pong_answered", lambda writer: writer.answered(polled, [], AT + 8800))

    assert (state.first, state.last) == (AT + 8800, AT + 8800)
    assert state.latencies.percentiles([1.0]) == pytest.approx([8.8], rel=0.01)


def test_the_checkpoints_tell_the_journal_when_the_acknowledgement_came():
    times = []

    class Noting(Journal):
        def answered(self, batch, refused, at):
            times.append(at)
            super().answered(batch, refused, at)

    answers = Answers(done=True)
    answers.acknowledged_at = AT
    checkpoints = Checkpoints(Noting())
    checkpoints.add(batch(1, AT), {}, answers)
    checkpoints.advance()

    assert times == [AT]


def test_the_sent_time_is_when_kafka_acknowledged_the_messages(clock):
    clock(AT + 9 * SECOND)
    state = state_of(
        "sent",
        lambda writer: writer.begin(asked("pong", 2, 1, run=RUN), "c"),
        lambda w: w.sent(RUN, acknowledged([0, 1])),
    )

    assert (state.first_sent, state.first, state.last) == (AT - 1000, AT, AT)


class Acknowledging(Topic):
    """Acknowledges each block 1 s after it was sent. Each send moves the clock by 2 s. `at` is the time of day."""

    def __init__(self, clock):
        super().__init__()
        self.at = AT
        self._clock = clock

    def send(self, keys, values, partitions):
        delivery = super().send(keys, values, partitions)
        delivery.acknowledged_at = self.at + SECOND
        self.at += 2 * SECOND
        self._clock(self.at)
        return delivery


@pytest.fixture
def instance(clock):
    instance = Instance()
    instance.topic.send = Acknowledging(clock).send
    return instance


def test_total_time_is_from_the_first_send_to_the_last_acknowledgement_and_not_longer(instance, clock):
    flush = instance.writer.flush
    instance.writer.flush = lambda *arguments: clock(AT + 60 * SECOND) or flush(*arguments)

    assert instance.send(600, 5).seconds == 5  # three blocks: sent at 0, 2 and 4 s, the last one acknowledged at 5 s


def test_total_time_of_a_run_that_was_taken_over_begins_with_its_first_send(instance):
    before = sent(range(200), YIELDED)
    before.stage.first_sent = AT - 30 * SECOND
    instance.past.past = Past(states={"host:2/b.1": before})

    assert instance.send(600, 5, **KNOWN).seconds == 33  # two blocks are left
