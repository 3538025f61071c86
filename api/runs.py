"""All runs as this process knows them: read from the topic `runs`, merged when asked for.

Every API process reads the whole topic, so each one knows every run, also after all of them were started anew.
"""

import json
import os
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from kafka import KafkaProducer
from kafka.errors import KafkaError

from api.problems import Problem
from messaging.lifecycle import Stopping
from messaging.runs_topic import ASKED, RUNS, TopicReader, ensure_runs_topic, record_key
from messaging.stage import iso, merge, numbers_of
from messaging.topics import TooFewBrokers

STAGES = {
    "ping": ("sent", "pong_received", "pong_answered", "ping_received"),
    "pong": ("sent", "ping_received"),
}
FINAL = "done", "failed", "stopped"
KAFKA_SECONDS = 4
"""How long a request waits for Kafka to take a record, or for this process to have read what is there."""

BEHIND_SECONDS = 1
"""How long one API process may be behind another in reading."""


@dataclass
class Run:
    """What is on record of a run. Times are in microseconds since the epoch."""

    id: UUID
    accepted: dict | None = None
    owner: str | None = None
    """Who accepted it first: of two requests under one id only that one is carried out."""
    stop: bool = False
    states: dict[str, dict[str, dict]] = field(default_factory=dict)  # by stage and writer
    version: int = 0  # offset of the newest record
    finished: bool = False

    @property
    def service(self) -> str:
        return self.accepted["service"]

    def state(self) -> tuple[str, str | None]:
        """Its state, and the reason where it has failed or was stopped."""
        sent = self.states.get("sent", {}).values()
        outcomes = {state.get("outcome"): state for state in sorted(sent, key=lambda state: state["last"] or 0)}
        if "sent" in outcomes:
            return ("bouncing" if self._waiting_stage() else "done"), None
        for outcome in "failed", "stopped":
            if outcome in outcomes:
                return outcome, outcomes[outcome].get("reason")
        if outcomes:
            return "sending", None
        return ("stopped", "stopped before it began") if self.stop else ("accepted", None)

    @property
    def last(self) -> int:
        """When the newest thing happened to it."""
        times = [state["last"] or 0 for states in self.states.values() for state in states.values()]
        return max([self.accepted["created"], *times])

    def view(self, stalled_after: float) -> dict:
        """The run as GET /runs/ID gives it. After `stalled_after` seconds without progress it says so."""
        sent = numbers_of(self.states.get("sent", {}).values())
        stages = {}
        for name in STAGES[self.service]:
            states = [state | {"instance": _process(key)} for key, state in self.states.get(name, {}).items()]
            expected = None if name == "sent" else sent
            stages[name] = merge(states, expected, self.accepted["num_messages"])
        return self.summary(stalled_after) | {"stages": stages}

    def summary(self, stalled_after: float) -> dict:
        """As `view`, without the stages."""
        state, reason = self.state()
        ended = state in FINAL
        stalled = not ended and time.time() - self.last / 1e6 > stalled_after
        return {
            "id": str(self.id),
            "state": state,
            "service": self.service,
            "num_messages": self.accepted["num_messages"],
            "size": self.accepted["size"],
            "created": iso(self.accepted["created"]),
            "finished": iso(self.last) if ended else None,
            "stalled": self._waiting_stage() if stalled else None,
            "reason": reason,
        }

    def _waiting_stage(self) -> str | None:
        """The first stage that has not seen all messages, if there is one."""
        for name in STAGES[self.service]:
            if len(numbers_of(self.states.get(name, {}).values())) < self.accepted["num_messages"]:
                return name
        return None


