"""The records of topic `run-requests`: what each run asks for, who sends it, and if it was stopped.

A record's key is run/kind/writer. The topic has one partition, so all readers see the same order. The order decides: of
two requests for one run, the first one counts. Of two claims, the last one counts. No record is ever withdrawn.
"""

import json
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from messaging.clients.protocols import Partition, Topic
from messaging.runs.request import Request

RUN_REQUESTS = "run-requests"
PARTITION = Partition(RUN_REQUESTS, 0)
RETENTION_MS = 7 * 24 * 3600 * 1000
OPTIONS = {"cleanup.policy": "compact,delete", "retention.ms": str(RETENTION_MS), "segment.ms": "3600000"}

ACCEPTED = "accepted"
"""The API has taken a request."""
QUEUED = "queued"
"""RabbitMQ has confirmed the call."""
CLAIM = "claim"
"""An instance sends the run from now on, instead of the previous owner."""
STOP = "stop"
"""A user wants the sending to end."""
FAILED = "failed"
"""The call could not be queued. This record counts only if the run was neither queued nor claimed before."""
INCOMPLETE = "incomplete"
"""Messages are missing, and nothing is under way any more."""
IN_MEMORY = "memory "
"""Field `writer` of a QUEUED record begins with this if RabbitMQ has the call only in memory.

A restart of RabbitMQ then loses the call."""
KINDS = ACCEPTED, QUEUED, CLAIM, STOP, FAILED, INCOMPLETE


def requests_topic(replicas: int) -> Topic:
    """Return the topic to create."""
    return Topic(RUN_REQUESTS, 1, replicas, OPTIONS)


@dataclass(frozen=True)
class RequestRecord:
    """One record. ACCEPTED and CLAIM have a request, FAILED and INCOMPLETE a reason."""

    run: UUID
    kind: str
    writer: str = ""
    request: Request | None = None
    reason: str | None = None
    offset: int = -1
    time: int = field(default_factory=lambda: time.time_ns() // 1000, compare=False)
    """When the record was made, in microseconds since the epoch."""

    @property
    def key(self) -> bytes:
        return f"{self.run}/{self.kind}/{self.writer}".encode()

    @property
    def value(self) -> bytes:
        members: dict[str, object] = {"time": self.time}
        if self.request:
            members |= self.request.as_json()
        if self.reason is not None:
            members["reason"] = self.reason
        return json.dumps(members).encode()


def decode(key: bytes | None, value: bytes | None, offset: int) -> RequestRecord:
    """Return the record. For a foreign record, raises an exception of any type."""
    if key is None or value is None:
        raise ValueError("no key or no value")
    run_id, kind, writer = key.decode().split("/", 2)
    run = UUID(run_id)
    if kind not in KINDS:
        raise ValueError(f"no such kind: {kind}")
    members: dict[str, Any] = json.loads(value)
    request = Request.from_json(run, members) if kind in (ACCEPTED, CLAIM) else None
    reason = str(members["reason"]) if kind in (FAILED, INCOMPLETE) else None
    return RequestRecord(run, kind, writer, request, reason, offset, int(members["time"]))


@dataclass
class Standing:
    """All that topic `run-requests` says about one run so far. The caller applies the records in their order."""

    request: Request | None = None
    accepted_by: str | None = None
    """The writer of the first record that has a request. If several requests have one id, only the first one counts.

    This record may be a CLAIM, if the API did not put the run on record before it called the service."""
    queued: bool = False
    on_disk: bool = False
    """True if RabbitMQ has the call on disk."""
    failed: str | None = None
    """Why the run will never be sent."""
    stopped: bool = False
    incomplete: str | None = None
    ended: int = 0
    """The time of the newest record that says `stopped`, `failed` or `incomplete`."""
    claims: list[str] = field(default_factory=list)
    """The writers of the claims, the newest last."""

    def apply(self, record: RequestRecord) -> None:
        """Take in the next record of the run."""
        if record.kind in (ACCEPTED, CLAIM) and self.accepted_by is None:
            self.accepted_by, self.request = record.writer, record.request
        if record.kind == QUEUED:
            self.queued = True
            self.on_disk |= not record.writer.startswith(IN_MEMORY)
        elif record.kind == CLAIM and record.writer not in self.claims:  # a producer that retries may write it twice
            self.claims.append(record.writer)
        elif record.kind == STOP:
            self.stopped, self.ended = True, record.time
        elif record.kind == FAILED and not self.queued and not self.claims:
            self.failed, self.ended = self.failed or record.reason, record.time
        elif record.kind == INCOMPLETE:
            self.incomplete, self.ended = record.reason, record.time

    @property
    def under_way(self) -> bool:
        """True once RabbitMQ or an instance has the run."""
        return self.queued or bool(self.claims)
