"""One owner: one instance at a time sends a run.

It first reads what is on record of the run, unless no other instance can have begun the run.
"""

import time
from collections.abc import Callable
from functools import partial
from uuid import UUID

from messaging.clients.errors import ClientError, Unavailable
from messaging.clients.protocols import Delivery
from messaging.journal.claims import Claims
from messaging.journal.past import Past, PastReader
from messaging.journal.requests import Standing
from messaging.runs.request import Request
from messaging.stopping import StopRequest

PAST_SECONDS = 15
"""The timeout for reading the claim and the record of a run, in seconds."""

YIELD_SECONDS = 3
"""The longest wait for the previous owner to yield, in seconds. A dead owner never yields."""

FROZEN_SECONDS = 1
"""If the sender has not read `asked` for this long, in seconds, its process may have been frozen.

Another instance may have claimed the run meanwhile. So `asked` reads all newer records before it returns."""

CLAIM_SECONDS = 0.1
"""A sender may put off its claim for this long, in seconds, if no other call has the run's id.

Most small runs end within this time. Then the sender writes the claim at the end, together with the outcome. This saves
CPU time while the run is being sent."""


class Ownership:
    """This instance's claim to one run. While it sends, `asked` says when it must stop."""

    def __init__(
        self,
        claim: str,
        write: Callable[[], Delivery],
        standing: Standing,
        claims: Claims,
        stop: StopRequest,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.claim = claim
        self._write = write
        self._claim_by: float | None = None
        self._standing = standing
        self._claims = claims
        self._stop = stop
        self._clock = clock
        self._looked = clock()
        self.unsure = False
        """True if this instance could not write its claim or read newer ones. Then another may be sending the run."""

    def take(self, request: Request, past: PastReader) -> Past:
        """Claim the run, and return its record.

        Waits until the claim is read back, then up to YIELD_SECONDS for the previous owner to stop. Raises Unavailable
        after PAST_SECONDS.
        """
        deadline = self._clock() + PAST_SECONDS
        self.write(request.run)
        if not self._read_back(deadline - self._clock()):
            raise Unavailable(f"the claim to run {request.run} was not read back in time")
        known = past.read(request.run, request.created, deadline - self._clock())
        give_up = min(deadline, self._clock() + YIELD_SECONDS)
        while self._waits_for_owner(known) and self._clock() < give_up:
            time.sleep(0.1)
            known = past.read(request.run, request.created, deadline - self._clock())
        self._looked = self._clock()
        return known

    def write(self, run: UUID) -> None:
        """Write the claim, and wait until Kafka has taken it. Raises Unavailable after PAST_SECONDS."""
        delivery = self._write()
        if not self._stop.wait(delivery.wait, PAST_SECONDS) or delivery.failures:
            raise Unavailable(f"Kafka did not take the claim to run {run}")

    def claim_later(self) -> None:
        """Put the claim off for CLAIM_SECONDS.

        The next read of `asked` after that time writes the claim. `claim_now` writes it immediately.
        """
        self._claim_by = self._clock() + CLAIM_SECONDS

    def claim_now(self) -> None:
        """Write the claim, unless it is written already or another instance has claimed the run first."""
        if self._claim_by is None or self.superseded:
            return
        self._claim_by = None
        try:
            self._write()
        except ClientError:
            self.unsure = True

    def _read_back(self, seconds: float) -> bool:
        """Wait until the own claim was read back."""
        return self._stop.wait(partial(self._claims.wait_for_claim, self._standing, self.claim), seconds)

    def _waits_for_owner(self, known: Past) -> bool:
        """Return True while the previous owner may still be sending."""
        claims = known.standing.claims
        before = claims[: claims.index(self.claim)] if self.claim in claims else claims
        if not before or known.ended or self._stop.asked or self.superseded:
            return False
        return not known.has_yielded(before[-1])

    @property
    def superseded(self) -> bool:
        """True once another instance has a newer claim."""
        claims = self._standing.claims
        if self._claim_by is not None:
            return bool(claims)
        return self.claim in claims and claims[-1] != self.claim

    @property
    def asked(self) -> bool:
        """True once this instance must stop sending, or cannot be sure that it is still the owner."""
        if self._clock() - self._looked > FROZEN_SECONDS:
            self.unsure = not self._caught_up()
        if self._claim_by is not None and self._clock() >= self._claim_by:
            self.claim_now()
        claims = self._standing.claims
        if claims and self.claim not in claims and not self.superseded:  # read on to learn which claim is newer
            self.unsure = not self._read_back(PAST_SECONDS)
        self._looked = self._clock()
        return self.is_over or self.unsure

    @property
    def is_over(self) -> bool:
        """True if the service stops, or if the records that were read say that this instance must stop sending."""
        is_ended = self._standing.stopped or self._standing.failed is not None
        return self._stop.asked or is_ended or self.superseded

    def _caught_up(self) -> bool:
        """Wait until all current records are read. Give up when the service must stop."""
        give_up = self._clock() + PAST_SECONDS
        while not self._claims.catch_up(1):
            if self._stop.asked or self._clock() >= give_up:
                return False
        return True

    @property
    def overdue(self) -> bool:
        return self._stop.overdue


class Hints:
    """Says when to stop, but does not wait for newer records. That is enough if Kafka fences a previous owner."""

    def __init__(self, ownership: Ownership):
        self._ownership = ownership

    @property
    def asked(self) -> bool:
        return self._ownership.is_over

    @property
    def overdue(self) -> bool:
        return self._ownership.overdue
