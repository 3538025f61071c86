"""One owner: a run is sent by one instance at a time, and only by one that knows everything on record of it."""

from dataclasses import replace

import pytest
from pyroaring import BitMap

from messaging.clients.errors import Unavailable
from messaging.delivery.ownership import FROZEN_SECONDS, LOOK_SECONDS, PAST_SECONDS, YIELD_SECONDS
from messaging.journal.past import Past
from messaging.journal.requests import CLAIM, RequestRecord, Standing
from messaging.journal.states import Sender, State
from messaging.runs.outcome import CallAgain, DeliveryFailed, RunStopped, Superseded
from messaging.runs.stamp import unpack
from tests.unit.api_fakes import RUN, asked, seen
from tests.unit.sending_instance import Instance

KNOWN = {"created": 1}
"""A call of a run that others may know."""
AGAIN = {"redelivered": True}
"""A call that RabbitMQ has delivered before."""


@pytest.fixture
def instance():
    return Instance()


def numbers(instance: Instance) -> list[int]:
    """The numbers of the messages that were sent."""
    return [unpack(key)[1] for key, _, _ in instance.topic.messages]


def sent(numbers, outcome: str, claim: str = "host:2/b.1", reason=None, seconds=None) -> State:
    return State(seen(numbers), Sender(asked("ping", 1000, 5, run=RUN), claim, outcome, reason, seconds))


def claimed(*claims: str) -> Standing:
    standing = Standing()
    for claim in claims:
        standing.apply(RequestRecord(RUN, CLAIM, claim))
    return standing


class TestBeforeItSends:
    @pytest.mark.parametrize("call", [KNOWN, AGAIN, KNOWN | AGAIN], ids=["known", "redelivered", "both"])
    def test_it_has_read_back_its_claim_and_then_everything_on_record(self, instance, call):
        instance.send(200, 5, **call)

        assert instance.steps == ["claim", "read back", "past", "begin", "send", "sent"]
        assert instance.requests.claims == ["host:1/a.1"]

    def test_each_claim_is_another_one(self, instance):
        for _ in range(3):
            instance.send(1, 5, **KNOWN)

        assert len(set(instance.requests.claims)) == 3

    def test_a_new_run_that_nobody_else_can_know_begins_without_reading(self, instance):
        instance.send(200, 5)

        assert instance.steps == ["claim", "begin", "send", "sent"]

    def test_but_not_before_stops_and_failures_are_being_read(self, instance):
        instance.claims.reads = False
        with pytest.raises(DeliveryFailed, match="the record of runs was not read"):
            instance.send(200, 5)

        assert instance.topic.messages == []
        assert instance.writer.outcomes[RUN] == "failed"

    def test_a_new_run_that_was_given_up_is_not_sent(self, instance):
        instance.claims.ended.add(RUN)
        with pytest.raises(RunStopped, match="0 of 1000"):
            instance.send(1000, 5)

        assert instance.topic.messages == []

    def test_what_another_instance_has_sent_is_not_sent_again(self, instance):
        states = {"host:2/b": sent([*range(500)], "yielded"), "host:3/c": sent([700], "sending", claim="host:3/c.1")}
        instance.past.past = Past(claimed("host:3/c.1", "host:2/b.1"), states)
        instance.send(1000, 5, **KNOWN)

        assert numbers(instance) == [*range(500, 700), *range(701, 1000)]
        assert instance.writer.outcomes[RUN] == "sent"


class TestARunThatIsOver:
    """It is not sent again. The call ends as the run did."""

    def test_after_it_was_sent(self, instance):
        instance.past.past = Past(states={"host:2/b": sent(range(1000), "sent", seconds=2.5)})

        assert instance.send(1000, 5, **KNOWN).seconds == 2.5
        assert instance.steps == ["claim", "read back", "past"]

    @pytest.mark.parametrize(("outcome", "error"), [("failed", DeliveryFailed), ("stopped", RunStopped)])
    def test_after_it_has_ended_early(self, instance, outcome, error):
        instance.past.past = Past(states={"host:2/b": sent([1], outcome, reason="too bad")})
        with pytest.raises(error, match="too bad"):
            instance.send(1000, 5, **KNOWN)

        assert instance.topic.messages == []
        assert instance.writer.outcomes == {}

    @pytest.mark.parametrize("standing", [Standing(stopped=True), Standing(failed="not queued")], ids=repr)
    @pytest.mark.parametrize("queued", [True, False])
    def test_before_it_began(self, instance, standing, queued):
        instance.past.past = Past(standing)
        with pytest.raises(RunStopped):
            instance.send(1000, 5, queued=queued, **KNOWN)

        assert instance.topic.messages == []
        assert instance.writer.outcomes[RUN] == "stopped"


