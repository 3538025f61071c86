"""The API's connection to the topic of runs: it reads everything, and writes what was accepted and what is to stop."""

from collections.abc import Callable

from api.problems import Problem, no_kafka
from api.runs.store import KAFKA_SECONDS
from messaging.clients.errors import ClientError, TooFewBrokers
from messaging.clients.protocols import Client, Producer
from messaging.clients.topics import create_missing
from messaging.journal.reader import JournalReader
from messaging.journal.records import PARTITION, RUNS, Record, runs_topic


class Journal:
    """Connects with `start`. Every method raises Problem 503 if Kafka does not answer in time."""

    def __init__(self, client: Client, replicas: int):
        self._client = client
        self._replicas = replicas
        self._reader: JournalReader | None = None
        self._producer: Producer | None = None

    def start(self, apply: Callable[[Record], None]) -> None:
        """Connect, and hand every record to `apply`, in a thread. Can be called again after it has failed."""
        try:
            create_missing(self._client, [runs_topic(self._replicas)])
            self._producer = self._client.producer(max_block_ms=KAFKA_SECONDS * 1000)
        except TooFewBrokers as error:
            raise Problem(503, str(error)) from None
        except ClientError as error:
            raise no_kafka(str(error)) from None
        self._reader = JournalReader(self._client, apply)
        self._reader.start()

    def wait_until_read(self) -> None:
        """Wait until everything was read that was there at the start."""
        if self._reader is None or not self._reader.wait_until_caught_up(KAFKA_SECONDS):
            raise no_kafka("topic runs was not read in time")

    def write(self, key: bytes, value: bytes | None, wait: bool = False) -> None:
        """Write a record, and `wait` for its acknowledgement."""
        if self._producer is None:
            raise no_kafka("not connected")
        try:
            delivery = self._producer.send(RUNS, [key], [value], [PARTITION.number])
        except ClientError as error:
            raise no_kafka(str(error)) from None
        if wait and (not delivery.wait(KAFKA_SECONDS) or delivery.failures):
            raise no_kafka(str(delivery.failures.get(0, "it has not acknowledged in time")))