class Runs:
    """The runs of one API process. Begins to read with `warm_up`, or when it is first asked."""

    def __init__(self, config: dict):
        self._config = config
        self._runs: dict[UUID, Run] = {}
        self._strangers: dict[UUID, Run] = {}  # some stage was here, and nobody has said yet what was asked for
        self._changed = threading.Condition()
        self._reader = TopicReader(config, self._apply)
        self._producer: KafkaProducer | None = None
        self._starting = threading.Lock()
        self._writer = f"{socket.gethostname()}:{os.getpid()}"

    def warm_up(self) -> None:
        """Begin to connect and read, in the background, so that the first request need not wait for that."""
        threading.Thread(target=self._warm_up, name="warm up", daemon=True).start()

    def _warm_up(self) -> None:
        while True:
            try:
                return self._ready()
            except Problem:
                time.sleep(2)

    # -- reading

    def get(self, run_id: UUID) -> Run:
        """Raises Problem 404 if there is no such run, 503 if Kafka cannot be asked."""
        run = self.find(run_id)
        if run is None:  # another API process may have accepted it a moment ago
            with self._changed:
                self._changed.wait_for(lambda: run_id in self._runs, BEHIND_SECONDS)
            run = self.find(run_id)
        if run is None:
            raise Problem(404, f"There is no run {run_id}; GET /runs lists those there are.")
        return run

    def find(self, run_id: UUID) -> Run | None:
        """The run, if there is one. Raises Problem 503 if Kafka cannot be asked."""
        self._ready()
        return self._runs.get(run_id)

    def view(self, run: Run) -> dict:
        with self._changed:
            return run.view(self._config["RUN_STALLED"])

    def is_over(self, run: Run) -> bool:
        """Whether it has come to its end."""
        with self._changed:
            return run.state()[0] in FINAL

    def idle_seconds(self, run: Run) -> float:
        """How long ago the newest thing happened to it."""
        with self._changed:
            return time.time() - run.last / 1e6

    def summary(self, run: Run) -> dict:
        with self._changed:
            return run.summary(self._config["RUN_STALLED"])

    def newest(self, limit: int, before: UUID | None) -> list[Run]:
        """At most so many, newest first, of those accepted before this one."""
        self._ready()
        with self._changed:
            runs = sorted(self._runs.values(), key=lambda run: run.accepted["created"], reverse=True)
        if before is not None:
            ids = [run.id for run in runs]
            if before not in ids:
                raise Problem(404, f"There is no run {before} to page on from; begin anew with GET /runs.")
            runs = runs[ids.index(before) + 1 :]
        return runs[:limit]

    def unfinished(self) -> int:
        """How many runs have not come to their end, and do not stand still."""
        with self._changed:
            return sum(not self._is_over(run) for run in self._runs.values())

    def _is_over(self, run: Run) -> bool:
        if not run.finished:
            run.finished = run.state()[0] in FINAL
        return run.finished or time.time() - run.last / 1e6 > self._config["RUN_STALLED"]

    def wait_for_change(self, run: Run, version: int, seconds: float) -> bool:
        """Whether there is a newer record of the run than `version`, after waiting so long at most."""
        with self._changed:
            return self._changed.wait_for(lambda: run.version > version, seconds)

    # -- writing

    def accept(self, run_id: UUID, service: str, num_messages: int, size: int) -> str:
        """Put a run on record, without waiting for it; return a token of this request, for `withdraw`."""
        token = f"{self._writer}/{uuid4()}"
        asked = {"service": service, "num_messages": num_messages, "size": size, "created": time.time_ns() // 1000}
        self._write(record_key(run_id, "accepted", token), asked)
        return token

    def settle(self, run_id: UUID, token: str) -> tuple[Run, bool]:
        """The run as it is on record, and whether it was this request that was the first to ask for it.

        Raises Problem 503 if the record does not come back in time.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: run_id in self._runs, KAFKA_SECONDS):
                raise _no_kafka("its record of the run has not come back")
            run = self._runs[run_id]
        if run.owner != token:
            self.withdraw(run_id, token)
        return run, run.owner == token

    def withdraw(self, run_id: UUID, token: str) -> None:
        """Take a record back: of a run that could not be handed over, or that others had asked for before."""
        self._write(record_key(run_id, "accepted", token), None)

    def stop(self, run: Run) -> None:
        """Have the sending of a run end. Raises Problem 503 if Kafka does not take that."""
        self._stop(run.id, wait=True)

    def revoke(self, run_id: UUID) -> None:
        """See to it that a run is not sent later whose call failed, but may be under way to the service yet."""
        with suppress(Problem):  # the service needs Kafka as well, so there would be nothing to see to
            self._stop(run_id)

    def _stop(self, run_id: UUID, wait: bool = False) -> None:
        self._write(record_key(run_id, "stop"), {"time": time.time_ns() // 1000}, wait)

    def _write(self, key: bytes, value: dict | None, wait: bool = False) -> None:
        self._ready()
        try:
            data = None if value is None else json.dumps(value).encode()
            future = self._producer.send(RUNS, data, key, partition=0)
            if wait:
                future.get(KAFKA_SECONDS)
        except KafkaError as error:
            raise _no_kafka(repr(error)) from None

    def _ready(self) -> None:
        if not self._starting.acquire(timeout=KAFKA_SECONDS):
            raise _no_kafka("still connecting")
        try:
            if self._producer is None:
                try:
                    ensure_runs_topic(self._config, Stopping(), seconds=0)
                    options = {**self._config["KAFKA_PRODUCER"], "max_block_ms": KAFKA_SECONDS * 1000}
                    self._producer = KafkaProducer(**options)
                except TooFewBrokers as error:
                    raise Problem(503, str(error.args[0])) from None
                except KafkaError as error:
                    raise _no_kafka(repr(error)) from None
                self._reader.start()
        finally:
            self._starting.release()
        if not self._reader.wait_until_caught_up(KAFKA_SECONDS):
            raise _no_kafka("topic runs was not read in time")

    # -- what the reader brings

    def _apply(self, run_id: UUID, kind: str, writer: str, value: dict | None, offset: int) -> None:
        with self._changed:
            run = self._runs.get(run_id) or self._strangers.setdefault(run_id, Run(run_id))
            if kind == "accepted":
                self._accepted(run, writer, value)
            elif kind == "stop":
                run.stop = True
            elif value is not None:
                run.states.setdefault(kind, {})[writer] = value
                if kind == "sent" and run.accepted is None:  # asked of the service without an API before
                    run.accepted = {name: value[name] for name in ASKED}
            run.version = offset
            run.finished = False
            self._keep(run)
            self._changed.notify_all()

    def _accepted(self, run: Run, writer: str, value: dict | None) -> None:
        if value is not None and run.owner is None:
            run.accepted, run.owner = run.accepted or value, writer
        elif value is None and run.owner == writer:
            run.accepted = None
            self._runs.pop(run.id, None)

    def _keep(self, run: Run) -> None:
        """Keep RUNS_KEPT runs, the newest, and about as many of whom it is not known yet what was asked."""
        if run.accepted and run.id in self._strangers:
            self._runs[run.id] = self._strangers.pop(run.id)
            if len(self._runs) > self._config["RUNS_KEPT"]:
                del self._runs[min(self._runs.values(), key=lambda run: run.accepted["created"]).id]
        if len(self._strangers) > self._config["RUNS_KEPT"]:
            del self._strangers[next(iter(self._strangers))]


def _process(writer: str) -> str:
    """host:pid of a record's writer."""
    return writer.partition("/")[0]


def _no_kafka(why: str) -> Problem:
    return Problem(503, f"Kafka does not answer: {why}. Start it with `docker-compose up broker`, or `make run`.")
