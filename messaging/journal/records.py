"""The records of the compacted topic `runs`: their keys and values.

A record's key is run/kind/writer. Kinds: `accepted` (by the API: what was asked for), `stop` (by the API), and the
stages of the run (by the services). The topic has one partition, so that all readers see the same order: of two
requests for one run the first record wins, everywhere.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

from messaging.clients.protocols import Partition, Topic
from messaging.runs.request import Request
from messaging.runs.stage import Stage

RUNS = "runs"
PARTITION = Partition(RUNS, 0)
RETENTION_MS = 7 * 24 * 3600 * 1000

ACCEPTED = "accepted"
STOP = "stop"
SENT = "sent"
STAGES = SENT, "pong_received", "pong_answered", "ping_received"
KINDS = ACCEPTED, STOP, *STAGES


def runs_topic(replicas: int) -> Topic:
    """Return the topic as it is to be created."""
    options = {"cleanup.policy": "compact,delete", "retention.ms": str(RETENTION_MS), "segment.ms": "3600000"}
    return Topic(RUNS, 1, replicas, options)


@dataclass(frozen=True)
class State:
    """The state of a stage at one instance. That of stage `sent` also says what was asked for, and the outcome."""

    stage: Stage
    request: Request | None = None
    outcome: str | None = None
    """Of stage `sent`: sending, sent, failed or stopped."""
    reason: str | None = None

    def encode(self) -> bytes:
        members = self.stage.as_json()
        if self.request:
            members |= _asked(self.request) | {"outcome": self.outcome}
        if self.reason is not None:
            members["reason"] = self.reason
        return json.dumps(members).encode()

    @classmethod
    def decode(cls, run: UUID, kind: str, members: dict[str, Any]) -> Self:
        stage = Stage.from_json(members)
        if kind != SENT:
            return cls(stage)
        return cls(stage, _request(run, members), members["outcome"], members.get("reason"))


@dataclass(frozen=True)
class Record:
    """One record. `content` is None for `stop`, and for a record that was withdrawn."""

    run: UUID
    kind: str
    writer: str
    content: Request | State | None
    withdrawn: bool
    offset: int


def record_key(run: UUID, kind: str, writer: str = "") -> bytes:
    return f"{run}/{kind}/{writer}".encode()


def encode_request(request: Request) -> bytes:
    return json.dumps(_asked(request)).encode()


def encode_stop(time: int) -> bytes:
    return json.dumps({"time": time}).encode()


def decode(key: bytes | None, value: bytes | None, offset: int, kinds: Collection[str] = KINDS) -> Record | None:
    """Return the record, None if it is not of these kinds. Raises Exception, of many types, if it is not ours."""
    if key is None:
        raise ValueError("no key")
    run_id, kind, writer = key.decode().split("/", 2)
    run = UUID(run_id)
    if kind not in KINDS:
        raise ValueError(f"no such kind: {kind}")
    if kind not in kinds:
        return None
    content: Request | State | None = None
    if value is not None:
        members = json.loads(value)
        if kind == ACCEPTED:
            content = _request(run, members)
        elif kind != STOP:
            content = State.decode(run, kind, members)
    return Record(run, kind, writer, content, value is None, offset)


def _asked(request: Request) -> dict[str, object]:
    return {
        "service": request.service,
        "num_messages": request.num_messages,
        "size": request.size,
        "created": request.created,
    }


def _request(run: UUID, members: dict[str, Any]) -> Request:
    return Request(run, members["service"], members["num_messages"], members["size"], members["created"])
