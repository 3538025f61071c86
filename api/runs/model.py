"""A run as its records tell it. Pure: no Kafka, no HTTP, no threads. Times are in microseconds since the epoch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from pyroaring import BitMap

from messaging.journal.records import ACCEPTED, SENT, STOP, Record, State
from messaging.runs.request import Request
from messaging.runs.stage import union
from messaging.runs.summary import StageSummary, iso, summarize

STAGES = {
    "ping": (SENT, "pong_received", "pong_answered", "ping_received"),
    "pong": (SENT, "ping_received"),
}
"""The stages that a message passes, by the service that sends it."""


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
    """Why it has failed or was stopped."""
    stalled: str | None
    """The stage that waits, if nothing has happened for a while."""
    last_change: int
    version: int
    """Grows with each record of the run, and is the same at every API process."""

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
            "created": iso(self.request.created),
            "finished": iso(self.last_change) if self.is_over else None,
            "stalled": self.stalled,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class RunView(RunSummary):
    """A run at one moment, with what each stage has seen of it."""

    stages: Mapping[str, StageSummary]

    @property
    def has_arrived(self) -> bool:
        """True if every stage has seen all messages that were sent."""
        return not any(stage.missing for name, stage in self.stages.items() if name != SENT)

    def as_json(self) -> dict[str, object]:
        return super().as_json() | {"stages": {name: stage.as_json() for name, stage in self.stages.items()}}


@dataclass(eq=False)
class Run:
    """A run, built from its records. `apply` takes them in their order."""

    id: UUID
    asked: Request | None = None
    """The request for it, None until a record has it."""
    accepted_by: str | None = None
    """The token of the first request with this id. Only that request is carried out."""
    withdrawn: bool = False
    """True if its request could not be handed over, so that nobody carries it out."""
    stop_asked: bool = False
    states: dict[str, dict[str, State]] = field(default_factory=dict)
    """By stage and writer."""
    version: int = 0
    _outcome: tuple[RunState, str | None] | None = None

    def apply(self, record: Record) -> None:
        if record.kind == ACCEPTED:
            self._apply_accepted(record)
        elif record.kind == STOP:
            self.stop_asked = True
        elif isinstance(record.content, State):
            self.states.setdefault(record.kind, {})[record.writer] = record.content
            self.asked = self.asked or record.content.request  # a service may be called without the API
        self.version = record.offset
        self._outcome = None

    def _apply_accepted(self, record: Record) -> None:
        if isinstance(record.content, Request) and self.accepted_by is None:
            self.asked = self.asked or record.content
            self.accepted_by = record.writer
        elif record.withdrawn and self.accepted_by == record.writer:
            self.withdrawn = True

    @property
    def request(self) -> Request:
        """The request for it. Raises LookupError before a record has it."""
        if self.asked is None:
            raise LookupError(f"no record has the request for run {self.id}")
        return self.asked

    @property
    def last_change(self) -> int:
        """When the newest thing happened to it."""
        times = [state.stage.last or 0 for states in self.states.values() for state in states.values()]
        return max([self.request.created, *times])

    @property
    def is_over(self) -> bool:
        return self.state()[0] in FINAL

    def is_stalled(self, now: int, seconds: float) -> bool:
        """Return True if it is not over, and nothing has happened to it for this long."""
        return not self.is_over and now - self.last_change > seconds * 1e6

    def state(self) -> tuple[RunState, str | None]:
        """Return its state, and the reason if it has failed or was stopped."""
        if self._outcome is None:
            self._outcome = self._find_state()
        return self._outcome

    def _find_state(self) -> tuple[RunState, str | None]:
        sent = sorted(self.states.get(SENT, {}).values(), key=lambda state: state.stage.last or 0)
        newest = {state.outcome: state for state in sent}
        if "sent" in newest:
            return (RunState.BOUNCING if self._waiting_stage() else RunState.DONE), None
        for outcome in RunState.FAILED, RunState.STOPPED:
            if outcome in newest:
                return outcome, newest[outcome].reason
        if newest:
            return RunState.SENDING, None
        return (RunState.STOPPED, "stopped before it began") if self.stop_asked else (RunState.ACCEPTED, None)

    def summary(self, now: int, stalled_after: float) -> RunSummary:
        """Return the run as it is now. `stalled_after` is in seconds."""
        state, reason = self.state()
        stalled = self._waiting_stage() if self.is_stalled(now, stalled_after) else None
        return RunSummary(self.request, state, reason, stalled, self.last_change, self.version)

    def view(self, now: int, stalled_after: float) -> RunView:
        """As `summary`, with the stages."""
        sent = self._numbers(SENT)
        stages = {}
        for name in STAGES[self.request.service]:
            states = [(_instance(writer), state.stage) for writer, state in self.states.get(name, {}).items()]
            stages[name] = summarize(states, None if name == SENT else sent, self.request.num_messages)
        return RunView(**vars(self.summary(now, stalled_after)), stages=stages)

    def _waiting_stage(self) -> str | None:
        """Return the first stage that has not seen all messages, None if all have."""
        stages = STAGES[self.request.service]
        return next((name for name in stages if len(self._numbers(name)) < self.request.num_messages), None)

    def _numbers(self, stage: str) -> BitMap:
        return union(state.stage for state in self.states.get(stage, {}).values())


def _instance(writer: str) -> str:
    """Return host:pid of the process that wrote a record."""
    return writer.partition("/")[0]
