"""Keeps the order of the steps before a commit, with DELIVERY=at-least-once.

First a batch is handled, then its answers are acknowledged, then its counts are on record. Then it may be committed.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from messaging.clients.protocols import Partition
from messaging.delivery.answers import SentAnswers
from messaging.journal.writer import JournalWriter
from messaging.runs.batch import Batch


@dataclass
class Checkpoint:
    """A handled batch, the next offsets of its partitions, and what it still waits for."""

    batch: Batch
    offsets: Mapping[Partition, int]
    answers: SentAnswers | None
    cost: int
    """Its answers take about this many bytes while they are under way."""
    mark: int | None = None
    """The journal's mark when all answers were acknowledged. None before that."""


class Checkpoints:
    """The handled batches in order. A batch passes when it and all batches before it are done and on record."""

    def __init__(self, journal: JournalWriter):
        self._journal = journal
        self._queue: deque[Checkpoint] = deque()
        self._passed: dict[Partition, int] = {}
        self.in_flight = 0
        """The approximate size of the answers that are not acknowledged yet, in bytes."""

    def add(self, batch: Batch, offsets: Mapping[Partition, int], answers: SentAnswers | None, cost: int = 0) -> None:
        """Note a batch that was handled just now."""
        self._queue.append(Checkpoint(batch, offsets, answers, cost if answers else 0))
        self.in_flight += self._queue[-1].cost

    def advance(self) -> None:
        """Take every step that is possible now."""
        for checkpoint in self._queue:
            if checkpoint.mark is None and not self._acknowledged(checkpoint):
                break
        while self._queue:
            mark = self._queue[0].mark
            if mark is None or not self._journal.recorded(mark):
                break
            self._passed.update(self._queue.popleft().offsets)

    def wait(self, seconds: float) -> bool:
        """Wait for the oldest answers, but no longer than this; return True if none are under way any more."""
        oldest = next((each.answers for each in self._queue if each.mark is None), None)
        if oldest is not None:
            oldest.wait(seconds)
        self.advance()
        return all(each.mark is not None for each in self._queue)

    @property
    def done(self) -> bool:
        """True if all batches have passed."""
        return not self._queue

    def uncommitted(self, confirmed: Mapping[Partition, int]) -> dict[Partition, int]:
        """Return the offsets that may be committed and are not confirmed yet."""
        return {p: offset for p, offset in self._passed.items() if confirmed.get(p) != offset}

    def forget(self) -> None:
        """Drop all batches and offsets, because the group takes their partitions away."""
        self._queue.clear()
        self._passed.clear()
        self.in_flight = 0

    def _acknowledged(self, checkpoint: Checkpoint) -> bool:
        answers = checkpoint.answers
        if answers is not None:
            if not answers.settled():
                return False
            self._journal.answered(checkpoint.batch, answers.refused, answers.acknowledged_at)
            self.in_flight -= checkpoint.cost
        checkpoint.mark = self._journal.mark
        return True
