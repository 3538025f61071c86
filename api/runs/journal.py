"""The API's connection to the topic of runs: it reads everything, and writes what was accepted and what is to stop."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from kafka import KafkaProducer
from kafka.errors import KafkaError

from api.interim import RUNS, Record, Settings, record
from api.problems import Problem, no_kafka
from api.runs.store import KAFKA_SECONDS
from messaging.lifecycle import Stopping
from messaging.runs_topic import TopicReader, ensure_runs_topic
from messaging.topics import TooFewBrokers


class Journal:
    """Connects with `start`. Every method raises Problem 503 if Kafka does not answer in time."""

    def __init__(self, settings: Settings):
        self._config = settings.config
        self._reader: TopicReader | None = None
        self._producer: Any = None

    def start(self, apply: Callable[[Record], None]) -> None:
        """Connect, and hand every record to `apply`, in a thread. Can be called again after it has failed."""
        try:
            ensure_runs_topic(self._config, Stopping(), seconds=0)
            options = {**self._config["KAFKA_PRODUCER"], "max_block_ms": KAFKA_SECONDS * 1000}
            self._producer = KafkaProducer(**options)
        except TooFewBrokers as error:
            raise Problem(503, str(error.args[0])) from None
        except KafkaError as error:
            raise no_kafka(repr(error)) from None

        def decode(run: UUID, kind: str, writer: str, members: dict[str, Any] | None, offset: int) -> None:
            apply(record(run, kind, writer, members, offset))

        self._reader = TopicReader(self._config, decode)
        self._reader.start()

    def wait_until_read(self) -> None:
        """Wait until everything was read that was there at the start."""
        if self._reader is None or not self._reader.wait_until_caught_up(KAFKA_SECONDS):
            raise no_kafka("topic runs was not read in time")

    def write(self, key: bytes, value: bytes | None, wait: bool = False) -> None:
        """Write a record, and `wait` for its acknowledgement."""
        try:
            future = self._producer.send(RUNS, value, key, partition=0)
            if wait:
                future.get(KAFKA_SECONDS)
        except KafkaError as error:
            raise no_kafka(repr(error)) from None
