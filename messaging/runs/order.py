"""Finds messages that came out of order: after one with a higher number of the same run and partition."""

from collections.abc import Sequence
from itertools import groupby, pairwise

from pyroaring import BitMap


class Order:
    """Remembers the highest number of each partition, for one run at one instance."""

    def __init__(self, highest: dict[int, int] | None = None):
        self.highest = {} if highest is None else highest

    def add(self, numbers: Sequence[int], partitions: Sequence[int], seen: BitMap) -> int:
        """Take in messages in the order in which they came; return how many came out of order.

        `seen` has the numbers that came before these: a message that comes again is a duplicate, and not out of order.
        """
        late: set[int] = set()
        start = 0
        for partition, group in groupby(partitions):
            end = start + sum(1 for _ in group)
            late |= self._late(numbers[start:end], partition)
            start = end
        return sum(number not in seen for number in late)

    def _late(self, numbers: Sequence[int], partition: int) -> set[int]:
        highest = self.highest.get(partition, -1)
        if numbers[0] > highest and all(one < other for one, other in pairwise(numbers)):
            self.highest[partition] = numbers[-1]
            return set()
        late: set[int] = set()
        earlier: set[int] = set()
        for number in numbers:
            if number < highest and number not in earlier:
                late.add(number)
            earlier.add(number)
            highest = max(highest, number)
        self.highest[partition] = highest
        return late
