"""Latencies counted in buckets, whose values differ by less than 1 %. Several instances' counts can be added."""

from collections import Counter
from collections.abc import Iterable, Sequence

_MANTISSA_BITS = 8
"""This many leading bits of a latency are kept.

So a bucket has one value, or its width is at most 1/128 of its smallest value.
"""

LONGEST = 7 * 86_400_000_000
"""A week, in microseconds. Longer latencies count as this one, negative ones as 0."""


class Latencies:
    """Counts latencies, given in microseconds."""

    def __init__(self, counts: Counter[int] | None = None, longest: int = 0, negative: int = 0):
        self.counts = Counter() if counts is None else counts
        """How many latencies are in each bucket, by the bucket's smallest value."""
        self.longest = longest
        self.negative = negative
        """How many latencies were negative, because two clocks differ."""

    def add(self, latencies: Sequence[int]) -> None:
        """Count these latencies. Groups them first, for speed. A group is as wide as the smallest latency's bucket."""
        least = min(latencies)
        if least < 0:
            self.negative += sum(latency < 0 for latency in latencies)
        shift = _shift(max(least, 0))
        for latency, count in Counter([latency >> shift for latency in latencies]).items():
            self.counts[_bucket(_within(latency << shift))] += count
        self.longest = max(self.longest, _within(max(latencies)))

    def percentiles(self, fractions: Iterable[float]) -> list[float]:
        """For each fraction, return a latency in ms. For 0.9, at least 90 % of all latencies are as long or shorter.

        The fractions must ascend.
        """
        total = self.counts.total()
        wanted = [max(1.0, fraction * total) for fraction in fractions]
        found: list[float] = []
        seen = 0
        for start in sorted(self.counts):
            seen += self.counts[start]
            while len(found) < len(wanted) and seen >= wanted[len(found)] - 1e-6:
                found.append(min(start + (1 << _shift(start)) - 1, self.longest) / 1000)
        return found

    @classmethod
    def sum(cls, several: Iterable["Latencies"]) -> "Latencies":
        """Return the counts of all instances together."""
        total = cls()
        for one in several:
            total.counts.update(one.counts)
            total.longest = max(total.longest, one.longest)
            total.negative += one.negative
        return total


def _within(latency: int) -> int:
    return min(max(latency, 0), LONGEST)


def _shift(latency: int) -> int:
    return max(latency.bit_length() - _MANTISSA_BITS, 0)


def _bucket(latency: int) -> int:
    shift = _shift(latency)
    return latency >> shift << shift
