"""Writes topic `run-requests`."""

from collections.abc import Callable
from uuid import UUID

from messaging.clients.protocols import Delivery, Producer
from messaging.journal import requests
from messaging.journal.requests import PARTITION, RUN_REQUESTS, RequestRecord
from messaging.runs.request import Request


class RequestsWriter:
    """Each call hands one record over. It raises Unavailable if not even that is possible."""

    def __init__(self, producer: Callable[[], Producer]):
        self._producer = producer

    def accept(self, request: Request, writer: str) -> Delivery:
        return self._write(RequestRecord(request.run, requests.ACCEPTED, writer, request))

    def queued(self, run: UUID) -> Delivery:
        return self._write(RequestRecord(run, requests.QUEUED))

    def claim(self, request: Request, writer: str) -> Delivery:
        return self._write(RequestRecord(request.run, requests.CLAIM, writer, request))

    def stop(self, run: UUID) -> Delivery:
        return self._write(RequestRecord(run, requests.STOP))

    def failed(self, run: UUID, reason: str) -> Delivery:
        return self._write(RequestRecord(run, requests.FAILED, reason=reason))

    def incomplete(self, run: UUID, reason: str) -> Delivery:
        return self._write(RequestRecord(run, requests.INCOMPLETE, reason=reason))

    def _write(self, record: RequestRecord) -> Delivery:
        return self._producer().send(RUN_REQUESTS, [record.key], [record.value], [PARTITION.number])
