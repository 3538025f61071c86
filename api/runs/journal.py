"""The API's connection to the journal: it reads both topics, and writes to `run-requests`."""

from collections.abc import Callable, Mapping

from api.problems import Problem, no_kafka
from messaging.clients.errors import ClientError, TooFewBrokers
from messaging.clients.protocols import Client, Delivery, Partition, Producer, Reader
from messaging.clients.topics import create_missing
from messaging.journal.requests import PARTITION, requests_topic
from messaging.journal.requests_writer import RequestsWriter
from messaging.journal.states import RUN_STATES, states_topic
from messaging.journal.tail import Apply, Tail

KAFKA_SECONDS = 4
"""How long each wait for Kafka may take, in seconds. A request may wait several times."""

SLACK_MS = 60_000
"""How far the clocks of the API, of Kafka and of the services may differ, in milliseconds."""


class Journal:
    """Call `start` first. The methods raise Problem 503 if Kafka does not answer in time."""

    def __init__(self, client: Client, partitions: int, replicas: int):
        self._client = client
        self._topics = [requests_topic(replicas), states_topic(partitions, replicas)]
        self._producer: Producer | None = None
        self._requests: Tail | None = None
        self._states: Tail | None = None
        self._writer = RequestsWriter(self._connected)

    def start(self, apply: Apply) -> None:
        """Connect. In a thread, hand every record of `run-requests` to `apply`. After a Problem, call `start` again."""
        try:
            create_missing(self._client, self._topics)
            self._producer = self._client.producer(max_block_ms=KAFKA_SECONDS * 1000)
        except TooFewBrokers as error:
            raise Problem(503, str(error)) from None
        except ClientError as error:
            raise no_kafka(str(error)) from None
        self._requests = Tail(self._client, lambda reader: reader.beginnings([PARTITION]), apply)
        self._requests.start()

    def start_states(self, since_ms: int, apply: Apply) -> None:
        """In another thread, hand each record of `run-states` to `apply`. Begin SLACK_MS before `since_ms`."""

        def where(reader: Reader) -> Mapping[Partition, int]:
            return reader.offsets_at(reader.partitions(RUN_STATES), since_ms - SLACK_MS)

        self._states = Tail(self._client, where, apply)
        self._states.start()

    def wait_until_requests_read(self) -> None:
        """Wait until this process has read all requests that were on record when `start` was called."""
        _wait(self._requests, "run-requests")

    def wait_until_states_read(self) -> None:
        """Wait until this process has read all states that were on record when `start_states` was called."""
        _wait(self._states, "run-states")

    def catch_up(self) -> None:
        """Wait until all current records were read."""
        for tail in self._requests, self._states:
            if tail is None or not tail.catch_up(KAFKA_SECONDS):
                raise no_kafka("the record of runs was not read in time")

    def write(self, record: Callable[[RequestsWriter], Delivery], wait: bool = False) -> None:
        """Write a record. With `wait`, wait until Kafka acknowledges it."""
        try:
            delivery = record(self._writer)
        except ClientError as error:
            raise no_kafka(str(error)) from None
        if wait and (not delivery.wait(KAFKA_SECONDS) or delivery.failures):
            raise no_kafka(str(delivery.failures.get(0, "it has not acknowledged in time")))

    def _connected(self) -> Producer:
        if self._producer is None:
            raise no_kafka("not connected")
        return self._producer


def _wait(tail: Tail | None, topic: str) -> None:
    if tail is None or not tail.wait_until_caught_up(KAFKA_SECONDS):
        raise no_kafka(f"topic {topic} was not read in time")
