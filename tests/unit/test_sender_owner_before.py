"""An instance that claims a run waits until the previous owner yields, but not forever."""

import pytest

from messaging.delivery.ownership import PAST_SECONDS, YIELD_SECONDS
from messaging.journal.past import Past
from messaging.journal.states import State
from messaging.runs.outcome import CallAgain, Superseded
from tests.unit.sending_instance import KNOWN, Instance, claimed, numbers, sent


@pytest.fixture
def instance():
    return Instance()


class TestTheOwnerBefore:
    OLD = "host:2/b.1"

    def before(self, instance, *claims: str, **states: State):
        """Put these claims on record, then the claim of this instance. `states` are those of stage `sent`."""
        instance.past.past = Past(claimed(*claims, "host:1/a.1"), states)

    def test_the_instance_waits_until_the_previous_owner_has_yielded(self, instance):
        self.before(instance, self.OLD, b=sent([0], "sending"))

        def yields():
            if len(instance.past.seconds) == 3:
                self.before(instance, self.OLD, b=sent([0, 1, 2], "yielded"))

        instance.past.on_read = yields
        instance.send(1000, 5, **KNOWN)

        assert instance.steps[:6] == ["claim", "read back", "past", "past", "past", "begin"]
        assert numbers(instance) == [*range(3, 1000)]

    def test_the_instance_waits_until_the_previous_owner_has_ended_the_run(self, instance):
        self.before(instance, self.OLD, b=sent([0], "sending"))

        def ends():
            if len(instance.past.seconds) == 2:
                self.before(instance, self.OLD, b=sent(range(1000), "sent", seconds=1))

        instance.past.on_read = ends
        assert instance.send(1000, 5, **KNOWN).seconds == 1
        assert instance.topic.messages == []

    def test_the_instance_waits_at_most_three_seconds_because_the_owner_may_be_dead(self, instance):
        self.before(instance, self.OLD, b=sent([0], "sending"))
        instance.past.on_read = lambda: instance.clock.advance(1)
        started = instance.clock.now
        instance.send(1000, 5, **KNOWN)

        assert YIELD_SECONDS <= instance.clock.now - started <= YIELD_SECONDS + 1
        assert numbers(instance) == [*range(1, 1000)]

    def test_all_reads_together_have_one_timeout(self, instance):
        """A read may be slow. The next read gets only the time that is left."""
        self.before(instance, self.OLD, b=sent([0], "sending"))
        instance.past.on_read = lambda: instance.clock.advance(PAST_SECONDS - 1)
        instance.send(1000, 5, **KNOWN)

        assert instance.past.seconds == [PAST_SECONDS, 1]

    def test_the_instance_does_not_wait_if_there_is_no_previous_owner(self, instance):
        self.before(instance)
        instance.send(1000, 5, **KNOWN)

        assert instance.steps.count("past") == 1

    def test_the_instance_does_not_wait_if_the_other_claim_is_newer(self, instance):
        instance.past.past = Past(claimed("host:1/a.1", "host:3/c.1"), {"c": sent([0], "sending", claim="host:3/c.1")})
        instance.send(200, 5, **KNOWN)

        assert instance.steps.count("past") == 1

    def test_the_instance_does_not_wait_if_a_newer_claim_comes_while_it_reads_the_past(self, instance):
        self.before(instance, self.OLD, b=sent([0], "sending"))
        instance.past.on_read = lambda: instance.claims.claim("host:3/c.1")
        with pytest.raises(Superseded):
            instance.send(1000, 5, **KNOWN)

        assert instance.steps == ["claim", "read back", "past", "begin", "yielded"]

    def test_the_instance_does_not_wait_if_the_service_stops(self, instance):
        self.before(instance, self.OLD, b=sent([0], "sending"))
        instance.stop.ask()
        with pytest.raises(CallAgain):
            instance.send(1000, 5, queued=True, **KNOWN)

        assert instance.steps.count("past") == 1
