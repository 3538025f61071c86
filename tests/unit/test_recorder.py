"""What a service puts on record, with a client whose acknowledgements the test makes."""

import json
import uuid
from types import SimpleNamespace

import pytest
from kafka.errors import KafkaTimeoutError
from kafka.future import Future

from messaging.batch import Batch
from messaging.recorder import IDLE_SECONDS, RunRecorder
from messaging.stamp import stamps

RUN = uuid.uuid4()


class Producer:
    def __init__(self):
        self.records: list[tuple[str, dict]] = []
        self.futures: list[Future] = []

    def send(self, topic, value, key, partition):
        assert (topic, partition) == ("runs", 0)
        self.records.append((key.decode(), json.loads(value)))
        self.futures.append(Future())
        return self.futures[-1]


@pytest.fixture
def recorder():
    recorder = RunRecorder()
    recorder.container = SimpleNamespace(service_name="pong")
    recorder._producer, recorder._started = Producer(), 0
    return recorder


def batch(numbers: range, run: uuid.UUID = RUN) -> Batch:
    return Batch("pong", [0] * len(numbers), stamps(run.bytes, numbers), [b"x"] * len(numbers), 0.0)


def test_a_state_is_absolute_and_under_one_key(recorder):
    recorder.received(batch(range(10)))
    recorder.publish()
    recorder.received(batch(range(10, 30)))
    recorder.publish()
    keys, states = zip(*recorder._producer.records, strict=True)

    assert len(set(keys)) == 1
    assert keys[0].startswith(f"{RUN}/pong_received/")
    assert [state["messages"] for state in states] == [10, 30]


def test_it_is_on_record_when_acknowledged_and_not_before(recorder):
    recorder.received(batch(range(10)))
    mark = recorder.publish()
    assert not recorder.recorded(mark)
    recorder._producer.futures[0].success(None)
    assert recorder.recorded(mark)


def test_what_comes_later_does_not_hold_up_an_earlier_mark(recorder):
    recorder.received(batch(range(10)))
    mark = recorder.publish()
    recorder.received(batch(range(10, 20)))
    recorder._producer.futures[0].success(None)

    assert recorder.recorded(mark)
    assert not recorder.recorded(recorder.publish())


def test_what_was_not_recorded_is_published_again(recorder):
    recorder.received(batch(range(10)))
    mark = recorder.publish()
    recorder._producer.futures[0].failure(KafkaTimeoutError())
    assert not recorder.recorded(mark)
    recorder.publish()
    recorder._producer.futures[1].success(None)

    assert recorder.recorded(mark)
    assert len(recorder._producer.records) == 2


def test_without_a_change_nothing_is_published(recorder):
    recorder.received(batch(range(10)))
    for _ in range(3):
        recorder.publish()
    recorder._producer.futures[0].success(None)
    recorder.publish()

    assert len(recorder._producer.records) == 1


def test_runs_are_kept_apart_and_foreign_messages_left_out(recorder):
    other = uuid.uuid4()
    mixed = Batch(
        "pong",
        [0, 1, 2, 3],
        [*stamps(RUN.bytes, range(1)), None, b"short", *stamps(other.bytes, range(1))],
        [b"1", b"22", b"333", None],
        0.0,
    )
    recorder.received(mixed)
    recorder.publish()

    assert {key.split("/")[0]: (state["messages"], state["bytes"], state["partitions"])
            for key, state in recorder._producer.records} == {
        str(RUN): (1, 1, {"0": 1}), str(other): (1, 0, {"3": 1})}  # fmt: skip


def idle(recorder) -> None:
    """Everything acknowledged, and a long time gone by."""
    recorder.publish()
    for future in recorder._producer.futures:
        if not future.is_done:
            future.success(None)
    recorder.recorded(0)
    for entry in recorder._entries.values():
        entry.touched -= IDLE_SECONDS + 1
    recorder.publish()


def test_a_state_that_was_forgotten_begins_anew_under_another_key(recorder):
    recorder.received(batch(range(10)))
    idle(recorder)
    recorder.received(batch(range(5)))
    recorder.publish()
    (first, _), (second, state) = recorder._producer.records

    assert first != second
    assert state["messages"] == 5


def test_a_run_that_is_being_sent_is_not_forgotten(recorder):
    recorder.sending(RUN, service="ping", num_messages=2, size=1, created=0, outcome="sending")
    idle(recorder)
    recorder.sending(RUN, outcome="sent")
    recorder.publish()

    assert recorder._producer.records[-1][1]["service"] == "ping"
