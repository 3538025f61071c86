"""Writes a long history of runs, with the same records that the API and the services write."""

import time
from dataclasses import dataclass
from uuid import UUID, uuid4

from kafka import KafkaProducer

from messaging.journal.requests import ACCEPTED, CLAIM, QUEUED, RUN_REQUESTS, RequestRecord
from messaging.journal.states import DONE, RUN_STATES, STAGES, Sender, State, partition_of, state_key
from messaging.runs.request import Request
from messaging.runs.stage import Stage

MESSAGES = 100
SECONDS_BETWEEN = 1
"""The seconds between the timestamps of two successive runs."""


def write_history(bootstrap_servers: str, count: int) -> list[UUID]:
    """Write this many runs that are done; see `History.write`."""
    producer = KafkaProducer(bootstrap_servers=bootstrap_servers, acks="all", batch_size=131_072)
    try:
        return History(producer, len(producer.partitions_for(RUN_STATES))).write(count)
    finally:
        producer.close()


@dataclass
class History:
    """Writes runs that are done."""

    producer: KafkaProducer
    partitions: int

    def write(self, count: int) -> list[UUID]:
        """Write this many runs, and return their ids. The oldest run comes first.

        The runs begin SECONDS_BETWEEN apart. The newest run began about a minute ago.
        """
        now = time.time_ns() // 1000
        runs = [uuid4() for _ in range(count)]
        for number, run in enumerate(runs):
            created = now - (60 + (count - number) * SECONDS_BETWEEN) * 1_000_000
            self._write(Request(run, "ping", MESSAGES, 100, created))
        self.producer.flush(60)
        return runs

    def _write(self, request: Request) -> None:
        claim = "host:1/1.1"
        for record in (
            RequestRecord(request.run, ACCEPTED, "host:2/token", request),
            RequestRecord(request.run, QUEUED),
            RequestRecord(request.run, CLAIM, claim, request),
        ):
            self._send(RUN_REQUESTS, record.key, record.value, 0, request)
        partition = partition_of(request.run, self.partitions)
        for name in STAGES:
            sender = Sender(request, claim, DONE, seconds=0.01) if name == "sent" else None
            key = state_key(request.run, name, "host:1/1.1")
            self._send(RUN_STATES, key, State(stage(request), sender).encode(), partition, request)

    def _send(self, topic: str, key: bytes, value: bytes, partition: int, request: Request) -> None:
        self.producer.send(topic, value, key, None, partition, timestamp_ms=request.created // 1000)


def stage(request: Request) -> Stage:
    """Return a stage that has counted all messages of a run."""
    stage = Stage()
    sent_times = [request.created + number for number in range(MESSAGES)]
    stage.add(range(MESSAGES), MESSAGES * request.size, [0] * MESSAGES, sent_times, request.created + 5000)
    return stage
