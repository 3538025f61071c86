"""Helpers of the contract's tests: messages as single objects, waiting, and group members in threads."""

import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from messaging.clients.errors import ClientError, Unavailable
from messaging.clients.protocols import Consumer, Given, Partition, Polled, Producer, Reader, Taken


class Message(NamedTuple):
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


def messages_of(polled: Polled) -> list[Message]:
    """Return the messages of a poll, in their order."""
    messages = []
    for fetched in polled.fetched:
        columns = fetched.partitions, fetched.offsets, fetched.keys, fetched.values
        messages += [Message(*message) for message in zip(*columns, strict=True)]
    return messages


def numbers(messages: Iterable[Message]) -> list[int]:
    """Return the numbers that `send_numbers` has put into these messages."""
    return [int(message.value) for message in messages]


def send_numbers(producer: Producer, topic: str, sequence: Sequence[int], partitions: int = 1) -> None:
    """Send these numbers, in turn to each partition, and wait until Kafka has acknowledged them."""
    values = [b"%d" % number for number in sequence]
    delivery = producer.send(topic, [None] * len(values), values, [number % partitions for number in sequence])
    assert delivery.wait(20)
    assert all(delivery.acknowledged)


def read_all(reader: Reader, topic: str) -> list[Message]:
    """Return all messages that a topic has now, in the order of each partition."""
    ends = reader.ends(reader.partitions(topic))
    reader.assign(dict.fromkeys(ends, 0))
    messages: list[Message] = []
    until(lambda: messages.extend(messages_of(reader.poll(0.1))) or all(reader.position(p) >= ends[p] for p in ends))
    return messages


def receive(consumer: Consumer, count: int, seconds: float = 20) -> list[Message]:
    """Poll until at least `count` messages have come, and return them."""
    messages: list[Message] = []
    until(lambda: messages.extend(messages_of(consumer.poll(0.1))) or len(messages) >= count, seconds)
    return messages


def poll_until_given(consumer: Consumer) -> frozenset[Partition]:
    """Poll until the group has given partitions to this consumer. The polls must return no messages."""
    partitions: list[frozenset[Partition]] = [frozenset()]

    def poll() -> bool:
        polled = consumer.poll(0.1)
        assert not polled.fetched
        partitions.extend(change.partitions for change in polled.changes if isinstance(change, Given))
        return bool(partitions[-1])

    until(poll)
    return partitions[-1]


def answer(call: Callable[[], object]) -> object:
    """Return the result of a call, or None if Kafka does not answer."""
    try:
        return call()
    except Unavailable:
        return None


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait for a condition. Raises AssertionError if it is not true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.01)


@contextmanager
def within(seconds: float):
    """Fail if the block takes longer."""
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds


class Member:
    """A consumer in its own thread. It stores the messages and changes that its polls return.

    If `commits` is true, the member commits its messages before it leaves the group.
    It also commits them when the group takes partitions away.
    """

    def __init__(self, join: Callable[[], Consumer], commits: bool = True):
        self.received: list[Message] = []
        self.changes: list[Taken | Given] = []
        self.partitions: frozenset[Partition] = frozenset()
        self.unavailable: list[ClientError] = []
        """All errors of type ClientError."""
        self.strange: list[BaseException] = []
        """All other errors. A client must raise none."""
        self._join = join
        self._commits = commits
        self._next: dict[Partition, int] = {}
        self._calls: queue.SimpleQueue[Callable[[Consumer], object]] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def call(self, call: Callable[[Consumer], object], seconds: float = 20) -> None:
        """Make a call in the member's thread, between two polls. Return after the call."""
        called = threading.Event()
        self._calls.put(lambda consumer: (call(consumer), called.set()))
        assert called.wait(seconds)

    def leave(self, seconds: float = 20) -> None:
        """Let the thread commit, close the consumer and end. Raises AssertionError if that takes longer than `seconds`.

        Also raises it if the client has raised an error other than ClientError.
        """
        self._stopped.set()
        self._thread.join(seconds)
        assert not self._thread.is_alive()
        assert self.strange == []

    def _run(self) -> None:
        try:
            consumer = self._join()
            while not self._stopped.is_set():
                try:
                    self._turn(consumer)
                except ClientError as error:  # such as a commit after the partitions were lost
                    self.unavailable.append(error)
                    time.sleep(0.1)
            self._commit(consumer, self._next)
            consumer.close()
        except ClientError as error:
            self.unavailable.append(error)
        except BaseException as error:
            self.strange.append(error)

    def _turn(self, consumer: Consumer) -> None:
        while not self._calls.empty():
            self._calls.get()(consumer)
        polled = consumer.poll(0.1)
        for change in polled.changes:
            self.changes.append(change)
            if isinstance(change, Taken):
                self.partitions = frozenset()
                offsets, self._next = self._next, {}
                self._commit(consumer, offsets)
            else:
                self.partitions = change.partitions
        self.received += messages_of(polled)
        for fetched in polled.fetched:
            self._next.update(fetched.next_offsets)

    def _commit(self, consumer: Consumer, offsets: Mapping[Partition, int]) -> None:
        if self._commits and offsets:
            consumer.commit(offsets, 5)
