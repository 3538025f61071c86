"""The part of the journal that the sender needs."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from pyroaring import BitMap

from messaging.clients.protocols import Delivery
from messaging.delivery.backpressure import Record
from messaging.delivery.ownership import Claims, PastReader
from messaging.runs.request import Request
from messaging.runs.sending import Acknowledged


class Writer(Record, Protocol):
    """Puts the sending of a run on record."""

    @property
    def process(self) -> str: ...
    def begin(self, request: Request, claim: str, start: int | None = None) -> None: ...
    def sent(self, run: UUID, block: Acknowledged) -> None: ...
    def end(
        self,
        run: UUID,
        outcome: str,
        reason: str | None = None,
        failed: BitMap | None = None,
        seconds: float | None = None,
    ) -> None: ...


class Requests(Protocol):
    def claim(self, request: Request, writer: str) -> Delivery: ...


@dataclass(frozen=True)
class Journal:
    """Everything that the sender needs."""

    writer: Writer
    requests: Requests
    claims: Claims
    past: PastReader
