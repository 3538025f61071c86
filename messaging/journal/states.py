"""The records of topic `run-states`: what an instance has seen of one stage of a run.

A record's key is run/stage/state key. Its value is the newest state, which has all counts since the state began. A
process begins a new state, with a new key, when it starts, after an abort, after a pause, and when a state gets too
large or is refused. All records of a run are in one partition.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

from messaging.clients.protocols import Topic
from messaging.journal.requests import OPTIONS
from messaging.runs.request import Request
from messaging.runs.stage import Stage

RUN_STATES = "run-states"

SENT = "sent"
STAGES = SENT, "pong_received", "pong_answered", "ping_received"

KAFKA_PYTHON = "kafka-python"
CONFLUENT_KAFKA = "confluent-kafka"
AT_LEAST_ONCE = "at-least-once"
EXACTLY_ONCE = "exactly-once"

SENDING = "sending"
YIELDED = "yielded"
"""The instance has stopped sending, and another one may go on."""
DONE = "sent"
FAILED = "failed"
STOPPED = "stopped"


def states_topic(partitions: int, replicas: int) -> Topic:
    """Return the topic to create."""
    return Topic(RUN_STATES, partitions, replicas, OPTIONS)


def partition_of(run: UUID, partitions: int) -> int:
    """Return the partition that has the states of a run."""
    return run.int % partitions


@dataclass(frozen=True)
class Sender:
    """The additional part of a state of stage `sent`: the request, the claim, and the outcome."""

    request: Request
    claim: str
    outcome: str
    """SENDING, YIELDED, DONE, FAILED or STOPPED."""
    reason: str | None = None
    seconds: float | None = None
    """How long the sending took, if it is DONE."""
    client: str = KAFKA_PYTHON
    """The Kafka library of the instance."""
    delivery: str = AT_LEAST_ONCE
    start: int | None = None
    """When message 0 of a paced run is due, in microseconds since the epoch."""
    ended: int | None = None
    """When the instance stopped sending, in microseconds since the epoch."""


def start_of(senders: Iterable[Sender]) -> int | None:
    """Return the earliest start that these senders have on record, or None if no sender has one."""
    return min((sender.start for sender in senders if sender.start), default=None)


@dataclass(frozen=True)
class State:
    """The state of a stage at one instance. Only stage `sent` has a `sender`."""

    stage: Stage
    sender: Sender | None = None

    def encode(self) -> bytes:
        members = self.stage.as_json()
        if self.sender:
            members |= self.sender.request.as_json() | {
                "claim": self.sender.claim,
                "outcome": self.sender.outcome,
                "reason": self.sender.reason,
                "seconds": self.sender.seconds,
                "client": self.sender.client,
                "delivery": self.sender.delivery,
                "start": self.sender.start,
                "ended": self.sender.ended,
            }
        return json.dumps(members).encode()

    @classmethod
    def decode(cls, run: UUID, stage: str, value: bytes) -> Self:
        """For a foreign value, raises an exception of any type."""
        members: Mapping[str, Any] = {"start": None, "ended": None, **json.loads(value)}  # older records lack these two
        state = Stage.from_json(members)
        if stage != SENT:
            return cls(state)
        names = "claim", "outcome", "reason", "seconds", "client", "delivery", "start", "ended"
        return cls(state, Sender(Request.from_json(run, members), *(members[name] for name in names)))


def state_key(run: UUID, stage: str, key: str) -> bytes:
    return f"{run}/{stage}/{key}".encode()


def parse_key(key: bytes | None) -> tuple[UUID, str, str]:
    """Return run, stage and state key. If another program wrote the key, raises an exception of any type."""
    if key is None:
        raise ValueError("no key")
    run, stage, own = key.decode().split("/", 2)
    if stage not in STAGES:
        raise ValueError(f"no such stage: {stage}")
    return UUID(run), stage, own


def decode_state(key: bytes, value: bytes) -> tuple[UUID, str, str, State]:
    """Return run, stage, state key and state. For a foreign record, raises an exception of any type."""
    run, stage, own = parse_key(key)
    return run, stage, own, State.decode(run, stage, value)


def instance_of(key: str) -> str:
    """Return host:pid of the process that wrote the state with this key."""
    return key.partition("/")[0]
