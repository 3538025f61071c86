"""A polled batch as columns: what a consumer's handler gets."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from messaging.stamp import sent_times, words


@dataclass(frozen=True)
class Batch:
    """Messages of one topic from one poll, in the order of each partition, as columns of equal length.

    Columns and not objects, so that what is done to all of them is done in a few calls at the speed of C.
    """

    topic: str
    partitions: Sequence[int]
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    poll_seconds: float
    """How long the poll took that brought it."""

    @cached_property
    def words(self) -> tuple[int, ...] | None:
        """All stamps in one row, see `messaging.stamp.words`; None unless every message has one."""
        return words(self.keys)

    @cached_property
    def sent_times(self) -> Sequence[int | None]:
        """When each message was first sent, in microseconds since the epoch; None for a key that is no stamp."""
        return sent_times(self.keys) if self.words is None else self.words[3::4]

    def __len__(self) -> int:
        return len(self.keys)
