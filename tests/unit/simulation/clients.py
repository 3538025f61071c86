"""Clients of the model, with the protocols of real clients. Before a call to Kafka, other actors may take steps."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from messaging.clients.errors import Fenced, OutcomeUnknown, TooLarge
from messaging.clients.protocols import Fetched, Given, Partition, Polled, Taken
from tests.unit.simulation.kafka import ABORTED, COMMITTED, COUNTS, Entry, Kafka

Step = Callable[[], None]
"""Lets the other actors run. It does not return if the actor that called it is killed meanwhile."""

POLL_MESSAGES = 300
"""The maximum number of offsets that one poll reads from a partition."""


class Producer:
    """A transactional producer. Subclasses in tests break its rules, delay its commits or let them fail."""

    def __init__(self, kafka: Kafka, step: Step, name: str):
        self.kafka = kafka
        self.step = step
        self.name = name
        self._epoch = 0
        self._is_begun = False

    def start(self, seconds: float) -> None:
        self.step()
        self._epoch = self.kafka.fence(self.name)

    def partitions(self, topic: str) -> int:
        return COUNTS[topic]

    def begin(self) -> None:
        assert not self._is_begun, "one transaction at a time"
        self._is_begun = True

    def send(self, topic: str, keys: Sequence, values: Sequence, partitions: Sequence[int], seconds: float) -> None:
        self.step()
        self._check()
        self.kafka.write_in(
            self.name, ((Partition(topic, p), k, v) for k, v, p in zip(keys, values, partitions, strict=True))
        )

    def commit(self, seconds: float, offsets: Mapping[Partition, int] | None = None, membership=None) -> None:
        self.step()
        self._check()
        if offsets:
            group, member = membership
            self.kafka.add_offsets(self.name, group, offsets, member)
        self.step()
        self._check()
        transaction = self.kafka.open.get(self.name)
        if transaction and transaction.is_refused:
            raise TooLarge("too large")
        lost, self.kafka.lost = self.kafka.lost, None
        if lost != "before":
            self.kafka.end(self.name, COMMITTED)
        if lost:
            raise OutcomeUnknown("the answer was lost")
        self._is_begun = False
        self.step()

    def abort(self, seconds: float) -> None:
        self.step()
        self._check()
        self.kafka.end(self.name, ABORTED)
        self._is_begun = False

    def close(self, seconds: float) -> None:
        pass

    def _check(self) -> None:
        assert self._is_begun, "a transaction must be begun"
        if self._epoch != self.kafka.epochs[self.name]:
            raise Fenced("a newer producer has this id")


class Consumer:
    """A member of a service's group, with Kafka's eager rebalance protocol. Reads committed messages only."""

    keep_alive_seconds = 1.0

    def __init__(self, kafka: Kafka, step: Step, topic: str, member: str):
        self.kafka = kafka
        self.step = step
        self.member = member
        self._topic = topic
        self._group = kafka.groups[topic]
        self._generation = 0
        self._owned: frozenset[Partition] = frozenset()
        self._positions: dict[Partition, int] = {}
        self._gives_back = False

    @property
    def membership(self):
        return self._group, (self.member, self._generation)

    def poll(self, seconds: float) -> Polled:
        self.step()
        group = self._group
        if self._must_join():
            if self._owned and not self._gives_back:
                self._gives_back = True
                return Polled(changes=[Taken(self._owned)])
            self._owned, self._gives_back = frozenset(), False
            group.join(self.member)
        if group.joining is not None:
            return Polled()
        if self._generation != group.generation:
            self._generation, self._owned, self._positions = group.generation, group.members[self.member], {}
            return Polled(changes=[Given(self._owned)])
        came = list(self._fetch())
        return Polled(came, reached={} if came else self._reached())

    def seek(self, partition: Partition, offset: int) -> None:
        assert partition in self._owned
        self._positions[partition] = offset

    def pause(self) -> None: ...
    def resume(self) -> None: ...

    def close(self) -> None:
        self._group.expel(self.member)

    def _must_join(self) -> bool:
        group = self._group
        if group.joining is not None:
            return self.member not in group.joining
        return self.member not in group.members

    def _reached(self) -> dict[Partition, int]:
        positions = self._positions.items()
        return {p: position for p, position in positions if position == self.kafka.stable_end(p)}

    def _fetch(self) -> Iterator[Fetched]:
        for partition in sorted(self._owned):
            if partition not in self._positions:
                if self.kafka.is_unstable(partition):
                    continue
                self._positions[partition] = self._group.offsets.get(partition, 0)
            taken, self._positions[partition] = read(self.kafka, partition, self._positions[partition])
            if taken:
                yield fetched(partition, taken, self._positions[partition])


class Reader:
    """Reads only committed messages, of the partitions in `assign`. `ends` counts uncommitted messages too."""

    def __init__(self, kafka: Kafka, step: Step):
        self.kafka = kafka
        self.step = step
        self._positions: dict[Partition, int] = {}

    def assign(self, offsets: Mapping[Partition, int]) -> None:
        self._positions = dict(offsets)

    def poll(self, seconds: float) -> Polled:
        self.step()
        polled = []
        for partition, position in self._positions.items():
            taken, self._positions[partition] = read(self.kafka, partition, position)
            if taken:
                polled.append(fetched(partition, taken, self._positions[partition]))
        return Polled(polled)

    def position(self, partition: Partition) -> int:
        return self._positions[partition]

    def partitions(self, topic: str) -> Sequence[Partition]:
        return [Partition(topic, number) for number in range(COUNTS[topic])]

    def ends(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        self.step()
        return {partition: len(self.kafka.logs[partition]) for partition in partitions}

    def offsets_at(self, partitions: Sequence[Partition], milliseconds: int) -> Mapping[Partition, int]:
        return dict.fromkeys(partitions, 0)

    def close(self) -> None: ...


Row = tuple[int, Entry]
"""Offset and entry."""


def read(kafka: Kafka, partition: Partition, start: int) -> tuple[list[Row], int]:
    """Return the committed messages that a poll reads from this offset on, and the offset to continue from."""
    end = min(kafka.stable_end(partition), start + POLL_MESSAGES)
    entries = kafka.logs[partition][start:end]
    return [(offset, entry) for offset, entry in enumerate(entries, start) if entry.is_visible], max(start, end)


def fetched(partition: Partition, rows: Sequence[Row], position: int) -> Fetched:
    offsets, entries = zip(*rows, strict=True)
    keys, values = [entry.key for entry in entries], [entry.value for entry in entries]
    return Fetched(partition.topic, [partition.number] * len(rows), offsets, keys, values, {partition: position}, 0)
