"""A message that Kafka refuses for good aborts its transaction. The record must say which messages have failed."""

import pytest
from pyroaring import BitMap

from messaging.journal.states import FAILED
from messaging.runs.stage import not_taken, union
from tests.unit.simulation.kafka import Kafka
from tests.unit.simulation.world import MESSAGES, World, numbers_of, states_of, twice_or_disordered

EVERYTHING = BitMap(range(MESSAGES))


def arrived(kafka: Kafka, topic: str) -> BitMap:
    return BitMap([number for numbers in numbers_of(kafka, topic, Kafka.committed).values() for number in numbers])


@pytest.mark.parametrize("refused", [{0}, {MESSAGES - 1}, {250, 251, 777}, set(range(400, 406))])
def test_answers_that_are_refused_are_counted_as_failed_and_all_others_arrive(refused):
    # Given a topic that refuses some of the answers
    world = World()
    world.kafka.refused = {"ping": frozenset(refused)}

    # When a run is over
    world.finish(lambda: arrived(world.kafka, "ping") == EVERYTHING - BitMap(refused))

    # Then all others arrived once and in order, and the record says which answers have failed
    assert twice_or_disordered(world.kafka) == []
    assert arrived(world.kafka, "ping") == EVERYTHING - BitMap(refused)
    answered = [state.stage for state in states_of(world.kafka, "pong_answered", Kafka.committed)]
    assert not_taken(answered) == BitMap(refused)
    assert union(answered) == EVERYTHING - BitMap(refused)
    received = [state.stage for state in states_of(world.kafka, "pong_received", Kafka.committed)]
    assert sum(stage.messages for stage in received) == MESSAGES


def test_a_run_with_a_refused_message_fails_and_the_record_says_which_messages_have_failed():
    world = World()
    world.kafka.refused = {"pong": frozenset([999])}
    world.finish(lambda: bool(world.queue.failed) and arrived(world.kafka, "pong") == arrived(world.kafka, "ping"))

    assert len(world.queue.failed) == 1
    assert "it does not take messages of 1 bytes" in world.queue.failed[0]
    sent = states_of(world.kafka, "sent", Kafka.committed)
    assert [state.sender.outcome for state in sent if state.sender.ended] == [FAILED]
    assert arrived(world.kafka, "pong") == union(state.stage for state in sent)
    assert 999 in not_taken(state.stage for state in sent)
    assert arrived(world.kafka, "pong") == arrived(world.kafka, "ping")


def test_a_run_with_a_refused_message_fails_even_if_its_service_is_being_stopped():
    # Given a sender that is told to stop before it knows that Kafka refuses a message
    world = World()
    world.kafka.refused = {"pong": frozenset([0])}
    sender = world.actors[0]
    while not world.kafka.open:
        sender.step()
    sender.stop.ask()

    # When it ends the run
    world.finish(lambda: bool(world.queue.failed))

    # Then the record says that the run has failed
    sent = states_of(world.kafka, "sent", Kafka.committed)
    assert [state.sender.outcome for state in sent if state.sender.ended] == [FAILED]
    assert 0 in not_taken(state.stage for state in sent)
