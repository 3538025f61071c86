"""Only one instance at a time sends a run.

If another instance may have begun the run, this instance first reads everything on record about the run.
"""

from dataclasses import replace

import pytest
from pyroaring import BitMap

from messaging.clients.errors import Unavailable
from messaging.journal.past import Past
from messaging.journal.requests import Standing
from messaging.runs.outcome import CallAgain, DeliveryFailed, RunStopped, StoppedForGood, Superseded
from tests.unit.api_fakes import RUN
from tests.unit.sending_instance import AGAIN, KNOWN, Instance, claimed, numbers, sent


@pytest.fixture
def instance():
    return Instance()


class TestBeforeItSends:
    @pytest.mark.parametrize("call", [KNOWN, AGAIN, KNOWN | AGAIN], ids=["known", "redelivered", "both"])
    def test_an_instance_reads_back_its_claim_and_then_everything_on_record(self, instance, call):
        instance.send(200, 5, **call)

        assert instance.steps == ["claim", "read back", "past", "begin", "send", "sent"]
        assert instance.requests.claims == ["host:1/a.1"]

    def test_each_claim_is_different(self, instance):
        for _ in range(3):
            instance.send(1, 5, **KNOWN)

        assert len(set(instance.requests.claims)) == 3

    def test_a_new_run_that_nobody_else_can_know_begins_without_reading_its_past(self, instance):
        instance.send(200, 5)

        assert instance.steps == ["begin", "send", "sent", "claim"]

    def test_a_new_run_is_not_sent_if_the_newest_part_of_run_requests_cannot_be_read(self, instance):
        instance.claims.reads = False
        with pytest.raises(DeliveryFailed, match="the record of runs was not read"):
            instance.send(200, 5)

        assert instance.topic.messages == []
        assert instance.writer.outcomes[RUN] == "failed"

    def test_a_new_run_that_was_stopped_or_has_failed_is_not_sent(self, instance):
        instance.claims.ended.add(RUN)
        with pytest.raises(RunStopped, match="0 of 1000"):
            instance.send(1000, 5)

        assert instance.topic.messages == []

    def test_messages_of_another_instance_are_not_sent_again(self, instance):
        states = {"host:2/b": sent([*range(500)], "yielded"), "host:3/c": sent([700], "sending", claim="host:3/c.1")}
        instance.past.past = Past(claimed("host:3/c.1", "host:2/b.1"), states)
        instance.send(1000, 5, **KNOWN)

        assert numbers(instance) == [*range(500, 700), *range(701, 1000)]
        assert instance.writer.outcomes[RUN] == "sent"


class TestARunThatIsOver:
    """The run is not sent.

    If a sender has ended the run, the call gets the outcome that this sender put on record. Otherwise the call gets the
    outcome `stopped`.
    """

    def test_a_run_that_was_sent_is_not_sent_again(self, instance):
        instance.past.past = Past(states={"host:2/b": sent(range(1000), "sent", seconds=2.5)})

        assert instance.send(1000, 5, **KNOWN).seconds == 2.5
        assert instance.steps == ["claim", "read back", "past"]

    @pytest.mark.parametrize(("outcome", "error"), [("failed", DeliveryFailed), ("stopped", StoppedForGood)])
    def test_a_run_that_has_ended_early_is_not_sent_again(self, instance, outcome, error):
        instance.past.past = Past(states={"host:2/b": sent([1], outcome, reason="too bad")})
        with pytest.raises(error, match="too bad"):
            instance.send(1000, 5, **KNOWN)

        assert instance.topic.messages == []
        assert instance.writer.outcomes == {}

    @pytest.mark.parametrize("standing", [Standing(stopped=True), Standing(failed="not queued")], ids=repr)
    @pytest.mark.parametrize("queued", [True, False])
    def test_a_run_that_was_over_before_it_began_is_not_sent(self, instance, standing, queued):
        instance.past.past = Past(standing)
        with pytest.raises(RunStopped):
            instance.send(1000, 5, queued=queued, **KNOWN)

        assert instance.topic.messages == []
        assert instance.writer.outcomes[RUN] == "stopped"


class TestAPastThatCannotBeRead:
    @pytest.fixture(params=["claim not written", "claim refused", "claim not read back", "past not read"])
    def unreadable(self, request, instance):
        error = Unavailable("gone")
        if request.param == "claim not written":

            def claim(*arguments):
                raise error

            instance.requests.claim = claim
        elif request.param == "claim refused":
            instance.requests.claim_fails = error
        elif request.param == "claim not read back":
            instance.claims.reads = False
        else:
            instance.past.error = error
        return instance

    def test_an_unreadable_past_puts_a_queued_call_back(self, unreadable):
        with pytest.raises(CallAgain):
            unreadable.send(1000, 5, queued=True, **KNOWN)

        assert unreadable.topic.messages == []
        assert unreadable.writer.outcomes == {}, "another instance may send the run"

    @pytest.mark.parametrize("call", [KNOWN, AGAIN], ids=["known", "redelivered"])
    def test_an_unreadable_past_fails_a_call_whose_client_waits(self, unreadable, call):
        with pytest.raises(DeliveryFailed, match="Kafka does not answer"):
            unreadable.send(1000, 5, **call)

        assert unreadable.topic.messages == []
        assert unreadable.writer.outcomes[RUN] == "failed"
        assert "Kafka does not answer" in unreadable.writer.reason

    def test_a_newer_claim_supersedes_a_call_even_if_the_past_cannot_be_read(self, instance):
        instance.past.on_read = lambda: instance.claims.claim("host:2/b.1")
        instance.past.error = Unavailable("gone")
        with pytest.raises(Superseded):
            instance.send(1000, 5, **KNOWN)

        assert instance.writer.outcomes == {}


def test_the_sent_messages_of_a_past_are_the_union_over_its_instances():
    states = {str(number): sent([number], "yielded") for number in range(5)}
    past = Past(Standing(), states | {"again": sent([0, 1], "sending")})

    assert past.sent == BitMap(range(5))
    assert replace(past, states={}).sent == BitMap()
