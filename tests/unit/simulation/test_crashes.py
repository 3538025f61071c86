"""The protocol of exactly-once with a crash after each step. Controls show what happens without one of its rules.

Each control breaks one rule, and the simulation must find that. So it finds real mistakes too.
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
    """A sender that fences nobody, because each sender has its own id."""

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
    """Return Kafka after a run in which a process was killed after this step."""
    world = World(**producers)
    for number in range(at + 1):
        world.kafka.clock.advance(0.006)
        world.step(number % len(world.actors))
    world.crash(at % len(world.actors))
    world.finish()
    return world.kafka


def frozen(at: int, **producers: type[Producer]) -> Kafka:
    """Return Kafka after a run. Its sender freezes after this step, another one takes over, and the first one wakes."""
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
def test_a_sender_that_was_frozen_at_any_step_and_taken_over_sends_nothing_twice(at):
    assert violations(frozen(at)) == []


def test_control_who_reads_uncommitted_sees_messages_twice():
    assert any(twice_or_disordered(crashed(at), Kafka.uncommitted) for at in STEPS)


def test_control_senders_that_do_not_fence_send_twice():
    found = (wrong for at in range(30) for wrong in violations(frozen(at, sender_producer=Unfenced)))

    assert any("pong: " in wrong and "twice" in wrong for wrong in found)


def test_control_offsets_that_are_committed_apart_from_the_transaction_make_answers_come_twice():
    found = (wrong for at in STEPS for wrong in violations(crashed(at, receiver_producer=Apart)))

    assert any("ping: " in wrong and "twice" in wrong for wrong in found)
