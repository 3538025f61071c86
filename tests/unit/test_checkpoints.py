"""The commit policy: a batch passes when it and all batches before it are handled, answered and on record."""

import pytest

from messaging.clients.protocols import Partition
from messaging.delivery.checkpoints import Checkpoints
from messaging.runs.batch import Batch
from tests.unit.fakes import Answers, Journal

P0, P1 = Partition("pong", 0), Partition("pong", 1)


def batch(count: int) -> Batch:
    return Batch("pong", [0] * count, [b"k"] * count, [b"v"] * count, 0.0)


@pytest.fixture
def journal():
    return Journal()


@pytest.fixture
def checkpoints(journal):
    return Checkpoints(journal)


def passed(checkpoints: Checkpoints) -> dict[Partition, int]:
    """Return what may be committed after all steps that are possible now."""
    checkpoints.advance()
    return checkpoints.uncommitted({})


def test_a_batch_without_answers_is_passed_when_it_is_on_record(checkpoints, journal):
    journal.holds_back = True
    journal.received(batch(10))
    checkpoints.add(batch(10), {P0: 10}, None)
    assert passed(checkpoints) == {}
    assert not checkpoints.done

    journal.holds_back = False
    assert passed(checkpoints) == {P0: 10}
    assert checkpoints.done


def test_a_batch_is_passed_when_its_answers_are_settled_and_their_counts_are_on_record(checkpoints, journal):
    # Given a batch whose answers are under way
    answers = Answers()
    checkpoints.add(batch(10), {P0: 10}, answers)
    assert passed(checkpoints) == {}
    assert journal.answers == []

    # When they are settled, the journal counts them before anything may be committed
    journal.holds_back = True
    answers.done = True
    assert passed(checkpoints) == {}
    assert journal.answers == [(10, [])]

    # Then the batch is passed once the counts are on record
    journal.holds_back = False
    assert passed(checkpoints) == {P0: 10}


def test_the_refused_answers_of_a_batch_are_reported_to_the_journal_only_one_time(checkpoints, journal):
    journal.holds_back = True
    checkpoints.add(batch(10), {P0: 10}, Answers(done=True, refused=[1, 5, 6]))
    for _ in range(3):
        checkpoints.advance()

    assert journal.answers == [(10, [1, 5, 6])]


def test_a_batch_is_passed_only_when_the_record_with_its_answers_is_acknowledged(checkpoints, journal):
    # Given a batch that was on record before its answers were settled
    answers = Answers()
    checkpoints.add(batch(10), {P0: 10}, answers)
    checkpoints.advance()
    journal.acknowledge()

    # When the answers are settled
    answers.done = True
    # Then the older record is not enough
    assert passed(checkpoints) == {}
    journal.acknowledge()
    assert passed(checkpoints) == {P0: 10}


def test_a_later_batch_waits_for_an_earlier_one(checkpoints):
    first, second = Answers(), Answers(done=True)
    checkpoints.add(batch(10), {P0: 10}, first)
    checkpoints.add(batch(15), {P0: 25, P1: 5}, second)
    checkpoints.add(batch(1), {P1: 6}, None)
    assert passed(checkpoints) == {}

    first.done = True
    assert passed(checkpoints) == {P0: 25, P1: 6}


def test_an_earlier_batch_does_not_wait_for_a_later_one(checkpoints):
    checkpoints.add(batch(10), {P0: 10}, Answers(done=True))
    checkpoints.add(batch(15), {P0: 25}, Answers())

    assert passed(checkpoints) == {P0: 10}
    assert not checkpoints.done


def test_confirmed_offsets_are_not_committed_again(checkpoints):
    checkpoints.add(batch(10), {P0: 10, P1: 4}, None)
    checkpoints.advance()

    assert checkpoints.uncommitted({P0: 10}) == {P1: 4}
    assert checkpoints.uncommitted({P0: 9, P1: 4}) == {P0: 10}
    assert checkpoints.uncommitted({P0: 10, P1: 4}) == {}


def test_answers_take_room_while_they_are_under_way(checkpoints):
    first, second = Answers(), Answers()
    checkpoints.add(batch(10), {P0: 10}, first, cost=1000)
    checkpoints.add(batch(10), {P0: 20}, second, cost=500)
    checkpoints.add(batch(10), {P0: 30}, None, cost=700)  # has no answers
    assert checkpoints.in_flight == 1500

    first.done = True
    checkpoints.advance()
    assert checkpoints.in_flight == 500
    second.done = True
    checkpoints.advance()
    assert checkpoints.in_flight == 0


def test_wait_waits_for_the_oldest_answers_and_returns_true_if_none_are_under_way(checkpoints):
    # Given two batches with answers under way, and one without
    first, second = Answers(), Answers()
    checkpoints.add(batch(10), {P0: 10}, None)
    checkpoints.add(batch(10), {P0: 20}, first)
    checkpoints.add(batch(10), {P0: 30}, second)
    checkpoints.advance()

    # Then `wait` waits for the first answers, and for the second ones when the first ones are settled
    assert not checkpoints.wait(5)
    assert (first.waits, second.waits) == ([5], [])
    first.done = True
    assert not checkpoints.wait(5)
    assert not checkpoints.wait(4)
    assert (first.waits, second.waits) == ([5, 5], [4])

    # And it returns True when all are settled
    second.done = True
    assert checkpoints.wait(3)
    assert checkpoints.wait(3)
    assert second.waits == [4, 3]


def test_wait_returns_true_before_the_batch_is_on_record(checkpoints, journal):
    journal.holds_back = True
    checkpoints.add(batch(10), {P0: 10}, Answers(done=True))

    assert checkpoints.wait(1)
    assert not checkpoints.done


def test_forgotten_batches_are_never_committed(checkpoints, journal):
    # Given one batch that is passed and one that is under way
    answers = Answers()
    checkpoints.add(batch(10), {P0: 10}, None)
    checkpoints.add(batch(10), {P0: 20}, answers, cost=1000)
    assert passed(checkpoints) == {P0: 10}

    # When other instances get the partitions
    checkpoints.forget()
    answers.done = True

    # Then nothing is left of these batches
    assert passed(checkpoints) == {}
    assert (checkpoints.done, checkpoints.in_flight) == (True, 0)
    assert journal.answers == []

    # And later batches pass as usual
    checkpoints.add(batch(5), {P1: 5}, None)
    assert passed(checkpoints) == {P1: 5}


def test_a_batch_whose_partitions_were_taken_away_commits_nothing(checkpoints, journal):
    answers = Answers(done=True)
    checkpoints.add(batch(10), {}, answers)

    assert passed(checkpoints) == {}
    assert journal.answers == [(10, [])]
    assert checkpoints.done
