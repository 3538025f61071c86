"""Reads topics from their beginning to their end, and finds out if Kafka has deleted a part of them."""

import time
from collections.abc import Callable, Mapping, Sequence

from messaging.clients.errors import Unavailable
from messaging.clients.protocols import Fetched, Partition, Reader

SILENT_SECONDS = 30
"""Reading fails if Kafka sends nothing for this long, in seconds, although there is more to read."""


class NoSuchTopic(Exception):
    """Kafka does not have a topic. The text names it."""


class Reading:
    """Reads topics. `starts` has the offset at which to begin, for partitions that are not read from their beginning.

    Raises NoSuchTopic, ClientError.
    """

    def __init__(
        self,
        reader: Reader,
        topics: Sequence[str],
        starts: Mapping[Partition, int] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._reader = reader
        self._clock = clock
        self._partitions: list[Partition] = []
        for topic in topics:
            partitions = reader.partitions(topic)
            if not partitions:
                raise NoSuchTopic(topic)
            self._partitions += partitions
        reader.assign({**reader.beginnings(self._partitions), **(starts or {})})

    def to_end(self, take: Callable[[Fetched], object]) -> None:
        """Read each partition up to its current end, and pass all messages to `take`. Raises ClientError."""
        ends = self._reader.ends(self._partitions)
        deadline = self._clock() + SILENT_SECONDS
        while any(self._reader.position(partition) < end for partition, end in ends.items()):
            fetched = self._reader.poll(1).fetched
            for messages in fetched:
                take(messages)
            if fetched:
                deadline = self._clock() + SILENT_SECONDS
            elif self._clock() > deadline:
                raise Unavailable(f"no message came for {SILENT_SECONDS} s, although there are more")

    def lost_since(self, milliseconds: int) -> list[Partition]:
        """Return the partitions from which Kafka may have deleted messages of this time or later.

        Kafka has deleted the beginning of such a partition, so it does not begin at offset 0. It also holds no older
        message: otherwise Kafka has deleted only older ones. The time counts from the epoch. Raises Unavailable.
        """
        shortened = {p: offset for p, offset in self._reader.beginnings(self._partitions).items() if offset > 0}
        since = self._reader.offsets_at([*shortened], milliseconds) if shortened else {}
        return [partition for partition, beginning in shortened.items() if since[partition] <= beginning]
