"""Exactly-once with faults in any order. hypothesis looks for an order that loses or repeats messages."""

import logging

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.unit.simulation.actors import Sender
from tests.unit.simulation.world import World, twice_or_disordered, violations

ACTORS = st.integers(0, 4)
SENDERS = st.integers(0, 1)


class Machine(RuleBasedStateMachine):
    """Lets actors run, one at a time. All others stand still, like frozen processes."""

    def __init__(self) -> None:
        super().__init__()
        logging.disable(logging.CRITICAL)
        self.world = World()
        self.kafka = self.world.kafka

    @rule(index=ACTORS, times=st.integers(1, 25))
    def go_on(self, index: int, times: int) -> None:
        for _ in range(times):
            self.kafka.clock.advance(0.03)
            self.world.step(index)

    @rule(rounds=st.integers(1, 8))
    def go_on_together(self, rounds: int) -> None:
        for _ in range(rounds):
            for index in range(len(self.world.actors)):
                self.go_on(index, 1)

    @rule(index=ACTORS)
    def kill(self, index: int) -> None:
        self.world.crash(index)

    @rule(index=SENDERS)
    def cut_rabbitmq(self, index: int) -> None:
        actor = self.world.actors[index]
        assert isinstance(actor, Sender)
        actor.requeue()

    @rule(index=SENDERS)
    def learn_of_newer_claims(self, index: int) -> None:
        actor = self.world.actors[index]
        assert isinstance(actor, Sender)
        actor.claims.learn()

    @rule(name=st.sampled_from(["pong", "ping"]))
    def rebalance(self, name: str) -> None:
        self.kafka.groups[name].rebalance()

    @rule(index=st.integers(2, 4))
    def end_session(self, index: int) -> None:
        self.world.end_sessions()
        self.world.end_session_of(self.world.actors[index])

    @rule(data=st.data())
    def time_out_a_transaction(self, data: st.DataObject) -> None:
        if self.kafka.open:
            self.world.time_out(data.draw(st.sampled_from(sorted(self.kafka.open))))

    @rule(when=st.sampled_from(["before", "after"]))
    def lose_the_answer_to_the_next_commit(self, when: str) -> None:
        self.kafka.lost = when

    @invariant()
    def nothing_came_twice_or_out_of_order(self) -> None:
        assert twice_or_disordered(self.kafka) == []

    def teardown(self) -> None:
        try:
            self.world.finish()
            assert violations(self.kafka) == []
        finally:
            logging.disable(logging.NOTSET)


TestAnyFaults = Machine.TestCase
TestAnyFaults.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)
