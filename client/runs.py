"""A run as the API describes it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

OVER = "done", "failed", "stopped"


@dataclass(frozen=True)
class Stage:
    """A stage of a run."""

    messages: int
    distinct: int
    duplicates: int
    missing: int
    failed: int
    """How many messages Kafka did not acknowledge."""
    byte_rate: float | None
    """In MB/s (10^6 bytes)."""
    message_rate: float | None
    latency_ms: Mapping[str, float]
    """Latencies in ms, by percentile. Empty before the first message."""
    behind_seconds: float = 0.0
    """How far the sending of a paced run is behind its schedule, in seconds. Only in stage `sent`."""

    @classmethod
    def from_json(cls, members: Mapping[str, Any]) -> Self:
        return cls(
            messages=members["messages"],
            distinct=members["distinct"],
            duplicates=members["duplicates"],
            missing=members["missing"],
            failed=members["failed"],
            byte_rate=members["byte_rate"],
            message_rate=members["message_rate"],
            latency_ms=members["latency_ms"] or {},
            behind_seconds=members.get("behind_seconds", 0.0),
        )


@dataclass(frozen=True)
class Run:
    """A run at one moment."""

    id: str
    state: str
    reason: str | None
    stalled: str | None
    """The stage that waits for messages, if the run is stalled."""
    service: str
    num_messages: int
    size: int
    rate: int | None
    """Messages per second of a paced run."""
    created: datetime
    finished: datetime | None
    delivery: str
    """What the services promise: "at-least-once" or "exactly-once"."""
    stages: Mapping[str, Stage]
    json: Mapping[str, Any]
    """The complete JSON of the run, as the API returned it."""

    @classmethod
    def from_json(cls, members: Mapping[str, Any]) -> Self:
        return cls(
            id=members["id"],
            state=members["state"],
            reason=members["reason"],
            stalled=members["stalled"],
            service=members["service"],
            num_messages=members["num_messages"],
            size=members["size"],
            rate=members["rate"],
            created=datetime.fromisoformat(members["created"]),
            finished=datetime.fromisoformat(members["finished"]) if members["finished"] else None,
            delivery=members["delivery"],
            stages={name: Stage.from_json(stage) for name, stage in members["stages"].items()},
            json=members,
        )

    @property
    def is_over(self) -> bool:
        return self.state in OVER

    @property
    def lost(self) -> int:
        """The largest `missing` of all stages except `sent`."""
        return max(stage.missing for name, stage in self.stages.items() if name != "sent")

    @property
    def is_complete(self) -> bool:
        return self.state == "done" and not self.lost
