"""Topics in memory, with a reader: the part of `messaging.clients.protocols.Reader` that the tests need."""

from typing import NamedTuple

from messaging.clients.protocols import Fetched, Partition, Polled


class Message(NamedTuple):
    """`time` in milliseconds since the epoch."""

    key: bytes | None
    value: bytes | None
    time: int = 0


def fetched(topic: str, messages: list[tuple[int, bytes | None, bytes | None]]) -> Fetched:
    """Return the messages (partition, key, value) as one poll."""
    partitions, keys, values = zip(*messages, strict=True) if messages else ((), (), ())
    return Fetched(topic, partitions, range(len(messages)), keys, values, {}, 0.0)


class Topics:
    """Partitions and their messages. Kafka has deleted the oldest `deleted` messages of each partition."""

    def __init__(self, *partitions: Partition):
        self.messages: dict[Partition, list[Message]] = {partition: [] for partition in partitions}
        self.deleted: dict[Partition, int] = dict.fromkeys(partitions, 0)
        self.silent = False
        """True if Kafka does not send any more messages."""

    def add(self, topic: str, number: int, *messages: Message) -> None:
        self.messages.setdefault(Partition(topic, number), []).extend(messages)
        self.deleted.setdefault(Partition(topic, number), 0)


class Reader:
    """Returns one message per poll."""

    def __init__(self, topics: Topics):
        self._topics = topics
        self._positions: dict[Partition, int] = {}
        self.closed = False

    def partitions(self, topic: str) -> list[Partition]:
        return [partition for partition in self._topics.messages if partition.topic == topic]

    def assign(self, offsets) -> None:
        self._positions = dict(offsets)

    def position(self, partition: Partition) -> int:
        return self._positions[partition]

    def beginnings(self, partitions) -> dict[Partition, int]:
        return {partition: self._topics.deleted[partition] for partition in partitions}

    def ends(self, partitions) -> dict[Partition, int]:
        return {partition: len(self._topics.messages[partition]) for partition in partitions}

    def offsets_at(self, partitions, milliseconds: int) -> dict[Partition, int]:
        def first(partition: Partition) -> int:
            messages, start = self._topics.messages[partition], self._topics.deleted[partition]
            later = (i for i in range(start, len(messages)) if messages[i].time >= milliseconds)
            return next(later, len(messages))

        return {partition: first(partition) for partition in partitions}

    def poll(self, seconds: float) -> Polled:
        for partition, position in self._positions.items():
            messages = self._topics.messages[partition]
            if position < len(messages) and not self._topics.silent:
                self._positions[partition] += 1
                key, value, _ = messages[position]
                return Polled([fetched(partition.topic, [(partition.number, key, value)])])
        return Polled()

    def close(self) -> None:
        self.closed = True