class TestWhileItSends:
    @pytest.mark.parametrize("call", [{}, KNOWN, KNOWN | {"queued": True}, AGAIN], ids=repr)
    def test_a_newer_claim_stops_it_at_once_and_it_answers_nothing(self, instance, call):
        def supersede():
            if not call:
                instance.claims.claim(*instance.requests.claims)
            instance.claims.claim("host:2/b.1")

        instance.topic.on_send = supersede
        with pytest.raises(Superseded):
            instance.send(1000, 5, **call)

        assert numbers(instance) == [*range(200)], "the block in hand"
        assert instance.writer.numbers == [*range(200)], "is on record"
        assert instance.steps[-1] == "yielded"

    def test_a_claim_that_came_before_its_own_does_not(self, instance):
        def late():
            instance.claims.claim("host:2/b.1")
            instance.claims.claim(*instance.requests.claims)

        instance.topic.on_send = late
        assert instance.send(1000, 5).num_messages == 1000

    @pytest.mark.parametrize("end", ["stopped", "failed"])
    def test_a_stop_or_failure_that_comes_on_record_ends_it(self, instance, end):
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

    def test_it_looks_at_the_record_before_it_sends_on(self, instance):
        self.freeze(instance, FROZEN_SECONDS + 0.1)
        instance.send(600, 5)

        assert instance.steps == ["claim", "begin", "send", "catch up", "send", "catch up", "send", "sent"]

    def test_a_short_pause_does_not_count(self, instance):
        self.freeze(instance, FROZEN_SECONDS - 0.1)
        instance.send(600, 5)

        assert "catch up" not in instance.steps

    def test_it_stops_if_another_has_taken_over(self, instance):
        self.freeze(instance, 30)
        instance.claims.comes = lambda: instance.claims.claim("host:2/b.1")
        with pytest.raises(Superseded):
            instance.send(1000, 5, **KNOWN)

        assert numbers(instance) == [*range(200)]
        assert instance.steps[-2:] == ["catch up", "yielded"]

    def test_it_does_not_send_before_it_could_look(self, instance):
        self.freeze(instance, 30)
        looks = []

        def comes():
            looks.append(len(instance.topic.messages))
            instance.claims.reads = len(looks) % 5 == 0

        instance.claims.comes = comes
        instance.claims.wait_for_claim = lambda *arguments: True
        instance.send(600, 5)

        assert looks == [200] * 5 + [400] * 5
        assert numbers(instance) == [*range(600)]

    def test_it_fails_if_it_cannot_look_for_a_long_time(self, instance):
        def lose_kafka():
            instance.claims.reads = False
            instance.clock.advance(30)

        instance.topic.on_send = lose_kafka
        with pytest.raises(DeliveryFailed, match="Kafka acknowledged 200 of 1000 messages, then: Kafka does not tell"):
            instance.send(1000, 5, queued=True, **KNOWN)

        assert numbers(instance) == instance.writer.numbers == [*range(200)]
        assert instance.writer.outcomes[RUN] == "failed"
        assert instance.clock.now < 1000 + 30 + LOOK_SECONDS + 5

    def test_a_service_that_stops_does_not_wait_for_the_look(self, instance):
        def lose_kafka():
            instance.claims.reads = False
            instance.clock.advance(30)
            instance.stop.ask()

        instance.topic.on_send = lose_kafka
        with pytest.raises(CallAgain):
            instance.send(1000, 5, queued=True, **KNOWN)
        assert instance.writer.outcomes[RUN] == "yielded"


