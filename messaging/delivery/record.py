"""What the sender needs of the record of runs."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from pyroaring import BitMap

from messaging.clients.protocols import Delivery
from messaging.delivery.ownership import Claims, PastReader
from messaging.runs.request import Request
from messaging.runs.sending import Acknowledged


class Writer(Protocol):
    """Where the sending of a run is put on record."""

    @property
    def process(self) -> str: ...
    def begin(self, request: Request, claim: str) -> None: ...
    def sent(self, run: UUID, block: Acknowledged) -> None: ...
    def end(
        self,
        run: UUID,
        outcome: str,
        reason: str | None = None,
        failed: BitMap | None = None,
        seconds: float | None = None,
    ) -> None: ...
    def keep_up(self, run: UUID, most: int) -> bool: ...
    def flush(self, seconds: float, run: UUID | None = None) -> bool: ...


class Requests(Protocol):
    def claim(self, request: Request, writer: str) -> Delivery: ...


@dataclass(frozen=True)
class Journal:
    """Everything that the sender needs."""

    writer: Writer
    requests: Requests
    claims: Claims
    past: PastReader
