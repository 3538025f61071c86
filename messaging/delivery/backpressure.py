"""Pauses the sending of a run while its record lags behind. This limits how many messages a new owner sends again."""

from collections.abc import Callable
from uuid import UUID

from messaging.delivery.ownership import Ownership
from messaging.journal.writer import JournalWriter
from messaging.runs.outcome import DeliveryFailed

UNRECORDED = 2500
"""Sending pauses while more than this many acknowledged messages are not on record.

A new owner of the run sends these messages again. It also repeats the messages in flight: at most 4,096, plus one block
of 200 that was sent after the last check. In total, a new owner repeats fewer than 10,000 messages."""

KEEP_UP_SECONDS = 120
"""If the record does not catch up within this time, in seconds, the run fails."""


class Backpressure:
    """Says when the sending of one run must stop. `asked` waits while the record of the run lags behind."""

    def __init__(self, run: UUID, record: JournalWriter, ownership: Ownership, clock: Callable[[], float]):
        self._run = run
        self._record = record
        self._ownership = ownership
        self._clock = clock

    @property
    def asked(self) -> bool:
        """True once this instance must send no more. Raises DeliveryFailed if the record does not catch up."""
        self._wait_until(lambda: self._record.keep_up(self._run, UNRECORDED))
        return self._ownership.asked

    @property
    def overdue(self) -> bool:
        return self._ownership.overdue

    def wait_until_recorded(self) -> None:
        """Wait until everything about the run is on record. Raises DeliveryFailed after KEEP_UP_SECONDS."""
        self._wait_until(lambda: self._record.flush(0.5, self._run))

    def _wait_until(self, recorded: Callable[[], bool]) -> None:
        give_up = self._clock() + KEEP_UP_SECONDS
        while not recorded() and not self._ownership.overdue:
            if self._clock() > give_up:
                raise DeliveryFailed(f"Kafka has taken no record of the run for {KEEP_UP_SECONDS} s")
            self._record.flush(0.5, self._run)
