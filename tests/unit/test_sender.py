"""Calls to send a run: how they are carried out, put on record and ended."""

import threading
from concurrent.futures import Future

import pytest
from pyroaring import BitMap

from messaging.clients.errors import Unavailable
from messaging.delivery.backpressure import KEEP_UP_SECONDS, UNRECORDED
from messaging.runs.outcome import CallAgain, DeliveryFailed, Figures, RunStopped
from messaging.runs.stamp import unpack
from tests.unit.api_fakes import RUN
from tests.unit.sending_instance import Instance


@pytest.fixture
def instance():
    return Instance()


def test_the_figures_are_those_of_the_specification():
    assert Figures(100, 100, 3.14684796333313).as_json() == {
        "num_messages": 100,
        "size": 100,
        "total time": 3.14684796333313,
        "byte rate (MB/s)": pytest.approx(0.0031777830122457),
        "message rate (msg/s)": pytest.approx(31.777830122457),
    }


def test_a_run_is_sent_and_its_figures_are_returned(instance):
    figures = instance.send(1234, 5)

    assert (figures.num_messages, figures.size) == (1234, 5)
    assert figures.seconds > 0
    assert len(instance.topic.messages) == 1234


def test_a_run_without_an_id_gets_one(instance):
    instance.send(5, 5, run=None)

    (run,) = instance.writer.requests
    assert {unpack(key)[0] for key, _, _ in instance.topic.messages} == {run.bytes}


OUT_OF_RANGE = [
    (0, 1, "num_messages"), (-1, 1, "num_messages"), (1_000_001, 1, "num_messages"), ("10", 1, "num_messages"),
    (True, 1, "num_messages"), (1, -1, "size"), (1, 1_000_001, "size"), (1, 1.5, "size"), (1, None, "size"),
]  # fmt: skip


@pytest.mark.parametrize(("count", "size", "complaint"), OUT_OF_RANGE)
def test_numbers_out_of_range_are_refused_and_leave_nothing_behind(instance, count, size, complaint):
    with pytest.raises(ValueError, match=complaint):
        instance.send(count, size)
    assert instance.steps == []


def test_a_run_on_record_whose_numbers_are_refused_has_failed():
    """The limits of the service may differ from those of the API."""
    instance = Instance()
    with pytest.raises(ValueError, match="num_messages"):
        instance.send(1_000_001, 5, queued=True, created=1)

    assert (instance.writer.outcomes[RUN], instance.topic.messages) == ("failed", [])
    assert "num_messages must be" in instance.writer.reason


def test_all_acknowledged_messages_are_recorded(instance):
    instance.send(1234, 5)

    assert instance.writer.numbers == list(range(1234))
    assert instance.writer.outcomes[RUN] == "sent"
    assert instance.writer.unrecorded == 0
    request = instance.writer.requests[RUN]
    assert (request.service, request.num_messages) == ("ping", 1234)


def test_a_failure_is_reported_and_recorded_with_the_acknowledged_messages():
    instance = Instance(error=Unavailable("OSError('gone')"))
    with pytest.raises(DeliveryFailed, match="Kafka acknowledged 0 of 5 messages, then: OSError"):
        instance.send(5, 5)

    assert instance.writer.outcomes[RUN] == "failed"
    assert "OSError" in instance.writer.reason
    assert (list(instance.writer.failed), instance.writer.numbers) == ([*range(5)], [])


def test_a_run_that_finds_no_room_has_failed():
    instance = Instance(full="nothing was acknowledged")
    with pytest.raises(DeliveryFailed, match=r"0 of 5 messages, then: .*nothing was acknowledged"):
        instance.send(5, 5)
    assert instance.writer.outcomes[RUN] == "failed"


def test_a_run_that_finds_no_partitions_has_failed():
    instance = Instance(partitions=DeliveryFailed("no metadata"))
    with pytest.raises(DeliveryFailed, match="no metadata"):
        instance.send(5, 5)
    assert instance.writer.outcomes[RUN] == "failed"


