"""The state of one stage of one run at one instance: which messages passed, how many times, when, and how fast.

Each version of a state has all counts since the state began, not the changes since the version before. So readers need
only the newest version. A roaring bitmap has the sequence numbers of the messages.
"""

from array import array
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from pyroaring import BitMap

from messaging.runs.latencies import Latencies
from messaging.runs.order import Order
from messaging.runs.timeline import Timeline

PLAIN = "messages", "bytes", "out_of_order", "first_sent", "first", "last", "first_messages", "first_bytes"
"""The members of a stage that go into JSON unchanged."""


@dataclass
class Stage:
    """Counts messages. Times are in microseconds since the epoch, `bytes` are those of payloads."""

    messages: int = 0
    bytes: int = 0
    out_of_order: int = 0
    first_sent: int | None = None
    """When the first of these messages was sent."""
    first: int | None = None
    last: int | None = None
    first_messages: int = 0
    """How many messages came at the time `first`. The rate leaves them out."""
    first_bytes: int = 0
    numbers: BitMap = field(default_factory=BitMap)
    failed: BitMap = field(default_factory=BitMap)
    """The sequence numbers of the messages that Kafka did not take from this instance."""
    partitions: Counter[int] = field(default_factory=Counter)
    latencies: Latencies = field(default_factory=Latencies)
    timeline: Timeline = field(default_factory=Timeline)
    order: Order = field(default_factory=Order)

    def add(
        self, numbers: Sequence[int], size: int, partitions: Sequence[int], sent_times: Sequence[int], at: int
    ) -> None:
        """Count messages in their order. All came or were acknowledged at time `at`. The columns have equal length.

        `size` is the size of all payloads together, in bytes.
        """
        self.out_of_order += self.order.add(numbers, partitions, self.numbers)
        self.messages += len(numbers)
        self.bytes += size
        self.numbers |= BitMap(array("I", numbers))
        self.partitions.update(Counter(partitions))
        least = min(sent_times)
        self.first_sent = min(self.first_sent or least, least)
        self.latencies.add([at - sent for sent in sent_times])
        self.timeline.add(len(numbers), at // 1_000_000)
        if self.first is None or at <= self.first:
            is_same = at == self.first
            self.first_messages = len(numbers) + (self.first_messages if is_same else 0)
            self.first_bytes = size + (self.first_bytes if is_same else 0)
            self.first = at
        self.last = max(self.last or at, at)

    def successor(self) -> "Stage":
        """Return an empty state that continues this one. This one is closed: it is too large, or Kafka refused it."""
        return Stage(order=Order(self.order.highest, self.order.counted | self.numbers))

    def as_json(self) -> dict[str, object]:
        """Return the state as members of a JSON object, for `from_json`."""
        return {
            **{name: getattr(self, name) for name in PLAIN},
            "numbers": _encoded(self.numbers),
            "failed": _encoded(self.failed),
            "partitions": self.partitions,
            "latencies": self.latencies.counts,
            "longest": self.latencies.longest,
            "clock_skew": self.latencies.negative,
            "timeline": [self.timeline.start, self.timeline.step, self.timeline.messages],
        }

    @classmethod
    def from_json(cls, members: Mapping[str, Any]) -> Self:
        """Raises an exception of any type if the members are not those of a state."""
        latencies = Latencies(_counter(members["latencies"]), members["longest"], members["clock_skew"])
        return cls(
            **{name: members[name] for name in PLAIN},
            numbers=_decoded(members["numbers"]),
            failed=_decoded(members["failed"]),
            partitions=_counter(members["partitions"]),
            latencies=latencies,
            timeline=Timeline(*members["timeline"]),
        )


def union(stages: Iterable[Stage]) -> BitMap:
    """Return the sequence numbers that any of these states has seen."""
    return BitMap.union(BitMap(), *(stage.numbers for stage in stages))


def not_taken(stages: Iterable[Stage]) -> BitMap:
    """Return the sequence numbers that failed at an instance, and that Kafka took from no instance."""
    stages = list(stages)
    return BitMap.union(BitMap(), *(stage.failed for stage in stages)) - union(stages)


def _encoded(numbers: BitMap) -> str:
    numbers.run_optimize()
    return b64encode(numbers.serialize()).decode()


def _decoded(text: str) -> BitMap:
    return BitMap.deserialize(b64decode(text))


def _counter(counts: Mapping[str, int]) -> Counter[int]:
    return Counter({int(key): count for key, count in counts.items()})
