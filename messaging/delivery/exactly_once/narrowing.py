"""Finds a message that Kafka refuses. The whole transaction fails, and Kafka does not name the message."""

import logging
from collections.abc import Iterator, Sequence

from messaging.clients.protocols import Fetched, Partition

log = logging.getLogger(__name__)

NORMAL = 4096
"""If a transaction succeeds with a limit of at least this many messages, the next one has no limit."""


class Narrowing:
    """Limits the messages of the next transaction: half as many after each refusal, until one message is left."""

    def __init__(self) -> None:
        self._most: int | None = None
        self._left_out: tuple[Partition, int] | None = None

    @property
    def active(self) -> bool:
        """True while each part of the messages needs its own transaction."""
        return self._most is not None

    def parts(self, fetched: Fetched) -> Iterator[Fetched]:
        """Yield the messages in parts. Each part is as large as the limit is at that moment."""
        start = 0
        while start < len(fetched):
            end = len(fetched) if self._most is None else min(start + self._most, len(fetched))
            yield fetched if end - start == len(fetched) else cut(fetched, start, end)
            start = end

    def is_refused(self, fetched: Fetched) -> bool:
        """Return True if this is the one message that Kafka refuses."""
        return len(fetched) == 1 and self._left_out == (_partition(fetched, 0), fetched.offsets[0])

    def refuse(self, handled: Sequence[Fetched]) -> None:
        """Note that a transaction with these messages was refused."""
        count = sum(map(len, handled))
        self._most = max(1, count // 2)
        if count == 1:
            self._left_out = _partition(handled[0], 0), handled[0].offsets[0]
            log.error(
                "topic %s, partition %d, offset %d: Kafka refuses the answer", *self._left_out[0], self._left_out[1]
            )

    def committed(self) -> None:
        """Note that a transaction was committed. The next one may have twice as many messages.

        The first commit after a refused message does not change the limit, because refused messages often come
        together, and each refusal costs an abort.
        """
        if self._left_out is not None:
            self._left_out = None
        elif self._most is not None:
            self._most = None if self._most >= NORMAL else 2 * self._most


def cut(fetched: Fetched, start: int, end: int) -> Fetched:
    """Return the messages with these indices."""
    partitions, offsets = fetched.partitions[start:end], fetched.offsets[start:end]
    next_offsets = {
        Partition(fetched.topic, number): offset + 1 for number, offset in zip(partitions, offsets, strict=True)
    }
    keys, values = fetched.keys[start:end], fetched.values[start:end]
    return Fetched(fetched.topic, partitions, offsets, keys, values, next_offsets, fetched.seconds)


def _partition(fetched: Fetched, index: int) -> Partition:
    return Partition(fetched.topic, fetched.partitions[index])
