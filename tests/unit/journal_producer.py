"""A fake producer for the states of runs. The test decides about acknowledgements."""

import json
import uuid
from collections.abc import Callable, Sequence

from messaging.clients.errors import Unavailable
from messaging.journal.states import RUN_STATES, partition_of
from messaging.runs.batch import Batch
from messaging.runs.sending import Acknowledged
from messaging.runs.stage import Stage
from messaging.runs.stamp import stamps
from tests.unit.fakes import Delivery

RUN = uuid.uuid4()
PARTITIONS = 4
AT = 1_700_000_000_000_000
"""The time of an event, in microseconds since the epoch."""


class Producer:
    """Notes records. While it is `down`, it takes none. The next successful `send` calls `while_sending`, only once."""

    def __init__(self) -> None:
        self.records: list[tuple[str, dict]] = []
        self.sizes: list[int] = []
        self.deliveries: list[Delivery] = []
        self.attempts = 0
        self.down = False
        self.while_sending: Callable[[], None] | None = None

    def partitions(self, topic: str) -> int:
        assert topic == RUN_STATES
        return PARTITIONS

    def send(self, topic, keys, values, partitions) -> Delivery:
        self.attempts += 1
        if self.down:
            raise Unavailable("no metadata")
        run = uuid.UUID(keys[0].decode().split("/")[0])
        assert (topic, partitions) == (RUN_STATES, [partition_of(run, PARTITIONS)])
        self.records.append((keys[0].decode(), json.loads(values[0])))
        self.sizes.append(len(values[0]))
        self.deliveries.append(Delivery(1))
        during, self.while_sending = self.while_sending, None
        if during:
            during()
        return self.deliveries[-1]

    def acknowledge(self) -> None:
        """Acknowledge everything so far."""
        for delivery in self.deliveries:
            delivery.acknowledge()


def batch(numbers: Sequence[int], run: uuid.UUID = RUN) -> Batch:
    return Batch("pong", [0] * len(numbers), stamps(run.bytes, numbers), [b"x"] * len(numbers), 0.0)


def acknowledged(numbers: Sequence[int]) -> Acknowledged:
    """Messages that Kafka has acknowledged to a sender."""
    return Acknowledged(numbers, len(numbers), 0, [AT - 1000] * len(numbers), AT)


def scattered(start: int, count: int) -> range:
    """Numbers that a bitmap cannot compress: each one takes about 2.7 bytes of a state."""
    return range(20 * start, 20 * (start + count), 20)


def newest(producer: Producer) -> dict[str, Stage]:
    """Return the newest state of each key."""
    return {key: Stage.from_json(state) for key, state in producer.records}
