"""Sending to a Kafka topic: nameko-kafka's dependency provider, bound to a topic and bounded in memory."""

import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future as Outcome
from functools import partial
from itertools import repeat
from uuid import uuid4

import nameko_kafka
from kafka import KafkaProducer
from kafka.errors import KafkaTimeoutError
from kafka.future import Future

from messaging.batch import Batch
from messaging.delivery import Delivery, Unsendable
from messaging.lifecycle import Stopping, calm_garbage_collector
from messaging.recorder import RunRecorder
from messaging.run import send_run
from messaging.topics import ensure_topics

IN_FLIGHT_BYTES = 4 * 2**20
"""How much may be handed to the client and not yet acknowledged, in bytes. Its own `buffer_memory` bounds nothing.

Enough to keep Kafka busy; more would only cost memory, and time to look for garbage in it."""

MESSAGE_OVERHEAD = 1024
"""What the client keeps of each message beside its key and value, in bytes, about."""

ROOM_SECONDS = 150
"""How long to wait for acknowledgements to make room for more; longer than the client's own `request_timeout_ms`."""


class Topic:
    """A topic to send to. Safe to be used by many greenthreads at once."""

    def __init__(
        self, name: str, service: str, producer: KafkaProducer, recorder: RunRecorder, stopping: Stopping, config: dict
    ):
        self.name = name
        self.service = service
        self.recorder = recorder
        self.stopping = stopping
        self.config = config
        self._producer = producer
        self._in_flight: deque[tuple[Delivery, int]] = deque()
        self._in_flight_bytes = 0
        self._under_way: dict[str, Outcome] = {}

    @property
    def partitions(self) -> int:
        """How many partitions it has."""
        return len(self._producer.partitions_for(self.name))

    def send(self, keys: Sequence[bytes | None], values: Sequence[bytes | None], partitions: Sequence[int]) -> Delivery:
        """Hand messages, given as columns of equal length, to the client, once there is room for them.

        Raises KafkaTimeoutError if acknowledgements make no room within ROOM_SECONDS.
        """
        cost = len(keys) * MESSAGE_OVERHEAD + sum(map(len, filter(None, values)))
        self._make_room(cost)
        delivery = Delivery(self._hand_over, (keys, values, partitions))
        self._in_flight.append((delivery, cost))
        self._in_flight_bytes += cost
        time.sleep(0)  # lets the client's sender run, and heartbeats, and other calls
        return delivery

    def forward(self, batch: Batch) -> Delivery:
        """Send the messages of a batch on, keys and values unchanged, to the partitions of the same numbers.

        So the order within a partition is kept from one topic to the next.
        """
        count = self.partitions
        return self.send(batch.keys, batch.values, [number % count for number in batch.partitions])

    def send_run(self, num_messages: int, size: int, run_id: str | None = None, queued: bool = False) -> dict:
        """Send a run of random messages and wait for Kafka's acknowledgements; see `messaging.run.send_run`.

        A call that RabbitMQ delivers once more meanwhile, because a connection was lost, ends as the first one does.
        """
        run_id = str(run_id or uuid4())
        if run_id in self._under_way:
            return self._under_way[run_id].result()
        outcome = self._under_way[run_id] = Outcome()
        try:
            outcome.set_result(send_run(self, num_messages, size, run_id, queued))
        except Exception as error:
            outcome.set_exception(error)
        finally:
            del self._under_way[run_id]
        return outcome.result()

    def _hand_over(
        self, keys: Sequence[bytes | None], values: Sequence[bytes | None], partitions: Sequence[int]
    ) -> list[Future]:
        send = partial(self._producer.send, self.name)
        if None in values and (None, None) in zip(keys, values, strict=True):
            return [
                Future().failure(Unsendable("neither a key nor a value")) if key is value is None
                else send(value, key, None, partition)
                for key, value, partition in zip(keys, values, partitions, strict=True)
            ]  # fmt: skip
        return list(map(send, values, keys, repeat(None), partitions))

    def _make_room(self, cost: int) -> None:
        deadline = time.monotonic() + ROOM_SECONDS
        while self._in_flight and self._in_flight_bytes + cost > IN_FLIGHT_BYTES:
            oldest, _ = self._in_flight[0]
            if not oldest.wait(0.2) and (time.monotonic() > deadline or self.stopping.overdue):
                raise KafkaTimeoutError(
                    f"Kafka has acknowledged nothing of topic {self.name} for {ROOM_SECONDS} s; is it running?"
                )
            while self._in_flight and self._in_flight[0][0].done:
                self._in_flight_bytes -= self._in_flight.popleft()[1]


class TopicProducer(nameko_kafka.KafkaProducer):
    """Injects a `Topic`. Options are kafka-python's, over those of KAFKA_PRODUCER in the configuration."""

    stopping = Stopping()
    recorder = RunRecorder()

    def __init__(self, topic: str, **options):
        super().__init__(**options)
        self._config.update(options)  # nameko-kafka leaves out those that are false
        self._topic_name = topic

    def _parse_config(self) -> dict:
        # A new dict: nameko-kafka would write into the configuration all extensions share.
        return {**self.container.config.get("KAFKA_PRODUCER", {}), **self._config}

    def setup(self) -> None:
        servers = self._parse_config()["bootstrap_servers"]
        ensure_topics([self._topic_name], servers, self.container.config, self.stopping)
        super().setup()
        self._producer.partitions_for(self._topic_name)  # now that Kafka is there: later it could wait a minute
        self._topic = Topic(
            self._topic_name,
            self.container.service_name,
            self._producer,
            self.recorder,
            self.stopping,
            self.container.config,
        )

    def start(self) -> None:
        calm_garbage_collector()

    def stop(self) -> None:
        if self._producer is not None:
            self._producer.close(timeout=1)  # all that had to be acknowledged was waited for by those who sent it

    kill = stop

    def get_dependency(self, worker_ctx) -> Topic:
        return self._topic