class TestTheOwnerBefore:
    """It is waited for until it has yielded, but not for ever."""

    OLD = "host:2/b.1"

    def before(self, instance, *claims: str, **states: State):
        """Put these on record before the claim of this instance, which gets number 1."""
        instance.past.past = Past(claimed(*claims, "host:1/a.1"), states)

    def test_until_it_has_yielded(self, instance):
        self.before(instance, self.OLD, b=sent([0], "sending"))

        def yields():
            if len(instance.past.seconds) == 3:
                self.before(instance, self.OLD, b=sent([0, 1, 2], "yielded"))

        instance.past.on_read = yields
        instance.send(1000, 5, **KNOWN)

        assert instance.steps[:6] == ["claim", "read back", "past", "past", "past", "begin"]
        assert numbers(instance) == [*range(3, 1000)]

    def test_until_it_has_ended(self, instance):
        self.before(instance, self.OLD, b=sent([0], "sending"))

        def ends():
            if len(instance.past.seconds) == 2:
                self.before(instance, self.OLD, b=sent(range(1000), "sent", seconds=1))

        instance.past.on_read = ends
        assert instance.send(1000, 5, **KNOWN).seconds == 1
        assert instance.topic.messages == []

    def test_three_seconds_at_most_because_it_may_be_dead(self, instance):
        self.before(instance, self.OLD, b=sent([0], "sending"))
        instance.past.on_read = lambda: instance.clock.advance(1)
        started = instance.clock.now
        instance.send(1000, 5, **KNOWN)

        assert YIELD_SECONDS <= instance.clock.now - started <= YIELD_SECONDS + 1
        assert numbers(instance) == [*range(1, 1000)]

    def test_within_the_time_that_everything_may_take(self, instance):
        """A look may be slow. None is allowed more time than is left."""
        self.before(instance, self.OLD, b=sent([0], "sending"))
        instance.past.on_read = lambda: instance.clock.advance(PAST_SECONDS - 1)
        instance.send(1000, 5, **KNOWN)

        assert instance.past.seconds == [PAST_SECONDS, 1]

    def test_not_if_there_is_none(self, instance):
        self.before(instance)
        instance.send(1000, 5, **KNOWN)

        assert instance.steps.count("past") == 1

    def test_not_if_the_other_claim_is_newer(self, instance):
        instance.past.past = Past(claimed("host:1/a.1", "host:3/c.1"), {"c": sent([0], "sending", claim="host:3/c.1")})
        instance.send(200, 5, **KNOWN)

        assert instance.steps.count("past") == 1

    def test_not_if_a_newer_claim_is_known(self, instance):
        self.before(instance, self.OLD, b=sent([0], "sending"))
        instance.past.on_read = lambda: instance.claims.claim("host:3/c.1")
        with pytest.raises(Superseded):
            instance.send(1000, 5, **KNOWN)

        assert instance.steps == ["claim", "read back", "past", "begin", "yielded"]

    def test_not_by_a_service_that_stops(self, instance):
        self.before(instance, self.OLD, b=sent([0], "sending"))
        instance.stop.ask()
        with pytest.raises(CallAgain):
            instance.send(1000, 5, queued=True, **KNOWN)

        assert instance.steps.count("past") == 1


class TestAPastThatCannotBeRead:
    @pytest.fixture(params=["claim not taken", "claim refused", "claim not read back", "past not read"])
    def unreadable(self, request, instance):
        error = Unavailable("gone")
        if request.param == "claim not taken":

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

    def test_puts_a_queued_call_back(self, unreadable):
        with pytest.raises(CallAgain):
            unreadable.send(1000, 5, queued=True, **KNOWN)

        assert unreadable.topic.messages == []
        assert unreadable.writer.outcomes == {}, "others may go on with it"

    @pytest.mark.parametrize("call", [KNOWN, AGAIN], ids=["known", "redelivered"])
    def test_fails_a_call_that_is_waited_for(self, unreadable, call):
        with pytest.raises(DeliveryFailed, match="Kafka does not answer"):
            unreadable.send(1000, 5, **call)

        assert unreadable.topic.messages == []
        assert unreadable.writer.outcomes[RUN] == "failed"
        assert "Kafka does not answer" in unreadable.writer.reason

    def test_is_none_of_the_business_of_an_instance_that_another_one_has_followed(self, instance):
        instance.past.on_read = lambda: instance.claims.claim("host:2/b.1")
        instance.past.error = Unavailable("gone")
        with pytest.raises(Superseded):
            instance.send(1000, 5, **KNOWN)

        assert instance.writer.outcomes == {}


def test_a_past_of_many_instances_is_the_union_of_what_they_have_sent():
    states = {str(number): sent([number], "yielded") for number in range(5)}
    past = Past(Standing(), states | {"again": sent([0, 1], "sending")})

    assert past.sent == BitMap(range(5))
    assert replace(past, states={}).sent == BitMap()
