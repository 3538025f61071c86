"""Counts the messages that a service receives and answers, in the stages of their runs."""

from collections.abc import Sequence
from uuid import UUID

from pyroaring import BitMap

from messaging.runs.batch import Batch
from messaging.runs.stage import Stage

Name = tuple[UUID, str]
"""Run and stage of a state."""


class Counting:
    """Counts batches. A subclass keeps the states."""

    _service: str

    def _stage(self, name: Name) -> Stage:
        """Return the current state. The caller will change it."""
        raise NotImplementedError

    def received(self, batch: Batch) -> None:
        """Count a handled batch. Its messages count as received at `batch.received_at`."""
        self._count(f"{self._service}_received", batch, batch.received_at)

    def answered(self, batch: Batch, refused: Sequence[int], at: int) -> None:
        """Count the answers to a batch.

        Kafka refused the answers at the indices in `refused`. All others count as acknowledged at time `at`.
        """
        if not refused:
            self._count(f"{self._service}_answered", batch, at)
            return
        taken, left_out = batch.split(refused)
        self._count(f"{self._service}_answered", taken, at)
        for part in left_out.by_run():
            stage = self._stage((part.run, f"{self._service}_answered"))
            stage.failed |= BitMap(part.numbers)

    def _count(self, stage: str, batch: Batch, at: int) -> None:
        for part in batch.by_run():
            self._stage((part.run, stage)).add(part.numbers, part.size, part.partitions, part.sent_times, at)
