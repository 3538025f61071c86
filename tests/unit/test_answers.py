"""Answers, with deliveries whose acknowledgements the test makes."""

import pytest

from messaging.clients.errors import Refused, TooLarge, Unavailable
from messaging.delivery.answers import Answers, Columns
from tests.unit.fakes import Delivery

COLUMNS = Columns([b"a", b"b", b"c"], [b"1", b"2", b"3"], [0, 0, 1])


class Out:
    """Takes down what is handed over; `down` says that not even that is possible."""

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
def answers(out):
    return Answers(out, COLUMNS)


def test_they_are_settled_when_every_message_was_acknowledged_and_not_before(out, answers):
    out.deliveries[0].acknowledge(0, 2)
    assert not answers.settled()
    assert not answers.wait(0.01)

    out.deliveries[0].acknowledge(1)
    assert answers.wait(0)
    assert answers.settled()
    assert (len(out.handed_over), answers.refused) == (1, 0)


def test_what_failed_for_a_passing_reason_is_sent_again_and_nothing_else(out, answers):
    out.deliveries[0].acknowledge(0, 2)
    out.deliveries[0].fail(Unavailable("too late"), 1)

    assert not answers.settled()
    assert out.handed_over[1:] == [[(b"b", b"2", 0)]]
    out.deliveries[1].acknowledge()
    assert answers.settled()


def test_what_is_refused_for_good_is_logged_and_left_out(out, answers, caplog):
    out.deliveries[0].acknowledge(0)
    out.deliveries[0].fail(TooLarge("12 MB"), 1)
    out.deliveries[0].fail(Unavailable("too late"), 2)

    assert not answers.settled()
    assert out.handed_over[1:] == [[(b"c", b"3", 1)]]
    out.deliveries[1].acknowledge()
    assert answers.settled()
    assert answers.refused == 1
    assert "1 messages cannot be sent" in caplog.text


def test_what_is_refused_at_the_second_attempt_counts_as_well(out, answers):
    out.deliveries[0].fail(Refused("no key and no value"), 0)
    out.deliveries[0].fail(Unavailable("too late"), 1, 2)
    assert not answers.settled()
    out.deliveries[1].fail(TooLarge("12 MB"), 1)
    out.deliveries[1].acknowledge(0)

    assert answers.settled()
    assert answers.refused == 2


def test_what_cannot_even_be_handed_over_again_is_kept_until_it_can(out, answers):
    # Given messages that failed, one of them for good
    out.deliveries[0].acknowledge(0)
    out.deliveries[0].fail(TooLarge("12 MB"), 1)
    out.deliveries[0].fail(Unavailable("too late"), 2)

    # When the client cannot take the other one back
    out.down = True
    assert not answers.settled()
    assert not answers.settled()
    assert not answers.wait(0)

    # Then it is handed over, once, when the client can
    out.down = False
    assert not answers.settled()
    out.deliveries[1].acknowledge()
    assert answers.settled()
    assert out.handed_over[1:] == [[(b"c", b"3", 1)]]
    assert answers.refused == 1
