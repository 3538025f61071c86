"""Finds a message that Kafka refuses. The whole transaction fails, and Kafka does not name the message."""

import logging
from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from messaging.clients.protocols import Fetched, Partition

log = logging.getLogger(__name__)

NORMAL = 64
"""If a partition's limit is at least this many messages, the next commit removes the limit."""


class Narrowing:
    """Limits the messages of a partition in its next transaction: half as many after each refusal, until one is left.

    Each partition has its own limit. Otherwise, transactions with other partitions would raise the limit again.
    """

    def __init__(self) -> None:
        self._most: dict[Partition, int] = {}
        self._left_out: dict[Partition, int] = {}
        """The offset of the message that Kafka refuses."""

    @property
    def active(self) -> bool:
        """True while each part of the messages needs its own transaction."""
        return bool(self._most)

    def parts(self, fetched: Fetched) -> Iterator[Fetched]:
        """Yield all messages at once if no partition has a limit.

        Otherwise, yield parts of one partition each. A part has as many messages as the limit allows at that moment.
        """
        if not self.active:
            yield fetched
            return
        for number in sorted(set(fetched.partitions)):
            indices = [index for index, other in enumerate(fetched.partitions) if other == number]
            while indices:
                most = self._most.get(Partition(fetched.topic, number), len(indices))
                yield only(fetched, indices[:most])
                indices = indices[most:]

    def is_refused(self, fetched: Fetched) -> bool:
        """Return True if this is the one message that Kafka refuses."""
        return len(fetched) == 1 and self._left_out.get(_partition(fetched)) == fetched.offsets[0]

    def refuse(self, handled: Sequence[Fetched]) -> None:
        """Note that a transaction with these messages was refused."""
        counts = _counts(handled)
        self._most.update((partition, max(1, count // 2)) for partition, count in counts.items())
        if counts.total() == 1:
            partition, offset = _partition(handled[0]), handled[0].offsets[0]
            self._left_out[partition] = offset
            log.error(
                "topic %s, partition %d, offset %d: Kafka refuses the answer, or the state that counts it",
                *partition,
                offset,
            )

    def committed(self, handled: Sequence[Fetched]) -> None:
        """Note that a transaction with these messages was committed. The next one may have twice as many.

        The first commit after a refused message does not change the limit, because refused messages often come
        together, and each refusal costs an abort.
        """
        for partition in _counts(handled) if self.active else ():
            if partition in self._left_out:
                del self._left_out[partition]
            elif self._most.get(partition, 0) >= NORMAL:
                del self._most[partition]
            elif partition in self._most:
                self._most[partition] *= 2

    def keep(self, partitions: Collection[Partition]) -> None:
        """Forget all other partitions, because this instance no longer has them."""
        self._most = {partition: most for partition, most in self._most.items() if partition in partitions}
        self._left_out = {partition: offset for partition, offset in self._left_out.items() if partition in partitions}


def only(fetched: Fetched, indices: Sequence[int]) -> Fetched:
    """Return the messages with these indices."""
    partitions, offsets = [fetched.partitions[i] for i in indices], [fetched.offsets[i] for i in indices]
    keys, values = [fetched.keys[i] for i in indices], [fetched.values[i] for i in indices]
    next_offsets = {
        Partition(fetched.topic, number): offset + 1 for number, offset in zip(partitions, offsets, strict=True)
    }
    return Fetched(fetched.topic, partitions, offsets, keys, values, next_offsets, fetched.seconds)


def _partition(fetched: Fetched) -> Partition:
    return Partition(fetched.topic, fetched.partitions[0])


def _counts(handled: Sequence[Fetched]) -> Counter[Partition]:
    return Counter(Partition(fetched.topic, number) for fetched in handled for number in fetched.partitions)
