"""A fake Kafka in memory. The tested code uses the `Broker` as its Kafka client.

`Producer` writes messages to the broker, and `Reader` reads these messages.
"""

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from messaging.clients.errors import Unavailable
from messaging.clients.protocols import Fetched, Partition, Polled, Topic
from messaging.journal.requests import PARTITION, RequestRecord
from messaging.journal.states import RUN_STATES, State, partition_of, state_key
from tests.unit.fakes import Delivery


class Message(NamedTuple):
    key: bytes | None
    value: bytes | None
    milliseconds: int
    """When the message was written, since the epoch."""


class Broker:
    """Acknowledges each message immediately. While it `is_down`, requests raise Unavailable."""

    servers = "memory:9092"

    def __init__(self, state_partitions: int = 4):
        self.is_down = False
        self.partitions_of = {PARTITION.topic: 1, RUN_STATES: state_partitions}
        self.messages: dict[Partition, list[Message]] = {
            Partition(topic, number): [] for topic, count in self.partitions_of.items() for number in range(count)
        }
        self.reads: Counter[Partition] = Counter()
        """How many messages were read from each partition."""
        self.created: list[Topic] = []
        self.readers = 0
        """How many readers are open."""
        self.changed = threading.Condition()

    def check(self) -> None:
        if self.is_down:
            raise Unavailable("it is down")

    def write(self, partition: Partition, key: bytes | None, value: bytes | None, milliseconds: int = 0) -> None:
        with self.changed:
            now = milliseconds or time.time_ns() // 1_000_000
            self.messages[partition].append(Message(key, value, now))
            self.changed.notify_all()

    def add(self, record: RequestRecord, milliseconds: int = 0) -> None:
        """Write a record of topic `run-requests`."""
        self.write(PARTITION, record.key, record.value, milliseconds)

    def add_state(self, run, stage: str, key: str, state: State) -> None:
        """Write a record of topic `run-states`."""
        number = partition_of(run, self.partitions_of[RUN_STATES])
        self.write(Partition(RUN_STATES, number), state_key(run, stage, key), state.encode())

    def create(self, topic: Topic) -> bool:
        """Note the topic. Return False, because the journal's topics already exist."""
        self.check()
        self.created.append(topic)
        return False

    def admin(self, seconds: float = 10) -> "Broker":
        self.check()
        return self

    def close(self) -> None:
        """Do nothing, because an admin holds nothing open."""

    def producer(self, **options: object) -> "Producer":
        return Producer(self)

    def reader(self) -> "Reader":
        self.check()
        self.readers += 1
        return Reader(self)


class Producer:
    def __init__(self, broker: Broker):
        self._broker = broker

    def partitions(self, topic: str) -> int:
        return self._broker.partitions_of[topic]

    def send(self, topic: str, keys: Sequence, values: Sequence, partitions: Sequence[int]) -> Delivery:
        self._broker.check()
        for key, value, number in zip(keys, values, partitions, strict=True):
            self._broker.write(Partition(topic, number), key, value)
        delivery = Delivery(len(keys))
        delivery.acknowledge()
        return delivery


class Reader:
    MOST = 100
    """A poll returns at most this many messages from each partition."""

    def __init__(self, broker: Broker):
        self._broker = broker
        self._positions: dict[Partition, int] = {}

    def assign(self, offsets: Mapping[Partition, int]) -> None:
        self._positions = dict(offsets)

    def poll(self, seconds: float) -> Polled:
        with self._broker.changed:
            self._broker.changed.wait_for(self._has_more, seconds)
            self._broker.check()
            return Polled([self._fetch(partition) for partition in self._positions if self._left(partition)])

    def _left(self, partition: Partition) -> list[Message]:
        return self._broker.messages[partition][self._positions[partition] :][: self.MOST]

    def _has_more(self) -> bool:
        return self._broker.is_down or any(map(self._left, self._positions))

    def _fetch(self, partition: Partition) -> Fetched:
        messages, first = self._left(partition), self._positions[partition]
        end = self._positions[partition] = first + len(messages)
        self._broker.reads[partition] += len(messages)
        keys, values, _ = zip(*messages, strict=True)
        columns = [partition.number] * len(messages), range(first, end), keys, values
        return Fetched(partition.topic, *columns, {partition: end}, 0.0)

    def position(self, partition: Partition) -> int:
        self._broker.check()
        return self._positions[partition]

    def partitions(self, topic: str) -> list[Partition]:
        self._broker.check()
        return [Partition(topic, number) for number in range(self._broker.partitions_of[topic])]

    def beginnings(self, partitions: Sequence[Partition]) -> dict[Partition, int]:
        self._broker.check()
        return dict.fromkeys(partitions, 0)

    def ends(self, partitions: Sequence[Partition]) -> dict[Partition, int]:
        self._broker.check()
        return {partition: len(self._broker.messages[partition]) for partition in partitions}

    def offsets_at(self, partitions: Sequence[Partition], milliseconds: int) -> dict[Partition, int]:
        self._broker.check()
        return {
            partition: sum(message.milliseconds < milliseconds for message in self._broker.messages[partition])
            for partition in partitions
        }

    def close(self) -> None:
        self._broker.readers -= 1
