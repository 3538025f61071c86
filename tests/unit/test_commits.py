"""When a consumer commits what: a handler and deliveries that the test controls, a client that takes commits down."""

from types import SimpleNamespace

import pytest
from kafka import TopicPartition

from messaging.consumer import BatchConsumer
from messaging.records import Message

PARTITION = TopicPartition("pong", 0)


class Client:
    """What BatchConsumer needs of a KafkaConsumer."""

    def __init__(self, *polls: range):
        self.polls = [{PARTITION: [Message(n, 0, b"k", b"v") for n in poll]} for poll in polls]
        self.committed: list[int] = []

    def poll(self, timeout_ms: int) -> dict:
        return self.polls.pop(0) if self.polls else {}

    def assignment(self) -> set[TopicPartition]:
        return {PARTITION}

    def commit_async(self, offsets, callback) -> None:
        self.committed.append(offsets[PARTITION].offset)
        callback(offsets, None)


class Delivery:
    refused = 0

    def __init__(self):
        self.acknowledged = False

    def settled(self) -> bool:
        return self.acknowledged


class Recorder:
    """Has everything on record at once, unless told otherwise."""

    def __init__(self):
        self.received_count = self.answered_count = 0
        self.acknowledges = True

    def received(self, batch):
        self.received_count += len(batch)

    def answered(self, batch, failed):
        self.answered_count += len(batch)

    def publish(self):
        return self.received_count + self.answered_count

    def recorded(self, mark):
        return self.acknowledges


@pytest.fixture
def consume():
    """Makes an entrypoint whose handler returns these in turn; `turn()` polls and commits once."""

    def consume(client: Client, *deliveries: Delivery | None) -> BatchConsumer:
        results = iter(deliveries)
        entrypoint = BatchConsumer("pong")
        entrypoint.recorder = Recorder()
        entrypoint._consumer, entrypoint._keep_alive_seconds, entrypoint._health_file = client, 1.0, None

        def spawn_worker(entrypoint, args, kwargs, handle_result):
            handle_result(None, next(results), None)

        entrypoint.container = SimpleNamespace(spawn_worker=spawn_worker)
        return entrypoint

    return consume


def turn(entrypoint: BatchConsumer) -> None:
    entrypoint._next_commit = 0.0
    entrypoint._turn()


def test_a_batch_is_committed_when_its_delivery_is_settled_and_not_before(consume):
    client, delivery = Client(range(10)), Delivery()
    entrypoint = consume(client, delivery)

    turn(entrypoint)
    turn(entrypoint)
    assert client.committed == []
    delivery.acknowledged = True
    for _ in range(3):
        turn(entrypoint)
    assert client.committed == [10]
    assert (entrypoint.recorder.received_count, entrypoint.recorder.answered_count) == (10, 10)


def test_nothing_is_committed_that_is_not_on_record(consume):
    client = Client(range(10))
    entrypoint = consume(client, None)
    entrypoint.recorder.acknowledges = False

    for _ in range(3):
        turn(entrypoint)
    assert client.committed == []
    entrypoint.recorder.acknowledges = True
    turn(entrypoint)
    assert client.committed == [10]


def test_a_later_batch_is_worked_on_but_not_committed_before_an_earlier_one(consume):
    client, first, second = Client(range(10), range(10, 25)), Delivery(), Delivery()
    entrypoint = consume(client, first, second)

    turn(entrypoint)
    turn(entrypoint)
    assert client.polls == []
    second.acknowledged = True
    turn(entrypoint)
    assert client.committed == []
    first.acknowledged = True
    turn(entrypoint)
    turn(entrypoint)
    assert client.committed == [25]


def test_without_a_delivery_the_handler_returning_is_enough(consume):
    client = Client(range(10))
    entrypoint = consume(client, None)
    turn(entrypoint)
    turn(entrypoint)

    assert client.committed == [10]
    assert entrypoint.recorder.answered_count == 0


def test_commits_go_by_the_clock(consume):
    client = Client(range(10), range(10, 20), range(20, 30))
    entrypoint = consume(client, None, None, None)
    turn(entrypoint)
    entrypoint._next_commit = 0.0
    for _ in range(5):
        entrypoint._turn()

    assert client.polls == []
    assert client.committed == [10]


def test_a_commit_that_failed_is_made_again(consume):
    client = Client(range(10))
    entrypoint = consume(client, None)
    attempts = iter([RuntimeError("no"), None])

    def commit_async(offsets, callback):
        client.committed.append(offsets[PARTITION].offset)
        callback(offsets, next(attempts))

    client.commit_async = commit_async
    for _ in range(4):
        turn(entrypoint)

    assert client.committed == [10, 10]
