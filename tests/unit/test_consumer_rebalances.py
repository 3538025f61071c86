"""The entrypoint's loop when its group takes partitions away: what it finishes first, and what it drops."""

import pytest

from messaging.clients.protocols import Given, Partition, Polled, Taken
from messaging.delivery import receiving
from tests.unit.fakes import Answers
from tests.unit.service import P0, P1, Consumer, Service, fetched

TAKEN = Polled(changes=[Taken(frozenset({P0, P1}))])
GIVEN = Polled(changes=[Given(frozenset({P0}))])


@pytest.fixture
def hasty(monkeypatch):
    """A rebalance does not wait for work in hand."""
    monkeypatch.setattr(receiving, "REBALANCE_SECONDS", 0)


def test_finished_batches_are_committed_before_their_partitions_go_to_other_instances():
    # Given a batch that is not committed yet, although its answers are acknowledged
    answers = Answers()
    service = Service(Consumer(fetched(range(10)), TAKEN), lambda batch: answers)
    service.turn()
    answers.done = True

    # When the group takes the partitions away
    service.entrypoint.turn()

    # Then the offsets of the batch are committed immediately
    assert service.consumer.events == ["commit"]
    assert service.consumer.confirmed == {P0: 10}


@pytest.mark.usefixtures("hasty")
def test_work_that_is_not_done_at_a_rebalance_is_never_committed():
    # Given a batch whose answers are under way when the group takes its partitions away
    answers = Answers()
    service = Service(Consumer(fetched(range(10)), TAKEN, GIVEN), lambda batch: answers)
    service.turn(2)

    # When Kafka acknowledges the answers after that
    answers.done = True
    service.turn(3)

    # Then nothing is committed, because the messages of the batch come again
    assert service.consumer.events == []
    assert service.consumer.committed == []


def test_offsets_from_before_a_rebalance_are_not_committed_again_after_it():
    # Given a batch that is committed, and a rebalance that gives the same partition back
    service = Service(Consumer(fetched(range(10)), TAKEN, GIVEN))
    service.turn(4)
    assert service.consumer.committed == [{P0: 10}]

    # When more messages come
    service.consumer.comes(fetched(range(10, 12)))
    service.turn(2)

    # Then only these are committed
    assert service.consumer.committed == [{P0: 10}, {P0: 12}]


@pytest.mark.usefixtures("hasty")
def test_a_batch_that_is_being_handled_during_a_rebalance_is_not_committed_after_it():
    # Given a handler that is still at work when the group takes the partitions away
    service = Service(Consumer(fetched(range(10)), TAKEN, GIVEN), seconds=0.2)

    # When it has finished
    service.turn(3)

    # Then its batch is on record, but not committed
    assert service.handled == [10]
    assert list(map(len, service.journal.received_batches)) == [10]
    assert service.consumer.committed == []
    assert service.consumer.events == ["pause", "resume"]


@pytest.mark.usefixtures("hasty")
def test_a_batch_fetched_before_a_rebalance_is_neither_handled_nor_committed_after_it():
    # Given a poll that returned one batch from each of two topics
    both = Polled([*fetched(range(10)).fetched, *fetched(range(5), partition=P1).fetched])
    service = Service(Consumer(both, TAKEN, GIVEN), seconds=0.2)

    # When the group takes the partitions away while the handler works on the first batch
    service.turn(3)

    # Then the second batch is dropped, because the new owner of its partition gets it
    assert service.handled == [10]
    assert service.consumer.committed == []


def test_messages_that_come_after_a_rebalance_are_handled_and_committed():
    service = Service(Consumer(fetched(range(10)), TAKEN, GIVEN, fetched(range(10, 13))))
    service.turn(6)

    assert service.handled == [10, 3]
    assert service.consumer.committed[-1] == {P0: 13}


@pytest.mark.usefixtures("hasty")
def test_a_rebalance_drops_a_batch_that_waits_for_room():
    # Given answers that fill the room, and a batch that waits for it
    answers = Answers()
    consumer = Consumer(fetched(range(10), size=400_000), fetched(range(10, 20), size=400_000))
    service = Service(consumer, lambda batch: answers)
    service.turn()

    # When the group takes the partitions away meanwhile
    service.consumer.comes(TAKEN, GIVEN)
    service.turn(3)

    # Then the waiting batch was not handled, and the room is free
    assert service.handled == [10]
    service.consumer.comes(fetched(range(3)))
    answers.done = True
    service.turn(2)
    assert service.handled == [10, 3]
    assert service.consumer.committed == [{P0: 3}]


def test_the_log_names_the_partitions_that_were_given(caplog):
    caplog.set_level("INFO")
    service = Service(Consumer(Polled(changes=[Given(frozenset({Partition("pong", 3), P0}))])))
    service.turn()
    service.consumer.comes(Polled(changes=[Given(frozenset())]))
    service.turn()

    assert caplog.messages == ["assigned: pong/0, pong/3", "assigned: no partition"]


def test_the_end_of_a_partition_is_not_committed_before_its_messages():
    # Given one poll that returns messages together with the end of their partition
    # Given a handler that is still at work
    messages = fetched(range(10))
    service = Service(Consumer(Polled(messages.fetched, reached={P0: 12}), TAKEN, GIVEN), seconds=0.2)

    # When the group takes the partition away meanwhile
    service.turn(3)

    # Then nothing is committed, so that the messages come again
    assert service.handled == [10]
    assert "commit" not in service.consumer.events
    assert service.consumer.committed == []


def test_the_end_of_a_partition_is_committed_if_it_comes_together_with_the_last_messages():
    messages = fetched(range(10))
    service = Service(Consumer(Polled(messages.fetched, reached={P0: 12})))

    service.turn(2)

    assert service.consumer.confirmed == {P0: 12}
