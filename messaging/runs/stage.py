"""The state of one stage of one run at one instance: which messages it has seen, how many times, and how fast.

States are absolute, never differences: the newest one says everything. A roaring bitmap of sequence numbers says which
messages.
"""

from array import array
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from pyroaring import BitMap

from messaging.runs.latencies import Latencies


@dataclass
class Stage:
    """Counts messages. Times are in microseconds since the epoch, `bytes` are those of payloads."""

    messages: int = 0
    bytes: int = 0
    failed: int = 0
    first: int | None = None
    last: int | None = None
    numbers: BitMap = field(default_factory=BitMap)
    partitions: Counter[int] = field(default_factory=Counter)
    latencies: Latencies = field(default_factory=Latencies)

    def add(
        self, numbers: Sequence[int], size: int, partitions: Mapping[int, int], sent_times: Sequence[int], now: int
    ) -> None:
        """Count messages that came, or were acknowledged, now; `size` is that of all their values, in bytes."""
        self.messages += len(numbers)
        self.bytes += size
        self.numbers |= BitMap(array("I", numbers))
        self.partitions.update(partitions)
        self.latencies.add([now - sent for sent in sent_times])
        self.first = self.first or now
        self.last = now

    def as_json(self) -> dict[str, object]:
        """Return the state as members of a JSON object, for `from_json`."""
        self.numbers.run_optimize()
        return {
            "messages": self.messages,
            "bytes": self.bytes,
            "failed": self.failed,
            "first": self.first,
            "last": self.last,
            "numbers": b64encode(self.numbers.serialize()).decode(),
            "partitions": self.partitions,
            "latencies": self.latencies.counts,
            "longest": self.latencies.longest,
        }

    @classmethod
    def from_json(cls, members: Mapping[str, Any]) -> Self:
        """Raises KeyError, TypeError or ValueError if the members are not those of a state."""
        return cls(
            messages=members["messages"],
            bytes=members["bytes"],
            failed=members["failed"],
            first=members["first"],
            last=members["last"],
            numbers=BitMap.deserialize(b64decode(members["numbers"])),
            partitions=_counter(members["partitions"]),
            latencies=Latencies(_counter(members["latencies"]), members["longest"]),
        )


def union(stages: Iterable[Stage]) -> BitMap:
    """Return the sequence numbers that any of these states has seen."""
    return BitMap.union(BitMap(), *(stage.numbers for stage in stages))


def _counter(counts: Mapping[str, int]) -> Counter[int]:
    return Counter({int(key): count for key, count in counts.items()})
