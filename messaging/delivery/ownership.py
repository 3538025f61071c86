"""One owner: a run is sent by one instance at a time, and only by one that knows everything on record of it."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol
from uuid import UUID

from messaging.clients.errors import Unavailable
from messaging.clients.protocols import Delivery
from messaging.journal.past import Past
from messaging.journal.requests import Standing
from messaging.runs.request import Request
from messaging.stopping import StopRequest

PAST_SECONDS = 15
"""How long the claim and the record of a run may take to be read."""

YIELD_SECONDS = 3
"""How long to wait for the owner before to say that it sends no more. It may be dead."""

FROZEN_SECONDS = 1
"""After a longer pause this process may have been frozen, and others may have taken over meanwhile."""


class Claims(Protocol):
    """Newer claims and stops, as they come on record."""

    def watched(self, run: UUID) -> AbstractContextManager[Standing]: ...
    def is_ended(self, run: UUID) -> bool: ...
    def wait_until_reading(self, seconds: float) -> bool: ...
    def wait_for_claim(self, standing: Standing, claim: str, seconds: float) -> bool: ...
    def catch_up(self, seconds: float) -> bool: ...


class PastReader(Protocol):
    def read(self, run: UUID, created: int, seconds: float) -> Past: ...


class Ownership:
    """This instance's claim to one run. While it sends, `asked` says when it must stop."""

    def __init__(
        self,
        claim: str,
        standing: Standing,
        claims: Claims,
        stop: StopRequest,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.claim = claim
        self._standing = standing
        self._claims = claims
        self._stop = stop
        self._clock = clock
        self._looked = clock()
        self.unsure = False
        """True if newer claims could not be looked for, so that another instance may send the run."""

    def take(self, request: Request, delivery: Delivery, past: PastReader) -> Past:
        """Wait until the claim was read back and the owner before has stopped; return everything on record.

        Raises Unavailable if that takes longer than PAST_SECONDS.
        """
        deadline = self._clock() + PAST_SECONDS
        self.claimed(request.run, delivery)
        if not self._claims.wait_for_claim(self._standing, self.claim, deadline - self._clock()):
            raise Unavailable(f"the claim to run {request.run} was not read back within {PAST_SECONDS} s")
        known = past.read(request.run, request.created, deadline - self._clock())
        give_up = min(deadline, self._clock() + YIELD_SECONDS)
        while self._waits_for_owner(known) and self._clock() < give_up:
            time.sleep(0.1)
            known = past.read(request.run, request.created, deadline - self._clock())
        self._looked = self._clock()
        return known

    def claimed(self, run: UUID, delivery: Delivery) -> None:
        """Wait until Kafka has taken the claim. Raises Unavailable after PAST_SECONDS."""
        if not delivery.wait(PAST_SECONDS) or delivery.failures:
            raise Unavailable(f"Kafka did not take the claim to run {run}")

    def _waits_for_owner(self, known: Past) -> bool:
        """Return True while the owner before may still be sending."""
        claims = known.standing.claims
        before = claims[: claims.index(self.claim)] if self.claim in claims else claims
        if not before or known.ended or self._stop.asked or self.superseded:
            return False
        return not known.has_yielded(before[-1])

    @property
    def superseded(self) -> bool:
        """True once another instance has a newer claim."""
        claims = self._standing.claims
        return self.claim in claims and claims[-1] != self.claim

    @property
    def asked(self) -> bool:
        """True once this instance must send no more, or must not because it cannot be sure to be the owner."""
        if self._clock() - self._looked > FROZEN_SECONDS:
            self.unsure = not self._caught_up()
        if self._standing.claims and self.claim not in self._standing.claims:  # which of the claims is newer?
            self.unsure = not self._claims.wait_for_claim(self._standing, self.claim, PAST_SECONDS)
        self._looked = self._clock()
        return self.is_over or self.unsure

    @property
    def is_over(self) -> bool:
        """True once this instance must send no more, by what has come on record so far."""
        is_ended = self._standing.stopped or self._standing.failed is not None
        return self._stop.asked or is_ended or self.superseded

    def _caught_up(self) -> bool:
        """Wait until everything is known that is on record now; give up when the service is to stop."""
        give_up = self._clock() + PAST_SECONDS
        while not self._claims.catch_up(1):
            if self._stop.asked or self._clock() >= give_up:
                return False
        return True

    @property
    def overdue(self) -> bool:
        return self._stop.overdue


class Hints:
    """Says when to stop by what has come on record so far. For senders that Kafka fences: they need not look."""

    def __init__(self, ownership: Ownership):
        self._ownership = ownership

    @property
    def asked(self) -> bool:
        return self._ownership.is_over

    @property
    def overdue(self) -> bool:
        return self._ownership.overdue
