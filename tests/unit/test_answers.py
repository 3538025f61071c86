"""Answers, with fake deliveries. The test decides about acknowledgements."""

import pytest

from messaging.clients.errors import Refused, TooLarge, Unavailable
from messaging.clients.protocols import Partition
from messaging.delivery.answers import LONGEST_PAUSE, Columns, SentAnswers
from messaging.delivery.checkpoints import Checkpoints
from messaging.runs.batch import Batch
from tests.unit.fakes import Clock, Delivery, Journal

COLUMNS = Columns([b"a", b"b", b"c"], [b"1", b"2", b"3"], [0, 0, 1])


class Out:
    """Notes what is handed over. While it is `down`, handing over fails."""

    def __init__(self) -> None:
        self.handed_over: list[list[tuple]] = []
        self.deliveries: list[Delivery] = []
        self.down = False

    def __call__(self, columns: Columns) -> Delivery:
        if self.down:
            raise Unavailable("no metadata")
        self.handed_over.append(list(zip(*columns, strict=True)))
        self.deliveries.append(Delivery(len(columns.keys)))
        return self.deliveries[-1]


@pytest.fixture
def out():
    return Out()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def answers(out, clock):
    return SentAnswers(out, COLUMNS, clock)


def settle_again(answers: SentAnswers, clock: Clock) -> None:
    """Call `settled` twice, and let a pause pass after each call. Failed answers are then sent again."""
    for _ in range(2):
        assert not answers.settled()
        clock.advance(LONGEST_PAUSE)


def test_answers_are_settled_when_every_message_was_acknowledged_and_not_before(out, answers):
    out.deliveries[0].acknowledge(0, 2)
    assert not answers.settled()
    assert not answers.wait(0.01)

    out.deliveries[0].acknowledge(1)
    assert answers.wait(0)
    assert answers.settled()
    assert (len(out.handed_over), answers.refused) == (1, [])


def test_only_messages_that_failed_for_a_temporary_reason_are_sent_again(out, answers, clock):
    out.deliveries[0].acknowledge(0, 2)
    out.deliveries[0].fail(Unavailable("too late"), 1)

    settle_again(answers, clock)
    assert out.handed_over[1:] == [[(b"b", b"2", 0)]]
    out.deliveries[1].acknowledge()
    assert answers.settled()


def test_the_callback_gets_the_number_of_messages_that_were_handed_over_again(out, clock):
    again: list[int] = []
    answers = SentAnswers(out, COLUMNS, clock, again.append)
    for delivery in 0, 1:
        assert len(again) == delivery
        out.deliveries[delivery].fail(Unavailable("too late"))
        settle_again(answers, clock)

    assert again == [3, 3]


def test_messages_that_are_refused_for_good_are_logged_and_left_out(out, answers, clock, caplog):
    out.deliveries[0].acknowledge(0)
    out.deliveries[0].fail(TooLarge("12 MB"), 1)
    out.deliveries[0].fail(Unavailable("too late"), 2)

    settle_again(answers, clock)
    assert out.handed_over[1:] == [[(b"c", b"3", 1)]]
    out.deliveries[1].acknowledge()
    assert answers.settled()
    assert answers.refused == [1]
    assert "1 messages cannot be sent" in caplog.text


def test_messages_that_are_refused_at_the_second_attempt_count_as_refused_too(out, answers, clock):
    out.deliveries[0].fail(Refused("no key and no value"), 0)
    out.deliveries[0].fail(Unavailable("too late"), 1, 2)
    settle_again(answers, clock)
    out.deliveries[1].fail(TooLarge("12 MB"), 1)
    out.deliveries[1].acknowledge(0)

    assert answers.settled()
    assert answers.refused == [0, 2]


def test_failed_messages_wait_until_the_client_can_take_them(out, answers, clock):
    # Given one message that failed for good, and one that failed for a temporary reason
    out.deliveries[0].acknowledge(0)
    out.deliveries[0].fail(TooLarge("12 MB"), 1)
    out.deliveries[0].fail(Unavailable("too late"), 2)

    # When the client cannot take the message with the temporary failure yet
    out.down = True
    for _ in range(3):
        settle_again(answers, clock)
    assert not answers.wait(0)

    # Then it is handed over once, as soon as the client takes it
    out.down = False
    settle_again(answers, clock)
    out.deliveries[1].acknowledge()
    assert answers.settled()
    assert out.handed_over[1:] == [[(b"c", b"3", 1)]]
    assert answers.refused == [1]


def test_failed_messages_are_sent_again_after_a_pause_that_grows_to_a_limit(out, answers, clock):
    pauses = []
    for _ in range(6):
        out.deliveries[-1].fail(Unavailable("too late"))
        assert not answers.settled()
        attempts, failed = len(out.handed_over), clock.now
        while len(out.handed_over) == attempts:
            clock.advance(0.5)
            assert not answers.settled()
        pauses.append(clock.now - failed)

    assert pauses == [0.5, 1, 2, 4, LONGEST_PAUSE, LONGEST_PAUSE]


def test_during_the_pause_answers_are_not_settled_and_waiting_ends_with_the_pause(out, answers, clock):
    out.deliveries[0].fail(Unavailable("too late"))
    assert not answers.settled()

    assert not answers.wait(0)
    assert not answers.wait(0.001)
    clock.advance(LONGEST_PAUSE)
    assert not answers.wait(10), "the pause is over, so there is nothing to wait for"
    assert len(out.handed_over) == 1


def test_failed_answers_stay_in_flight_and_hold_up_their_batch_until_they_are_acknowledged(out, answers, clock):
    checkpoints = Checkpoints(Journal())
    batch = Batch("pong", [0] * 3, [b"k"] * 3, [b"v"] * 3, 0.0)
    checkpoints.add(batch, {Partition("pong", 0): 3}, answers, cost=1000)
    for _ in range(3):
        out.deliveries[-1].fail(Unavailable("too late"))
        for _ in range(3):
            checkpoints.advance()
            assert (checkpoints.in_flight, checkpoints.uncommitted({})) == (1000, {})
            clock.advance(LONGEST_PAUSE)
    out.deliveries[-1].acknowledge()
    checkpoints.advance()

    assert (checkpoints.in_flight, checkpoints.uncommitted({})) == (0, {Partition("pong", 0): 3})


def test_the_time_of_the_last_acknowledgement_is_kept_if_the_second_attempt_is_refused(out, answers, clock):
    # Given answers of which one is acknowledged, and two are sent again
    out.deliveries[0].acknowledge(0)
    at = out.deliveries[0].acknowledged_at
    out.deliveries[0].fail(Unavailable("no leader"), 1, 2)
    settle_again(answers, clock)

    # When Kafka refuses these two
    out.deliveries[1].fail(TooLarge("too large"))

    assert answers.settled()
    assert answers.acknowledged_at == at > 0
