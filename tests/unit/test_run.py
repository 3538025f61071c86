"""How a run is cut into messages, with a topic that only takes them down."""

import uuid
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from kafka.errors import KafkaTimeoutError
from pyroaring import BitMap

from messaging.delivery import DeliveryFailed
from messaging.lifecycle import Stopping
from messaging.run import CallAgain, RunStopped, figures, send_run
from messaging.stamp import unpack

RUN = str(uuid.uuid4())


class Recorder:
    """Takes down what a real one would publish."""

    def __init__(self, sent_before=()):
        self.numbers: list[int] = []
        self.notes: dict = {}
        self.stop = False
        self._sent_before = BitMap(sent_before)

    def sent_before(self, run):
        return self._sent_before

    def stop_asked(self, run):
        return self.stop

    def sent(self, run, numbers, size, partition, time_sent):
        self.numbers += numbers

    def sending(self, run, **notes):
        self.notes |= notes

    def publish(self):
        return 0

    def wait(self, mark, seconds):
        return True


class Topic:
    """Takes messages down; acknowledges each at once, or fails all with an error."""

    service = "ping"

    def __init__(self, partitions: int = 4, error: Exception | None = None, recorder: Recorder | None = None):
        self.partitions = partitions
        self.stopping = Stopping()
        self.recorder = recorder or Recorder()
        self.config = {"MAX_MESSAGES": 1_000_000, "MAX_SIZE": 1_000_000, "MAX_BYTES": 1_000_000_000}
        self.messages: list[tuple] = []
        self.largest = 0
        self._error = error

    def send(self, keys, values, partitions):
        self.messages += zip(keys, values, partitions, strict=True)
        self.largest = max(self.largest, sum(map(len, values)))
        errors = [self._error] * len(keys) if self._error else []
        return SimpleNamespace(
            done=True, wait=lambda seconds: True, errors=errors, acknowledged=[not self._error] * len(keys)
        )


@pytest.mark.parametrize(
    ("count", "size"), [(1, 0), (1, 1), (199, 10), (200, 10), (201, 10), (12_345, 3), (7, 1_000_000)]
)
def test_every_message_is_sent_once_with_its_number_and_exactly_its_size(count, size):
    topic = Topic()
    run = uuid.uuid4()
    send_run(topic, count, size, str(run))

    stamped = [unpack(key) for key, _, _ in topic.messages]
    assert [number for _, number, _ in stamped] == list(range(count))
    assert {id for id, _, _ in stamped} == {run.bytes}
    assert {len(value) for _, value, _ in topic.messages} == {size}


def test_a_run_spreads_over_all_partitions_in_blocks():
    topic = Topic(partitions=3)
    send_run(topic, 6000, 10, RUN)

    partitions = [partition for _, _, partition in topic.messages]
    assert [partitions.count(number) for number in range(3)] == [2000, 2000, 2000]
    assert len(set(partitions[:200])) == 1


def test_payloads_are_random():
    topic = Topic()
    send_run(topic, 1000, 100, RUN)

    assert len({value for _, value, _ in topic.messages}) == 1000


def test_large_messages_are_not_handed_over_many_at_once():
    topic = Topic()
    send_run(topic, 20, 400_000, RUN)

    assert topic.largest <= 2**20


def test_the_figures_are_those_of_the_specification():
    assert figures(100, 100, 3.14684796333313) == {
        "num_messages": 100,
        "size": 100,
        "total time": 3.14684796333313,
        "byte rate (MB/s)": pytest.approx(0.0031777830122457),
        "message rate (msg/s)": pytest.approx(31.777830122457),
    }


@pytest.mark.parametrize(
    ("count", "size", "complaint"),
    [(0, 1, "num_messages"), (-1, 1, "num_messages"), (1_000_001, 1, "num_messages"), ("10", 1, "num_messages"),
     (True, 1, "num_messages"), (1, -1, "size"), (1, 1_000_001, "size"), (1, 1.5, "size"), (1, None, "size")],
)  # fmt: skip
def test_numbers_out_of_range_are_refused(count, size, complaint):
    topic = Topic()
    with pytest.raises(ValueError, match=complaint):
        send_run(topic, count, size, RUN)
    assert topic.messages == []


def test_a_failure_is_told_and_recorded_with_what_was_acknowledged():
    topic = Topic(error=OSError("gone"))
    with pytest.raises(DeliveryFailed, match="Kafka acknowledged 0 of 5 messages, then: OSError"):
        send_run(topic, 5, 5, RUN)

    assert topic.recorder.notes["outcome"] == "failed"
    assert "OSError" in topic.recorder.notes["reason"]
    assert (topic.recorder.notes["failed"], topic.recorder.numbers) == (5, [])


def test_a_run_that_finds_no_room_has_failed(monkeypatch):
    topic = Topic()
    monkeypatch.setattr(topic, "send", Mock(side_effect=KafkaTimeoutError("nothing was acknowledged")))
    with pytest.raises(DeliveryFailed, match=r"0 of 5 messages, then: .*nothing was acknowledged"):
        send_run(topic, 5, 5, RUN)
    assert topic.recorder.notes["outcome"] == "failed"


def test_all_that_was_acknowledged_is_recorded():
    topic = Topic()
    send_run(topic, 1234, 5, RUN)

    assert topic.recorder.numbers == list(range(1234))
    assert topic.recorder.notes["outcome"] == "sent"
    assert (topic.recorder.notes["service"], topic.recorder.notes["num_messages"]) == ("ping", 1234)


def test_what_another_instance_has_sent_is_not_sent_again():
    topic = Topic(recorder=Recorder(sent_before=[*range(500), 700]))
    send_run(topic, 1000, 5, RUN)

    assert [unpack(key)[1] for key, _, _ in topic.messages] == [*range(500, 700), *range(701, 1000)]
    assert topic.recorder.notes["outcome"] == "sent"


def test_a_service_that_stops_ends_its_runs():
    topic = Topic()
    topic.stopping.ask()
    with pytest.raises(RunStopped, match="0 of 1000 messages were sent"):
        send_run(topic, 1000, 10, RUN)
    assert topic.recorder.notes["outcome"] == "failed"


def test_a_queued_run_goes_on_elsewhere_when_the_service_stops():
    topic = Topic()
    topic.stopping.ask()
    with pytest.raises(CallAgain):
        send_run(topic, 1000, 10, RUN, queued=True)
    assert topic.recorder.notes["outcome"] == "sending"


def test_a_user_can_stop_a_run():
    topic = Topic()
    topic.recorder.stop = True
    with pytest.raises(RunStopped, match="0 of 1000 messages were sent"):
        send_run(topic, 1000, 10, RUN, queued=True)
    assert topic.recorder.notes["outcome"] == "stopped"
