"""States that go into transactions: the counts of one producer since its last abort.

After an abort, the committed records are still correct. The counts begin again under a new key, and the last state
that was committed under the old key remains valid.
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
    """Yield state keys. They are unique if only one process has the prefix."""
    return (f"{prefix}.{number}" for number in count(1))


class Counts(Counting):
    """A receiver's counts since its last abort. `keys` yields unique state keys."""

    def __init__(self, service: str, keys: Iterator[str], partitions: int, clock: Callable[[], float] = time.monotonic):
        self._service = service
        self._keys = keys
        self._partitions = partitions
        self._clock = clock
        self._entries: dict[Name, Entry] = {}
        self._changed: dict[Name, Entry] = {}

    def records(self) -> Records:
        """Return the states that have changed in the transaction, to be sent before the commit."""
        keys, values, partitions = [], [], []
        for (run, stage), entry in self._changed.items():
            keys.append(state_key(run, stage, entry.key))
            values.append(State(entry.stage).encode())
            partitions.append(partition_of(run, self._partitions))
            entry.large = len(values[-1]) > LARGEST_STATE
        return Records(keys, values, partitions)

    def committed(self) -> None:
        """Call this after the commit. It closes large states and forgets idle ones."""
        self._changed.clear()
        now = self._clock()
        for name, entry in list(self._entries.items()):
            if entry.large:
                self._entries[name] = Entry(next(self._keys), entry.stage.successor(), entry.touched)
            elif now - entry.touched > IDLE_SECONDS:
                del self._entries[name]

    def aborted(self) -> None:
        """Drop everything. Committed states remain valid. The messages of the aborted transaction come again."""
        self._entries.clear()
        self._changed.clear()

    def _stage(self, name: Name) -> Stage:
        entry = self._entries.get(name) or Entry(next(self._keys))
        self._entries[name] = self._changed[name] = entry
        entry.touched = self._clock()
        return entry.stage


class SentCounts:
    """Counts the messages that an instance sends for one run. The counts begin again after an abort.

    `keys` yields unique state keys.
    """

    def __init__(self, request: Request, keys: Iterator[str], partitions: int):
        self._request = request
        self._keys = keys
        self._partition = partition_of(request.run, partitions)
        self._entry = Entry(next(keys))

    def add(self, block: Block, at: int) -> None:
        """Count sent messages. They count as acknowledged at this time."""
        count = len(block.numbers)
        size = count * self._request.size
        self._entry.stage.add(block.numbers, size, [block.partition] * count, block.sent_times, at)

    def records(self, sender: Sender, failed: BitMap | None = None) -> Records:
        """Return the state, to be sent before the commit. `failed` has the numbers of refused messages."""
        entry = self._entry
        entry.stage.failed = failed or BitMap()
        value = State(entry.stage, sender).encode()
        entry.large = len(value) > LARGEST_STATE
        return Records([state_key(self._request.run, SENT, entry.key)], [value], [self._partition])

    def committed(self) -> None:
        """Call this after the commit. It closes a large state."""
        if self._entry.large:
            self._entry = Entry(next(self._keys), self._entry.stage.successor())

    def aborted(self) -> None:
        """Drop everything. Committed states remain valid."""
        self._entry = Entry(next(self._keys))
