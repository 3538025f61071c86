"""A run, as its records describe it. Pure: no Kafka, no HTTP, no threads. Times are in microseconds since the epoch."""

from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from pyroaring import BitMap

from api.runs.view import FINAL, RunState, RunSummary, RunView, Stall
from messaging.journal.requests import RequestRecord, Standing
from messaging.journal.states import (
    AT_LEAST_ONCE,
    DONE,
    FAILED,
    KAFKA_PYTHON,
    SENT,
    STOPPED,
    Sender,
    State,
    instance_of,
    start_of,
)
from messaging.runs.request import Request
from messaging.runs.schedule import Schedule
from messaging.runs.stage import not_taken, union
from messaging.runs.summary import summarize

STAGES = {
    "ping": (SENT, "pong_received", "pong_answered", "ping_received"),
    "pong": (SENT, "ping_received"),
}
"""The stages that a message passes. The key is the service that sends the message."""

RECORD_SECONDS = 1
"""A message that was sent is usually on record after this many seconds."""


class Manner(NamedTuple):
    """The Kafka library and the delivery of a run."""

    client: str = KAFKA_PYTHON
    delivery: str = AT_LEAST_ONCE


@dataclass(eq=False)
class Run:
    """A run, built from its records. `apply_request` and `apply_state` take the records of their topic in order."""

    id: UUID
    standing: Standing = field(default_factory=Standing)
    states: dict[str, dict[str, State]] = field(default_factory=dict)
    """The newest states. The outer key is the stage, the inner key is the state key."""
    manner: Manner = field(default_factory=Manner)
    """The API's settings. If the run has a sender, `summary` uses the values of the sender instead."""
    asked: Request | None = None
    """The request for the run. None until a record contains it."""
    _offsets: list[int] = field(default_factory=lambda: [0, 0])
    _numbers: dict[str, BitMap] = field(default_factory=dict)
    """A cache of the numbers that each stage has seen. A change of a stage removes its numbers."""
    _outcome: tuple[RunState, str | None] | None = None

    @property
    def version(self) -> int:
        return sum(self._offsets)

    def apply_request(self, record: RequestRecord) -> None:
        """Take in a record of topic `run-requests`."""
        self.standing.apply(record)
        self.asked = self.asked or self.standing.request
        self._offsets[0] = record.offset + 1
        self._outcome = None

    def apply_state(self, stage: str, key: str, state: State, offset: int) -> None:
        """Take in a record of topic `run-states`."""
        self.states.setdefault(stage, {})[key] = state
        if state.sender:
            self.asked = self.asked or state.sender.request
        self._numbers.pop(stage, None)
        self._offsets[1] = offset + 1
        self._outcome = None

    @property
    def request(self) -> Request:
        """The request for the run. Raises LookupError until a record contains it."""
        if self.asked is None:
            raise LookupError(f"no record has the request for run {self.id}")
        return self.asked

    @property
    def last_change(self) -> int:
        """When the run changed last."""
        times = [state.stage.last or 0 for states in self.states.values() for state in states.values()]
        return max([self.request.created, *times])

    @property
    def finished(self) -> int:
        """When the run was over. For a `done` run, this is when its last message reached a stage."""
        if self.state()[0] is RunState.DONE:
            return self.last_change
        return max(self.last_change, self.standing.ended, *(sender.ended or 0 for sender in self._senders()))

    @property
    def is_over(self) -> bool:
        return self.state()[0] in FINAL

    @property
    def has_begun(self) -> bool:
        """True once an instance sends the run, or has sent it."""
        return bool(self.states)

    def is_stalled(self, now: int, seconds: float) -> bool:
        """Return True if the run is not over, and has not changed for this long."""
        return not self.is_over and now - self.last_change > seconds * 1e6

    def state(self) -> tuple[RunState, str | None]:
        """Return the state of the run, and the reason if it has failed or was stopped."""
        if self._outcome is None:
            self._outcome = self._find_state()
        return self._outcome

    def _find_state(self) -> tuple[RunState, str | None]:
        senders = self._senders()
        outcomes = {sender.outcome: sender for sender in senders}
        if DONE in outcomes:
            return self._find_arrival()
        if self.standing.failed is not None:
            return RunState.FAILED, self.standing.failed
        if FAILED in outcomes:
            return RunState.FAILED, outcomes[FAILED].reason
        if STOPPED in outcomes:
            return RunState.STOPPED, outcomes[STOPPED].reason
        if self.standing.incomplete:
            return RunState.FAILED, self.standing.incomplete
        if senders:
            return RunState.SENDING, None
        return (RunState.STOPPED, "stopped before it began") if self.standing.stopped else (RunState.ACCEPTED, None)

    def _find_arrival(self) -> tuple[RunState, str | None]:
        """Return the state of a run whose messages were all sent."""
        waiting = self.waiting_stage()
        if waiting is None:
            return RunState.DONE, None
        refused = {name: self._refused(name) for name in STAGES[self.request.service] if self._refused(name)}
        last = STAGES[self.request.service][-1]
        if refused and len(self.numbers(last)) + sum(refused.values()) >= self.request.num_messages:
            stage, count = next(iter(refused.items()))
            return RunState.FAILED, f"Kafka refused messages at {stage}: {count}; see the log of {stage.split('_')[0]}"
        if self.standing.incomplete:
            return RunState.FAILED, self.standing.incomplete
        return RunState.BOUNCING, None

    def _senders(self) -> list[Sender]:
        """Return the senders of stage `sent`. The sender with the newest state is the last."""
        states = sorted(self.states.get(SENT, {}).values(), key=lambda state: state.stage.last or 0)
        return [state.sender for state in states if state.sender]

    def _refused(self, stage: str) -> int:
        """Return how many messages Kafka has refused at this stage.

        A message does not count if Kafka has taken it from another instance.
        """
        return len(not_taken(state.stage for state in self.states.get(stage, {}).values()))

    def _missing(self, stage: str) -> int:
        return self.request.num_messages - len(self.numbers(stage))

    def stall(self, now: int) -> Stall:
        """Return the details of a stalled run."""
        stage = self.waiting_stage()
        is_under_way = self.standing.under_way or self.has_begun
        seconds = (now - self.last_change) / 1e6
        missing = self._missing(stage) if stage else 0
        return Stall(
            self.id, self.request.service, self.state()[0], is_under_way, self.standing.on_disk, seconds, stage, missing
        )

    def summary(self, now: int, stalled_after: float) -> RunSummary:
        """Return the run as it is now. `stalled_after` is in seconds."""
        state, reason = self.state()
        stalled = self.waiting_stage() if self.is_stalled(now, stalled_after) else None
        sender = next(iter(self._senders()), None)
        manner = Manner(sender.client, sender.delivery) if sender else self.manner
        return RunSummary(self.request, state, reason, stalled, self.last_change, self.finished, *manner, self.version)

    def view(self, now: int, stalled_after: float) -> RunView:
        """Return the values of `summary`, the stages, and the delay of a paced run."""
        sent = self.numbers(SENT)
        stages = {}
        for name in STAGES[self.request.service]:
            states = [(instance_of(key), state.stage) for key, state in self.states.get(name, {}).items()]
            stages[name] = summarize(states, None if name == SENT else sent, self.request.num_messages)
        summary = self.summary(now, stalled_after)
        return RunView(**vars(summary), stages=stages, behind_seconds=self._behind_seconds(now))

    def _behind_seconds(self, now: int) -> float | None:
        """Return the delay of the newest message, in seconds.

        While the run is `sending`, the next message may be late too. If the delay of the next message is over
        RECORD_SECONDS, return the longer of the two delays.
        """
        if self.request.rate is None:
            return None
        start = start_of(self._senders())
        if start is None:
            return 0.0
        schedule, sent = Schedule(self.request.rate, start), self.numbers(SENT)
        last = max(state.stage.last or 0 for state in self.states[SENT].values())
        behind = schedule.behind(sent.max(), last) if sent else 0.0
        overdue = schedule.behind(len(sent), now) if self.state()[0] == RunState.SENDING else 0.0
        return max(behind, overdue) if overdue > RECORD_SECONDS else behind

    def waiting_stage(self) -> str | None:
        """Return the first stage that has not seen all messages. None if all stages have."""
        return next((name for name in STAGES[self.request.service] if self._missing(name) > 0), None)

    def numbers(self, stage: str) -> BitMap:
        """Return the numbers of the messages that a stage has seen."""
        if stage not in self._numbers:
            self._numbers[stage] = union(state.stage for state in self.states.get(stage, {}).values())
        return self._numbers[stage]
