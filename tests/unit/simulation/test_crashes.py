"""The protocol of exactly-once with a crash or a freeze after each step.

Each control breaks one rule of the protocol, and the simulation must find the error. This shows that it
finds real mistakes too.
"""

from itertools import count

import pytest

from tests.unit.simulation.clients import Producer
from tests.unit.simulation.kafka import Kafka
from tests.unit.simulation.world import World, twice_or_disordered, violations

STEPS = range(180)
"""About as many steps as the run takes without faults."""


@pytest.fixture(autouse=True)
def quiet(caplog):
    caplog.set_level("CRITICAL")


class Unfenced(Producer):
    """A producer that takes a new transactional id, so it fences no other producer."""

    numbers = count()

    def start(self, seconds: float) -> None:
        self.name = f"{self.name}/{next(self.numbers)}"
        super().start(seconds)


class Apart(Producer):
    """A producer that commits the offsets separately, after the transaction."""

    def commit(self, seconds, offsets=None, membership=None) -> None:
        super().commit(seconds)
        if offsets:
            group, (member, generation) = membership
            if member in group.members and generation == group.generation:
                group.offsets.update(offsets)
            self.step()


def crashed(at: int, **producers: type[Producer]) -> Kafka:
    """Return Kafka after a run. The process that takes step `at` is killed after it."""
    world = World(**producers)
    for number in range(at + 1):
        world.kafka.clock.advance(0.006)
        world.step(number % len(world.actors))
    world.crash(at % len(world.actors))
    world.finish()
    return world.kafka


def frozen(at: int, **producers: type[Producer]) -> Kafka:
    """Return Kafka after a run. A sender freezes after `at` steps, another one takes over, and the first one wakes."""
    world = World(**producers)
    for _ in range(at):
        world.kafka.clock.advance(0.03)
        world.step(0)
    world.actors[0].requeue()
    for _ in range(12):
        world.kafka.clock.advance(0.03)
        world.step(1)
    world.finish()
    return world.kafka


def test_without_faults_everything_arrives_once():
    world = World()
    world.finish()

    assert violations(world.kafka) == []


@pytest.mark.parametrize("at", STEPS)
def test_nothing_is_lost_or_comes_twice_if_a_process_is_killed_after_any_step(at):
    assert violations(crashed(at)) == []


@pytest.mark.parametrize("at", range(30))
def test_nothing_is_lost_or_comes_twice_if_a_sender_wakes_after_another_one_took_over(at):
    assert violations(frozen(at)) == []


@pytest.mark.parametrize("at", range(30))
def test_a_run_is_sent_if_two_senders_have_its_call_and_kafka_loses_a_commit(at):
    # Given a sender that has lost its connection to RabbitMQ, so that another sender gets the same call
    world = World()
    for _ in range(2):
        world.step(1)
    world.actors[1].requeue()
    for _ in range(2):
        world.step(0)

    # When both continue, and Kafka loses a commit
    for _ in range(at):
        world.step(0)
        world.step(1)
    world.kafka.lost = "before"
    world.finish()

    # Then the run is sent all the same
    assert violations(world.kafka) == []


def test_control_a_reader_of_uncommitted_messages_sees_some_twice():
    assert any(twice_or_disordered(crashed(at), Kafka.uncommitted) for at in STEPS)


def test_control_messages_are_sent_twice_if_senders_do_not_fence_each_other():
    found = (wrong for at in range(30) for wrong in violations(frozen(at, sender_producer=Unfenced)))

    assert any("pong: " in wrong and "twice" in wrong for wrong in found)


def test_control_answers_come_twice_if_offsets_are_committed_outside_of_the_transaction():
    found = (wrong for at in STEPS for wrong in violations(crashed(at, receiver_producer=Apart)))

    assert any("ping: " in wrong and "twice" in wrong for wrong in found)
