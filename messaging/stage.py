"""The state of one stage of one run at one instance: which messages it has seen, how many times, and how fast.

States are absolute, never differences, so the newest one is all there is to know. Which messages: a roaring bitmap of
their sequence numbers. Latency: counted per bucket, and written as an HDR histogram, which others can add up.
"""

import json
import time
from array import array
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Iterable, Sequence

from hdrh.histogram import HdrHistogram
from pyroaring import BitMap

LATENCY_RANGE = 1, 3_600_000_000
"""Microseconds; what is outside counts as the nearest of these."""
LATENCY_DIGITS = 2


class Stage:
    """Counts messages. Times are in microseconds since the epoch."""

    def __init__(self) -> None:
        self.messages = 0
        self.bytes = 0
        self.failed = 0
        self.first: int | None = None
        self.last: int | None = None
        self.numbers = BitMap()
        self.partitions: Counter[int] = Counter()
        self._latencies: Counter[int] = Counter()  # by microseconds, those above 1 ms to within 1 %

    def add(
        self, numbers: Sequence[int], size: int, partitions: Counter[int], sent_times: Sequence[int], now: int
    ) -> None:
        """Count messages that came, or were acknowledged, now; `size` is that of all their values, in bytes."""
        self.messages += len(numbers)
        self.bytes += size
        self.numbers |= BitMap(array("I", numbers))
        self.partitions += partitions
        # Two steps: one message in few calls, then one bucket in some more.
        for latency, count in Counter([(now - sent) >> 6 for sent in sent_times]).items():
            self._latencies[_bucket(max(latency << 6, 1))] += count
        self.first = self.first or now
        self.last = now

    def encode(self, **more: object) -> bytes:
        """As JSON, with further members."""
        histogram = HdrHistogram(*LATENCY_RANGE, LATENCY_DIGITS)
        for latency, count in self._latencies.items():
            histogram.record_value(min(latency, LATENCY_RANGE[1]), count)
        self.numbers.run_optimize()
        state = {
            "messages": self.messages,
            "bytes": self.bytes,
            "failed": self.failed,
            "first": self.first,
            "last": self.last,
            "numbers": b64encode(self.numbers.serialize()).decode(),
            "partitions": self.partitions,
            "latency": histogram.encode().decode(),
        }
        return json.dumps(state | more).encode()


def _bucket(microseconds: int) -> int:
    shift = max(microseconds.bit_length() - 8, 0)
    return microseconds >> shift << shift


def merge(states: Sequence[dict], sent: BitMap | None, expected: int) -> dict:
    """One stage of a run over all its instances, as GET /runs/ID gives it.

    `states` are decoded records by instance, each with its "instance"; `sent` is what the stage may expect (None: all
    `expected` numbers).
    """
    numbers = numbers_of(states)
    messages = sum(state["messages"] for state in states)
    missing = expected - len(numbers) if sent is None else len(sent - numbers)
    first = min((state["first"] for state in states if state["first"]), default=None)
    last = max((state["last"] for state in states if state["last"]), default=None)
    size = sum(state["bytes"] for state in states)
    seconds = (last - first) / 1e6 if messages else 0.0  # none where all came at once: no rate then
    partitions: Counter[str] = Counter()
    instances: Counter[str] = Counter()
    for state in states:
        partitions.update(state["partitions"])
        instances[state["instance"]] += state["messages"]
    return {
        "messages": messages,
        "distinct": len(numbers),
        "duplicates": messages - len(numbers),
        "missing": missing,
        "failed": sum(state["failed"] for state in states),
        "bytes": size,
        "first": iso(first),
        "last": iso(last),
        "message_rate": messages / seconds if seconds else None,
        "byte_rate": size / seconds / 1e6 if seconds else None,
        "latency_ms": _percentiles(states) if messages else None,
        "partitions": dict(sorted(partitions.items(), key=lambda item: int(item[0]))),
        "instances": dict(sorted(instances.items())),
    }


def numbers_of(states: Iterable[dict]) -> BitMap:
    """The sequence numbers seen by any of the instances."""
    return BitMap.union(BitMap(), *(BitMap.deserialize(b64decode(state["numbers"])) for state in states))


def _percentiles(states: Sequence[dict]) -> dict:
    histogram = HdrHistogram(*LATENCY_RANGE, LATENCY_DIGITS)
    for state in states:
        histogram.decode_and_add(state["latency"])
    at = {f"p{p}": histogram.get_value_at_percentile(p) / 1000 for p in (50, 90, 99)}
    return at | {"max": histogram.get_max_value() / 1000}


def iso(microseconds: int | None) -> str | None:
    """An instant in UTC to the millisecond."""
    if microseconds is None:
        return None
    seconds, rest = divmod(microseconds, 1_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest // 1000:03d}Z"
