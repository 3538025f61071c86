"""Remembers the commits that Kafka has confirmed."""

import logging
from collections.abc import Mapping

from messaging.clients.protocols import Partition

log = logging.getLogger(__name__)


class Confirmed:
    """The newest confirmed offset of each partition.

    Commits are numbered, because kafka-python may report a newer commit before an older one.
    """

    def __init__(self) -> None:
        self.offsets: dict[Partition, int] = {}
        self._numbers: dict[Partition, int] = {}
        self._last = 0
        self._forgotten = 0
        self._reason: str | None = None  # why the last commit failed

    def next_commit(self) -> int:
        """Return the number of a new commit."""
        self._last += 1
        return self._last

    def add(self, commit: int, offsets: Mapping[Partition, int]) -> None:
        """Note the offsets that Kafka has confirmed.

        Ignore all offsets of a forgotten commit. Ignore the offset of a partition if Kafka has already confirmed a
        newer commit for this partition.
        """
        if commit <= self._forgotten:
            return
        self._reason = None
        for partition, offset in offsets.items():
            if commit > self._numbers.get(partition, 0):
                self._numbers[partition] = commit
                self.offsets[partition] = offset

    def refused(self, reason: str) -> None:
        """Log why a commit failed, but not the same reason again: in an outage, several commits fail each second."""
        if reason != self._reason:
            log.warning("offsets were not committed: %s. The next commit has them too.", reason)
        self._reason = reason

    def forget(self) -> None:
        """Forget all commits so far, even those that Kafka confirms later."""
        self._forgotten = self._last
        self._numbers.clear()
        self.offsets = {}
