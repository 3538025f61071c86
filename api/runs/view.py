"""A run at one moment, as the API shows it. Times are in microseconds since the epoch."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from messaging.journal.states import SENT
from messaging.runs.request import Request
from messaging.runs.summary import StageSummary, iso


class RunState(StrEnum):
    ACCEPTED = "accepted"
    SENDING = "sending"
    BOUNCING = "bouncing"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"


FINAL = frozenset({RunState.DONE, RunState.FAILED, RunState.STOPPED})


@dataclass(frozen=True)
class RunSummary:
    """A run at one moment, without its stages."""

    request: Request
    state: RunState
    reason: str | None
    """Why the run has failed or was stopped."""
    stalled: str | None
    """The first stage that has not seen all messages. None if the run is not stalled."""
    last_change: int
    finished: int
    """When the run was over. Means nothing before."""
    client: str
    """The Kafka library of the sending service."""
    delivery: str
    version: int
    """Each record of the run increases the version. API processes with the same records have the same version."""

    @property
    def is_over(self) -> bool:
        return self.state in FINAL

    def as_json(self) -> dict[str, object]:
        return {
            "id": str(self.request.run),
            "state": self.state,
            "service": self.request.service,
            "num_messages": self.request.num_messages,
            "size": self.request.size,
            "rate": self.request.rate,
            "created": iso(self.request.created),
            "finished": iso(self.finished) if self.is_over else None,
            "stalled": self.stalled,
            "reason": self.reason,
            "client": self.client,
            "delivery": self.delivery,
        }


@dataclass(frozen=True)
class RunView(RunSummary):
    """A run at one moment, with its stages."""

    stages: Mapping[str, StageSummary]
    behind_seconds: float | None
    """How far the sending of a paced run is behind its schedule. None if the run is not paced."""

    @property
    def has_arrived(self) -> bool:
        """True if every stage has seen all messages that were sent."""
        return not any(stage.missing for name, stage in self.stages.items() if name != SENT)

    def as_json(self) -> dict[str, object]:
        stages = {name: stage.as_json() for name, stage in self.stages.items()}
        if self.behind_seconds is not None:
            stages[SENT]["behind_seconds"] = self.behind_seconds
        return super().as_json() | {"stages": stages}


class Stall(NamedTuple):
    """A run that is not over and has not changed for a while."""

    run: UUID
    service: str
    state: RunState
    is_under_way: bool
    is_on_disk: bool
    """True if a record says that RabbitMQ has the call on disk."""
    seconds: float
    """How many seconds ago the newest change was."""
    stage: str | None
    """The first stage that has not seen all messages."""
    missing: int
    """How many messages `stage` has not seen."""
