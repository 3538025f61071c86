"""Finds messages that came out of order: after one with a higher number, in the same run and partition."""

from collections.abc import Sequence
from itertools import groupby, pairwise

from pyroaring import BitMap


class Order:
    """Remembers the highest number of each partition, for one run at one instance."""

    def __init__(self, highest: dict[int, int] | None = None, counted: BitMap | None = None):
        self.highest = {} if highest is None else highest
        self.counted = BitMap() if counted is None else counted
        """The numbers that earlier, closed states of this stage have counted."""

    def add(self, numbers: Sequence[int], partitions: Sequence[int], seen: BitMap) -> int:
        """Take in messages in the order in which they came; return how many came out of order.

        `seen` has the numbers that came before, except those in `counted`. A message that comes again is a duplicate,
        and not out of order.
        """
        rising = self._rising(numbers, partitions)
        if rising is not None:
            self.highest |= rising
            return 0
        late = 0
        earlier: set[int] = set()
        for number, partition in zip(numbers, partitions, strict=True):
            highest = self.highest.get(partition, -1)
            is_first = number not in earlier and number not in seen and number not in self.counted
            late += number < highest and is_first
            earlier.add(number)
            self.highest[partition] = max(highest, number)
        return late

    def _rising(self, numbers: Sequence[int], partitions: Sequence[int]) -> dict[int, int] | None:
        """Return the new highest numbers if the numbers rise in each partition, as usual. Otherwise return None."""
        highest: dict[int, int] = {}
        start = 0
        for partition, group in groupby(partitions):
            end = start + sum(1 for _ in group)
            part = numbers[start:end]
            before = highest.get(partition, self.highest.get(partition, -1))
            if part[0] <= before or not all(one < other for one, other in pairwise(part)):
                return None
            highest[partition] = part[-1]
            start = end
        return highest
