"""A paced run has one start. The start is on record before the first message is sent. A new owner keeps the start."""

from dataclasses import replace

import pytest

from messaging.delivery.backpressure import KEEP_UP_SECONDS
from messaging.delivery.calls import START_SECONDS
from messaging.journal.past import Past
from messaging.runs.outcome import CallAgain, DeliveryFailed, RunStopped, Superseded
from messaging.runs.stamp import unpack
from tests.unit.api_fakes import RUN
from tests.unit.sending_instance import AGAIN, KNOWN, Instance, numbers, sent

SECOND = 1_000_000
QUEUED = KNOWN | {"queued": True}
CALLS = pytest.mark.parametrize("call", [{}, KNOWN, QUEUED, AGAIN], ids=repr)


@pytest.fixture
def instance():
    return Instance()


def times(instance: Instance) -> list[int]:
    """The times in the stamps of the messages that were sent."""
    return [unpack(key)[2] for key, _, _ in instance.topic.messages]


def begun(numbers, outcome: str, start: int):
    """Return the state of a paced run that another instance has put on record."""
    state = sent(numbers, outcome)
    return replace(state, sender=replace(state.sender, start=start))


@CALLS
def test_the_start_of_a_run_is_on_record_before_its_first_message(instance, call):
    started = instance.wall_clock.at
    flushed = []
    instance.writer.flush = lambda *arguments: flushed.append(len(instance.topic.messages)) or True
    instance.send(20, 5, rate=10, **call)

    assert flushed[0] == 0
    assert instance.writer.start == started + START_SECONDS * SECOND
    assert times(instance) == [instance.writer.start + number * SECOND // 10 for number in range(20)]


def test_a_run_without_a_rate_has_no_start_and_waits_for_nothing(instance):
    instance.send(1000, 5)

    assert instance.writer.start is None
    assert instance.wall_clock.naps == []


@pytest.mark.parametrize("outcome", ["sending", "yielded"])
@pytest.mark.parametrize("call", [KNOWN, QUEUED, AGAIN], ids=repr)
def test_a_run_that_is_taken_over_keeps_its_start(instance, call, outcome):
    # Given a run that another instance has begun 3 s ago
    start = instance.wall_clock.at - 3 * SECOND
    instance.past.past = Past(states={"b": begun(range(10), outcome, start)})

    # When its call comes to this instance
    instance.send(100, 5, rate=10, **call)

    # Then this instance sends the due messages at once, and the later messages when they are due
    assert numbers(instance) == [*range(10, 100)]
    assert times(instance) == [start + number * SECOND // 10 for number in range(10, 100)]
    assert instance.writer.start == start
    assert instance.wall_clock.at - start == pytest.approx(9.9 * SECOND, abs=SECOND / 10)


def test_of_several_starts_on_record_the_earliest_one_counts(instance):
    start = instance.wall_clock.at - 3 * SECOND
    states = {"b": begun([0], "sending", start + SECOND), "c": begun([1], "sending", start)}
    instance.past.past = Past(states=states)
    instance.send(100, 5, rate=100, **KNOWN)

    assert instance.writer.start == start


def test_the_run_fails_and_nothing_is_sent_if_its_start_does_not_get_on_record(instance):
    instance.writer.stuck = True
    with pytest.raises(DeliveryFailed, match=f"no record of the run for {KEEP_UP_SECONDS} s"):
        instance.send(20, 5, rate=10, **QUEUED)

    assert (instance.topic.messages, instance.writer.outcomes[RUN]) == ([], "failed")


class TestWhileItWaits:
    """One message is due each second. Something happens between two of them."""

    def happens(self, instance, what):
        """Do this 2.5 s after the start."""
        at = instance.wall_clock.at + round((START_SECONDS + 2.5) * SECOND)
        instance.wall_clock.on_sleep = lambda: instance.wall_clock.at >= at and what()

    @pytest.mark.parametrize(("call", "error"), [({}, RunStopped), (QUEUED, CallAgain)], ids=repr)
    def test_sending_ends_if_the_service_is_told_to_stop(self, instance, call, error):
        self.happens(instance, instance.stop.ask)
        with pytest.raises(error):
            instance.send(10, 5, rate=1, **call)

        assert numbers(instance) == instance.writer.numbers == [0, 1, 2]

    def test_sending_ends_if_a_user_stops_the_run(self, instance):
        self.happens(instance, lambda: setattr(instance.claims.standings[RUN], "stopped", True))
        with pytest.raises(RunStopped, match="3 of 10 messages were sent"):
            instance.send(10, 5, rate=1, **KNOWN)

    def test_sending_ends_if_another_instance_claims_the_run(self, instance):
        self.happens(instance, lambda: instance.claims.claim("host:2/b.1"))
        with pytest.raises(Superseded):
            instance.send(10, 5, rate=1, **KNOWN)

        assert numbers(instance) == instance.writer.numbers == [0, 1, 2]
        assert instance.steps[-1] == "yielded"


@pytest.mark.parametrize(
    ("count", "rate", "complaint"),
    [(10, 0, "rate"), (10, 1_000_001, "rate"), (10, 1.5, "rate"), (1501, 1, "at most 1500 s")],
)
def test_an_invalid_rate_or_too_long_a_run_is_refused(instance, count, rate, complaint):
    with pytest.raises(ValueError, match=complaint):
        instance.send(count, 5, rate=rate)
    assert instance.steps == []
