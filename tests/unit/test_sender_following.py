"""While an instance sends a run, it notices newer claims, failures and requests to stop.

It notices them even if they came while it was frozen.
"""

import pytest

from messaging.clients.errors import Unavailable
from messaging.delivery.ownership import CLAIM_SECONDS, FROZEN_SECONDS
from messaging.runs.outcome import CallAgain, DeliveryFailed, RunStopped, Superseded
from tests.unit.api_fakes import RUN
from tests.unit.sending_instance import AGAIN, KNOWN, Instance, numbers


@pytest.fixture
def instance():
    return Instance()


class TestWhileItSends:
    @pytest.mark.parametrize("call", [{}, KNOWN, KNOWN | {"queued": True}, AGAIN], ids=repr)
    def test_a_newer_claim_stops_the_sending_and_the_call_gets_no_reply(self, instance, call):
        instance.topic.on_send = lambda: instance.claims.claim("host:2/b.1")
        with pytest.raises(Superseded):
            instance.send(1000, 5, **call)

        assert numbers(instance) == [*range(200)], "the block in hand is sent"
        assert instance.writer.numbers == [*range(200)], "the block in hand is on record"
        assert instance.steps[-1] == "yielded"

    @pytest.mark.parametrize("end", ["stopped", "failed"])
    def test_a_new_stop_or_failure_on_record_ends_the_run(self, instance, end):
        instance.topic.on_send = lambda: setattr(instance.claims.standings[RUN], end, "why")
        with pytest.raises(RunStopped, match="200 of 1000"):
            instance.send(1000, 5)

        assert instance.writer.outcomes[RUN] == "stopped"

    def test_a_newer_claim_that_comes_after_the_last_message_changes_nothing(self, instance):
        instance.topic.on_send = lambda: instance.claims.claim("host:2/b.1")

        assert instance.send(200, 5, **KNOWN).num_messages == 200
        assert instance.writer.outcomes[RUN] == "sent"


class TestAfterAPause:
    """The process may have been frozen, and another instance may have taken over."""

    def freeze(self, instance, seconds):
        instance.topic.on_send = lambda: instance.clock.advance(seconds)

    def test_the_instance_reads_the_record_before_it_sends_more(self, instance):
        self.freeze(instance, FROZEN_SECONDS + 0.1)
        instance.send(600, 5)

        assert instance.steps == ["begin", "send", "catch up", "claim", "send", "catch up", "send", "sent"]

    def test_a_short_pause_does_not_count(self, instance):
        self.freeze(instance, FROZEN_SECONDS - 0.1)
        instance.send(600, 5)

        assert "catch up" not in instance.steps

    def test_the_instance_stops_if_another_has_taken_over(self, instance):
        self.freeze(instance, 30)
        instance.claims.comes = lambda: instance.claims.claim("host:2/b.1")
        with pytest.raises(Superseded):
            instance.send(1000, 5, **KNOWN)

        assert numbers(instance) == [*range(200)]
        assert instance.steps[-2:] == ["catch up", "yielded"]

    @pytest.mark.parametrize(
        ("queued", "error", "outcome"), [(True, CallAgain, "yielded"), (False, DeliveryFailed, "failed")]
    )
    def test_the_instance_sends_nothing_more_if_it_cannot_read_the_record(self, instance, queued, error, outcome):
        def lose_kafka():
            instance.claims.reads = False
            instance.clock.advance(30)

        instance.topic.on_send = lose_kafka
        with pytest.raises(error):
            instance.send(1000, 5, queued=queued, **KNOWN)

        assert numbers(instance) == instance.writer.numbers == [*range(200)]
        assert instance.writer.outcomes[RUN] == outcome


class TestARunThatNobodyElseCanKnow:
    """When the sending begins, only this call has the id of the run. So the instance puts off its claim.

    The instance claims the run during the sending, or at the end. Another instance may claim the run meanwhile, because
    RabbitMQ delivers the call again after a lost connection.
    """

    def test_a_short_run_is_claimed_at_its_end(self, instance):
        instance.send(600, 5)

        assert instance.steps == ["begin", "send", "send", "send", "sent", "claim"]

    def test_a_longer_run_is_claimed_while_it_is_sent(self, instance):
        instance.topic.on_send = lambda: instance.clock.advance(CLAIM_SECONDS)
        instance.send(600, 5)

        assert instance.steps == ["begin", "send", "claim", "send", "send", "sent"]

    def test_a_run_that_is_stopped_is_claimed_too(self, instance):
        instance.claims.ended.add(RUN)
        with pytest.raises(RunStopped):
            instance.send(600, 5)

        assert instance.steps == ["begin", "stopped", "claim"]

    def test_a_run_is_not_claimed_after_another_instance_has_claimed_it(self, instance):
        instance.topic.on_send = lambda: instance.claims.claim("host:2/b.1")
        with pytest.raises(Superseded):
            instance.send(600, 5)

        assert instance.steps == ["begin", "send", "yielded"]

    def test_the_instance_goes_on_if_its_own_claim_comes_after_the_claim_of_another_instance(self, instance):
        self.read_another_claim_before_the_claim_of_this_instance(instance)

        assert instance.send(1000, 5).num_messages == 1000
        assert instance.steps[:6] == ["begin", "send", "claim", "send", "read back", "send"]

    def test_the_instance_sends_nothing_more_if_its_own_claim_does_not_come(self, instance):
        self.read_another_claim_before_the_claim_of_this_instance(instance)
        instance.claims.wait_for_claim = lambda *_: False
        with pytest.raises(DeliveryFailed, match="this instance must stop sending"):
            instance.send(1000, 5)

        assert numbers(instance) == [*range(400)]

    def test_the_instance_sends_nothing_more_if_its_claim_cannot_be_written(self, instance):
        instance.topic.on_send = lambda: instance.clock.advance(CLAIM_SECONDS)
        instance.requests.claim = fail
        with pytest.raises(DeliveryFailed, match="this instance must stop sending"):
            instance.send(1000, 5)

        assert numbers(instance) == [*range(200)]

    def read_another_claim_before_the_claim_of_this_instance(self, instance):
        def on_send():
            instance.clock.advance(CLAIM_SECONDS)
            if instance.requests.claims and not instance.claims.standings[RUN].claims:
                instance.claims.claim("host:2/b.1")

        instance.topic.on_send = on_send


def fail(*_):
    raise Unavailable("gone")
