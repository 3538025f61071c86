"""States that go into transactions: what one producer has counted, and nothing that may still be undone.

After an abort nothing is taken back. The counts begin anew under a key that no record has, and the last state that was
committed under the old key stands.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple

from pyroaring import BitMap

from messaging.journal.counting import Counting, Name
from messaging.journal.states import SENT, Sender, State, partition_of, state_key
from messaging.journal.writer import IDLE_SECONDS, LARGEST_STATE
from messaging.runs.blocks import Block
from messaging.runs.request import Request
from messaging.runs.stage import Stage


class Records(NamedTuple):
    """Records of topic `run-states` as columns."""

    keys: Sequence[bytes]
    values: Sequence[bytes]
    partitions: Sequence[int]


@dataclass
class Entry:
    """A state under its key."""

    key: str
    stage: Stage = field(default_factory=Stage)
    touched: float = 0.0
    large: bool = False


def keys_of(prefix: str) -> Iterator[str]:
    """Yield state keys that no other process has, if the prefix is this process' own."""
    return (f"{prefix}.{number}" for number in count(1))


class Counts(Counting):
    """What a receiver has counted since its last abort. `keys` yields state keys that nobody else has."""

    def __init__(self, service: str, keys: Iterator[str], partitions: int, clock: Callable[[], float] = time.monotonic):
        self._service = service
        self._keys = keys
        self._partitions = partitions
        self._clock = clock
        self._entries: dict[Name, Entry] = {}
        self._changed: dict[Name, Entry] = {}

    def records(self) -> Records:
        """Return what the transaction has to end with: the states that have changed in it."""
        keys, values, partitions = [], [], []
        for (run, stage), entry in self._changed.items():
            keys.append(state_key(run, stage, entry.key))
            values.append(State(entry.stage).encode())
            partitions.append(partition_of(run, self._partitions))
            entry.large = len(values[-1]) > LARGEST_STATE
        return Records(keys, values, partitions)

    def committed(self) -> None:
        """Note that the transaction was committed. Large states are closed, and idle ones are forgotten."""
        self._changed.clear()
        now = self._clock()
        for name, entry in list(self._entries.items()):
            if entry.large:
                self._entries[name] = Entry(next(self._keys), Stage(order=entry.stage.order), entry.touched)
            elif now - entry.touched > IDLE_SECONDS:
                del self._entries[name]

    def aborted(self) -> None:
        """Drop everything: what was committed stands, and the rest comes again."""
        self._entries.clear()
        self._changed.clear()

    def _stage(self, name: Name) -> Stage:
        entry = self._entries.get(name) or Entry(next(self._keys))
        self._entries[name] = self._changed[name] = entry
        entry.touched = self._clock()
        return entry.stage


class SentCounts:
    """What one instance has sent of one run since its last abort. `keys` yields state keys that nobody else has."""

    def __init__(self, request: Request, keys: Iterator[str], partitions: int):
        self._request = request
        self._keys = keys
        self._partition = partition_of(request.run, partitions)
        self._entry = Entry(next(keys))

    def add(self, block: Block, at: int) -> None:
        """Count messages that were sent, at this time."""
        count = len(block.numbers)
        size = count * self._request.size
        self._entry.stage.add(block.numbers, size, [block.partition] * count, block.sent_times, at)

    def records(self, sender: Sender, failed: BitMap | None = None) -> Records:
        """Return what the transaction has to end with. `failed` has the numbers that Kafka refuses."""
        entry = self._entry
        entry.stage.failed = failed or BitMap()
        value = State(entry.stage, sender).encode()
        entry.large = len(value) > LARGEST_STATE
        return Records([state_key(self._request.run, SENT, entry.key)], [value], [self._partition])

    def committed(self) -> None:
        """Note that the transaction was committed. A large state is closed."""
        if self._entry.large:
            self._entry = Entry(next(self._keys), Stage(order=self._entry.stage.order))

    def aborted(self) -> None:
        """Drop everything: what was committed stands."""
        self._entry = Entry(next(self._keys))
