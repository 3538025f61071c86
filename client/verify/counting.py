"""Counts the messages of runs in topics. Pure: it takes columns of messages, and keeps bitmaps for each partition."""

import struct
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import ne
from uuid import UUID

from pyroaring import BitMap

from messaging.clients.protocols import Fetched
from messaging.runs.payload import payloads

STAMP = struct.Struct(">16sQQ")
"""Run, number and time in a message's key. Not imported from the services, so that `verify` finds their mistakes."""


@dataclass
class Seen:
    """The messages of a run in one partition."""

    numbers: BitMap = field(default_factory=BitMap)
    late: BitMap = field(default_factory=BitMap)
    """The numbers whose first copy came after a higher number."""
    highest: int = -1

    def add(self, numbers: Sequence[int]) -> None:
        """Add the messages with these numbers, in the order of the partition."""
        for number in numbers:
            if number not in self.numbers:
                self.numbers.add(number)
                if number < self.highest:
                    self.late.add(number)
                self.highest = max(self.highest, number)


class Tally:
    """The messages of one run in one topic."""

    def __init__(self, run: UUID, num_messages: int, size: int):
        self._run = run
        self._num_messages = num_messages
        self._size = size
        self._partitions: dict[int, Seen] = defaultdict(Seen)
        self.messages = 0
        """The number of messages. A message that came twice counts twice."""
        self.changed = 0
        """The number of messages with a changed payload."""
        self.unasked = 0
        """The number of messages with a sequence number that the run does not have. `messages` does not count them."""

    def add(self, partition: int, numbers: Sequence[int], values: Sequence[bytes | None]) -> None:
        """Count messages of one partition, in its order."""
        if max(numbers, default=0) >= self._num_messages:
            pairs = [pair for pair in zip(numbers, values, strict=True) if pair[0] < self._num_messages]
            self.unasked += len(numbers) - len(pairs)
            numbers, values = [number for number, _ in pairs], [value for _, value in pairs]
        self.messages += len(numbers)
        self.changed += sum(map(ne, values, payloads(self._run.bytes, numbers, self._size)))
        self._partitions[partition].add(numbers)

    @property
    def numbers(self) -> BitMap:
        """The sequence numbers that the topic holds."""
        return _union(seen.numbers for seen in self._partitions.values())

    @property
    def distinct(self) -> int:
        return len(self.numbers)

    @property
    def twice(self) -> int:
        """How many messages are extra copies."""
        return self.messages - self.distinct

    @property
    def out_of_order(self) -> int:
        """How many messages came after one with a higher number in the same partition. Only first copies count.

        A message that also came in order in another partition does not count. `twice` counts it as an extra copy.
        """
        seen = self._partitions.values()
        return len(_union(each.late for each in seen) - _union(each.numbers - each.late for each in seen))


class Counter:
    """Counts the messages of the expected runs."""

    def __init__(self) -> None:
        self._tallies: dict[str, dict[bytes, Tally]] = defaultdict(dict)

    def expect(self, topic: str, run: UUID, num_messages: int, size: int) -> Tally:
        """Expect messages of a run in a topic. Return their tally, which each `add` updates."""
        return self._tallies[topic].setdefault(run.bytes, Tally(run, num_messages, size))

    def add(self, messages: Fetched) -> None:
        """Count these messages. Skip messages of other runs and messages without a stamp."""
        tallies = self._tallies[messages.topic]
        columns: dict[tuple[bytes, int], tuple[list[int], list[bytes | None]]] = {}
        for partition, key, value in zip(messages.partitions, messages.keys, messages.values, strict=True):
            if key is not None and len(key) == STAMP.size:
                run, number, _ = STAMP.unpack(key)
                if run in tallies:
                    numbers, values = columns.setdefault((run, partition), ([], []))
                    numbers.append(number)
                    values.append(value)
        for (run, partition), (numbers, values) in columns.items():
            tallies[run].add(partition, numbers, values)


def _union(bitmaps: Iterable[BitMap]) -> BitMap:
    return BitMap.union(BitMap(), *bitmaps)
