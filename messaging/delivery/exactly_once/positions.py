"""Remembers where to continue each partition of a consumer after an abort, without asking Kafka."""

from collections.abc import Iterable, Mapping

from messaging.clients.protocols import Fetched, Partition


class Positions:
    """Knows the committed offset of each partition, and the end offsets that came since the last `commit_ends`."""

    def __init__(self) -> None:
        self.committed: dict[Partition, int] = {}
        self._reached: dict[Partition, int] = {}

    def note(self, fetched: Fetched) -> None:
        """Note that these messages came.

        A consumer begins each partition at the committed offset. No unhandled message comes before the first message
        of a partition. So the offset of the first message counts as committed.
        """
        if not fetched.next_offsets.keys() <= self.committed.keys():
            for number, offset in zip(fetched.partitions, fetched.offsets, strict=True):
                self.committed.setdefault(Partition(fetched.topic, number), offset)

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Remember these offsets as committed, except for partitions that this consumer has lost meanwhile."""
        self.committed.update((p, offset) for p, offset in offsets.items() if p in self.committed)

    def reach(self, ends: Mapping[Partition, int]) -> None:
        self._reached |= ends

    def uncommitted_ends(self) -> dict[Partition, int]:
        """Return the ends beyond the committed offsets. Only markers and aborted messages lie between the two."""
        return {p: offset for p, offset in self._reached.items() if offset > self.committed.get(p, -1)}

    def commit_ends(self, ends: Mapping[Partition, int]) -> None:
        self.committed |= ends
        self._reached.clear()

    def take(self, partitions: Iterable[Partition]) -> None:
        """Forget partitions that the group has taken away."""
        for partition in partitions:
            self.committed.pop(partition, None)
            self._reached.pop(partition, None)

    def read_again(self) -> Mapping[Partition, int]:
        """Return the committed offsets, to continue from them. Forget the ends of their partitions."""
        self._reached = {p: end for p, end in self._reached.items() if p not in self.committed}
        return self.committed

    def clear(self) -> None:
        self.committed.clear()
        self._reached.clear()