def test_a_run_without_a_queued_call_fails_when_the_service_stops(instance):
    instance.stop.ask()
    with pytest.raises(RunStopped, match="0 of 1000 messages were sent"):
        instance.send(1000, 10)
    assert instance.writer.outcomes[RUN] == "failed"


def test_a_queued_run_goes_on_elsewhere_when_the_service_stops(instance):
    instance.stop.ask()
    with pytest.raises(CallAgain):
        instance.send(1000, 10, queued=True, created=1)
    assert instance.writer.outcomes[RUN] == "yielded"


def test_a_user_can_stop_a_run(instance):
    def stop():
        instance.claims.standings[RUN].stopped = True

    instance.topic.on_send = stop
    with pytest.raises(RunStopped, match="200 of 1000 messages were sent"):
        instance.send(1000, 10, queued=True, created=1)
    assert (instance.writer.outcomes[RUN], instance.writer.failed) == ("stopped", BitMap())


class TestTheRecord:
    def test_sending_pauses_while_too_many_messages_are_not_on_record(self, instance):
        behind = []
        instance.topic.on_send = lambda: behind.append(instance.writer.unrecorded)
        instance.send(5 * UNRECORDED, 5)

        assert UNRECORDED / 2 < max(behind) <= UNRECORDED
        assert len(instance.topic.messages) == 5 * UNRECORDED

    def test_a_run_fails_with_the_count_of_acknowledged_messages_if_its_record_does_not_catch_up(self, instance):
        instance.writer.stuck = True
        started = instance.clock.now
        with pytest.raises(DeliveryFailed, match=r"acknowledged 2600 of 20000 .* no record of the run for"):
            instance.send(20_000, 5)

        assert KEEP_UP_SECONDS <= instance.clock.now - started <= 1.5 * KEEP_UP_SECONDS
        assert len(instance.topic.messages) == len(instance.writer.numbers) == UNRECORDED + 100
        assert instance.writer.outcomes[RUN] == "failed"

    def test_a_call_is_answered_even_if_its_outcome_is_not_recorded(self, instance):
        instance.writer.stuck = True

        assert instance.send(1000, 5).num_messages == 1000


class TestUnexpectedErrors:
    """After an unexpected error, the record says that the run has failed and why.

    Otherwise the run would look unfinished.
    """

    def broken(self, *arguments):
        raise RuntimeError("a bug")

    def fails(self, instance, error, **call):
        with pytest.raises(error):
            instance.send(1000, 5, **call)
        assert instance.writer.outcomes[RUN] == "failed"
        assert instance.steps[-1] == "failed"

    def test_an_error_in_sending_the_run_is_put_on_record(self, instance):
        instance.topic.on_send = self.broken
        self.fails(instance, RuntimeError, queued=True, created=1)

        assert "RuntimeError('a bug')" in instance.writer.reason

    def test_an_error_in_reading_the_past_of_the_run_is_put_on_record(self, instance):
        instance.past.on_read = self.broken
        self.fails(instance, RuntimeError, queued=True, created=1)

        assert "RuntimeError('a bug')" in instance.writer.reason
        assert instance.topic.messages == []


class Gate:
    """Blocks the sending until it is opened."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()

    def __call__(self) -> None:
        self.reached.set()
        self.opened.wait(10)


def test_both_deliveries_of_a_call_end_alike_if_the_second_one_comes_while_the_run_is_sent(monkeypatch, instance):
    # Given a run that is being sent
    second_waits = threading.Event()

    class Outcome(Future):
        def result(self, timeout=None):
            second_waits.set()
            return super().result(timeout)

    monkeypatch.setattr("messaging.delivery.calls.Future", Outcome)
    gate = instance.topic.on_send = Gate()
    ends: list[Figures] = []
    first, second = (threading.Thread(target=lambda: ends.append(instance.send(100, 5))) for _ in range(2))
    first.start()
    assert gate.reached.wait(10)

    # When RabbitMQ delivers the call of this run a second time
    second.start()
    assert second_waits.wait(10)
    gate.opened.set()
    first.join(10)
    second.join(10)

    # Then the run was sent once, and both calls have the same figures
    assert len(instance.topic.messages) == 100
    assert len(ends) == 2
    assert ends[0] == ends[1]
