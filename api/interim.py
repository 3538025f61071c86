"""Stands in for messaging.runs, messaging.journal and messaging.settings until these exist. Then it is deleted."""

import json
from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self
from uuid import UUID

from pyroaring import BitMap

from messaging import config, limits, stage
from messaging.runs_topic import RUNS, record_key

__all__ = ["RUNS", "record_key"]

ACCEPTED = "accepted"
STOP = "stop"
SENT = "sent"


@dataclass(frozen=True)
class Settings:
    amqp_uri: str
    max_messages: int
    max_size: int
    max_bytes: int
    request_timeout: int
    runs_pending: int
    runs_kept: int
    run_stalled: int
    config: dict[str, Any]


def load() -> Settings:
    loaded = config.load()
    names = ["AMQP_URI", "MAX_MESSAGES", "MAX_SIZE", "MAX_BYTES"]
    names += ["REQUEST_TIMEOUT", "RUNS_PENDING", "RUNS_KEPT", "RUN_STALLED"]
    return Settings(**{name.lower(): loaded[name] for name in names}, config=loaded)


def check_limits(num_messages: int, size: int, settings: Settings) -> None:
    limits.check_run(num_messages, size, {name.upper(): value for name, value in vars(settings).items()})


@dataclass(frozen=True)
class Request:
    run: UUID
    service: str
    num_messages: int
    size: int
    created: int


@dataclass
class Stage:
    messages: int = 0
    bytes: int = 0
    failed: int = 0
    first: int | None = None
    last: int | None = None
    numbers: BitMap | None = None
    members: dict[str, Any] | None = None

    @classmethod
    def from_json(cls, members: dict[str, Any]) -> Self:
        return cls(
            members["messages"],
            members["bytes"],
            members["failed"],
            members["first"],
            members["last"],
            BitMap.deserialize(b64decode(members["numbers"])),
            members,
        )


def union(stages: Iterable[Stage]) -> BitMap:
    return BitMap.union(BitMap(), *(one.numbers for one in stages if one.numbers))


@dataclass(frozen=True)
class State:
    stage: Stage
    request: Request | None = None
    outcome: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Record:
    run: UUID
    kind: str
    writer: str
    content: Request | State | None
    withdrawn: bool
    offset: int


def record(run: UUID, kind: str, writer: str, members: dict[str, Any] | None, offset: int) -> Record:
    content: Request | State | None = None
    if members is not None and kind == ACCEPTED:
        content = _request(run, members)
    elif members is not None and kind != STOP:
        seen = Stage.from_json(members)
        if kind == SENT:
            content = State(seen, _request(run, members), members["outcome"], members.get("reason"))
        else:
            content = State(seen)
    return Record(run, kind, writer, content, members is None, offset)


def _request(run: UUID, members: dict[str, Any]) -> Request:
    return Request(run, members["service"], members["num_messages"], members["size"], members["created"])


def encode_request(request: Request) -> bytes:
    members = asdict(request)
    del members["run"]
    return json.dumps(members).encode()


def encode_stop(time: int) -> bytes:
    return json.dumps({"time": time}).encode()


@dataclass(frozen=True)
class StageSummary:
    messages: int
    distinct: int
    duplicates: int
    missing: int
    failed: int
    bytes: int
    first: str | None
    last: str | None
    message_rate: float | None
    byte_rate: float | None
    latency_ms: Mapping[str, float] | None
    partitions: Mapping[str, int]
    instances: Mapping[str, int]

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def summarize(states: Sequence[tuple[str, Stage]], sent: BitMap | None, expected: int) -> StageSummary:
    dicts = [(one.members or {}) | {"instance": instance} for instance, one in states]
    return StageSummary(**stage.merge(dicts, sent, expected))


def iso(microseconds: int | None) -> str | None:
    return stage.iso(microseconds)
