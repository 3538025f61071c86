"""Writes topic `run-requests`.

Compaction keeps only the newest record of a key. So a record whose place in the topic matters needs a unique key.
"""

from collections.abc import Callable
from uuid import UUID, uuid4

from messaging.clients.protocols import Delivery, Producer
from messaging.journal import requests
from messaging.journal.requests import PARTITION, RUN_REQUESTS, RequestRecord
from messaging.runs.request import Request


class RequestsWriter:
    """Each method hands one record to the Kafka client. Raises Unavailable if the client cannot take the record."""

    def __init__(self, producer: Callable[[], Producer]):
        self._producer = producer

    def accept(self, request: Request, writer: str) -> Delivery:
        return self._write(RequestRecord(request.run, requests.ACCEPTED, writer, request))

    def queued(self, run: UUID, on_disk: bool) -> Delivery:
        return self._write(RequestRecord(run, requests.QUEUED, f"{'' if on_disk else requests.IN_MEMORY}{uuid4()}"))

    def claim(self, request: Request, writer: str) -> Delivery:
        return self._write(RequestRecord(request.run, requests.CLAIM, writer, request))

    def stop(self, run: UUID) -> Delivery:
        return self._write(RequestRecord(run, requests.STOP))

    def failed(self, run: UUID, reason: str) -> Delivery:
        return self._write(RequestRecord(run, requests.FAILED, str(uuid4()), reason=reason))

    def incomplete(self, run: UUID, reason: str) -> Delivery:
        return self._write(RequestRecord(run, requests.INCOMPLETE, reason=reason))

    def _write(self, record: RequestRecord) -> Delivery:
        return self._producer().send(RUN_REQUESTS, [record.key], [record.value], [PARTITION.number])
