"""Where the partitions of a consumer go on after an abort, without asking Kafka."""

from collections.abc import Iterable, Mapping

from messaging.clients.protocols import Fetched, Partition


class Positions:
    """The committed offset of each partition of which messages have come, and the ends that were reached."""

    def __init__(self) -> None:
        self.committed: dict[Partition, int] = {}
        self._reached: dict[Partition, int] = {}

    def note(self, fetched: Fetched) -> None:
        """Note that these messages came. A consumer begins with what is committed, so the first one says where."""
        if not fetched.next_offsets.keys() <= self.committed.keys():
            for number, offset in zip(fetched.partitions, fetched.offsets, strict=True):
                self.committed.setdefault(Partition(fetched.topic, number), offset)

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Note that these were committed. Partitions that have gone meanwhile stay away."""
        self.committed.update((p, offset) for p, offset in offsets.items() if p in self.committed)

    def reach(self, ends: Mapping[Partition, int]) -> None:
        self._reached |= ends

    def uncommitted_ends(self) -> dict[Partition, int]:
        """Return the ends that lie behind what is committed, because of marks of transactions between them."""
        return {p: offset for p, offset in self._reached.items() if offset > self.committed.get(p, -1)}

    def commit_ends(self, ends: Mapping[Partition, int]) -> None:
        self.committed |= ends
        self._reached.clear()

    def take(self, partitions: Iterable[Partition]) -> None:
        """Forget partitions that this consumer has no more."""
        for partition in partitions:
            self.committed.pop(partition, None)

    def read_again(self) -> Mapping[Partition, int]:
        """Return where to go on. The ends will be reached again."""
        self._reached.clear()
        return self.committed

    def clear(self) -> None:
        self.committed.clear()
        self._reached.clear()
