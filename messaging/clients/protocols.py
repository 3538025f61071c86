"""The interface of every Kafka client. Columns go in, one delivery comes out.

Callers get no object and no callback per message, because both cost more than the message.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeVar

from messaging.clients.errors import ClientError

T = TypeVar("T")


class Partition(NamedTuple):
    """A partition of a topic."""

    topic: str
    number: int


@dataclass(frozen=True)
class Fetched:
    """Messages of one topic from one poll, as columns of equal length. Each partition keeps its order."""

    topic: str
    partitions: Sequence[int]
    offsets: Sequence[int]
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    next_offsets: Mapping[Partition, int]
    """For each partition, the offset after its last message here."""
    seconds: float
    """How long the poll took."""

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True)
class Taken:
    """The group takes these partitions away. Their offsets can be committed until the next poll."""

    partitions: frozenset[Partition]


@dataclass(frozen=True)
class Given:
    """The group has given these partitions to this consumer. It has no others."""

    partitions: frozenset[Partition]


@dataclass(frozen=True)
class Polled:
    """The result of a poll: messages, and the changes of this consumer's partitions, oldest first."""

    fetched: Sequence[Fetched] = ()
    changes: Sequence[Taken | Given] = ()
    reached: Mapping[Partition, int] = field(default_factory=dict)
    """The end offsets of partitions that were read to the end. An end directly after a returned message is left out.

    Transaction markers take offsets too. To have a lag of 0, a consumer must also commit the ends in this field."""


class Delivery(Protocol):
    """Messages that were handed over together, on their way to Kafka."""

    @property
    def done(self) -> bool:
        """True once each message was acknowledged or has failed."""

    def wait(self, seconds: float) -> bool:
        """Wait until done, but no longer than this; return `done`."""

    @property
    def acknowledged(self) -> Sequence[bool]:
        """For each message, in order: True if Kafka has acknowledged it."""

    @property
    def acknowledged_at(self) -> int:
        """When the newest acknowledgement arrived, in microseconds since the epoch. 0 before the first one."""

    @property
    def failures(self) -> Mapping[int, ClientError]:
        """The errors of the failed messages, by index. Each is `Unavailable` or `Refused`."""


class Producer(Protocol):
    """Sends messages. Safe to be used by many threads."""

    def partitions(self, topic: str) -> int:
        """Return how many partitions the topic has. Raises Unavailable."""

    def send(
        self,
        topic: str,
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
        partitions: Sequence[int],
    ) -> Delivery:
        """Hand messages over; do not wait for acknowledgements. Raises Unavailable if the client cannot take them."""

    @property
    def sent_again(self) -> Mapping[str, int]:
        """By topic, how many messages the client itself has sent again after an error or to split a batch."""

    def flush(self, seconds: float) -> bool:
        """Wait until everything was acknowledged or has failed; return False if it takes longer than this."""

    def close(self, seconds: float) -> None:
        """Wait for messages under way, but no longer than this. Give up the rest."""


class Reader(Protocol):
    """Reads the partitions that its caller assigns, without a group. Belongs to one thread."""

    def assign(self, offsets: Mapping[Partition, int]) -> None:
        """Read these partitions, each from its offset on."""

    def poll(self, seconds: float) -> Polled:
        """Wait for messages, but no longer than this. Raises Unavailable, Transactional."""

    def position(self, partition: Partition) -> int:
        """Return the offset from which the next poll reads. Raises Unavailable."""

    def partitions(self, topic: str) -> Sequence[Partition]:
        """Return the partitions of a topic. Empty if the topic does not exist. Raises Unavailable."""

    def beginnings(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        """Return the first offset that each partition still has. Raises Unavailable."""

    def ends(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        """Return the offset after the newest message of each partition. Raises Unavailable."""

    def offsets_at(self, partitions: Sequence[Partition], milliseconds: int) -> Mapping[Partition, int]:
        """Return the first offset at or after this time (since the epoch), or the end. Raises Unavailable."""

    def committed(self, group: str, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        """Return the offsets that a group has committed, 0 if it has none. Raises Unavailable.

        The offsets of a transaction may appear a moment after its commit.
        """

    def close(self) -> None: ...


class Consumer(Protocol):
    """A member of a consumer group. Belongs to one thread."""

    keep_alive_seconds: float
    """Poll at least this often to stay in the group."""

    def poll(self, seconds: float) -> Polled:
        """Wait for messages or changes, but no longer than this. Raises Unavailable, Transactional."""

    def pause(self) -> None:
        """Let polls return no messages until `resume`. They still keep the membership, and return changes."""

    def resume(self) -> None:
        """Continue after the last message that a poll has returned."""

    def seek(self, partition: Partition, offset: int) -> None:
        """Let the next poll continue at this offset."""

    def commit(self, offsets: Mapping[Partition, int], seconds: float) -> None:
        """Commit offsets, and wait until Kafka confirms it. Raises Unavailable."""

    def commit_soon(self, offsets: Mapping[Partition, int]) -> None:
        """Begin to commit offsets. Those that Kafka has confirmed appear in `confirmed`."""

    @property
    def confirmed(self) -> Mapping[Partition, int]:
        """The newest offsets that Kafka has confirmed, of the partitions that this consumer has now."""

    def close(self) -> None:
        """Leave the group without committing anything."""


@dataclass(frozen=True)
class Topic:
    """A topic to create, with its own settings."""

    name: str
    partitions: int
    replicas: int
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cluster:
    """The ids of the brokers that run, and which of them leads each partition of every topic."""

    brokers: frozenset[int]
    leaders: Mapping[Partition, int]


class Admin(Protocol):
    """Manages topics and groups, and knows the brokers."""

    def create(self, topic: Topic) -> bool:
        """Create a topic. If it exists, leave it unchanged and return False. Raises TooFewBrokers, Unavailable."""

    def delete(self, topic: str) -> None:
        """Delete a topic if it exists. Kafka finishes this a moment later. Raises Unavailable."""

    def set_offsets(self, group: str, offsets: Mapping[Partition, int]) -> None:
        """Commit offsets for a group that has no members now. Raises Unavailable."""

    def group_states(self, groups: Sequence[str]) -> Mapping[str, str]:
        """Return the state of each consumer group, such as "Stable". Raises Unavailable."""

    def cluster(self) -> Cluster:
        """Return the brokers and leaders, without partitions that have no leader now. Raises Unavailable."""

    def log_bytes(self, broker: int) -> Mapping[Partition, int]:
        """Return the size in bytes of each partition on the disks of a broker. Raises Unavailable."""

    def close(self) -> None: ...


class Client(Protocol):
    """Creates everything above for one cluster. `options` are named as in the settings, and override them."""

    servers: str

    def producer(self, **options: object) -> Producer:
        """Raises Unavailable."""

    def reader(self) -> Reader:
        """Raises Unavailable."""

    def consumer(self, group: str, topics: Sequence[str], **options: object) -> Consumer:
        """Raises Unavailable."""

    def admin(self, seconds: float = 10) -> Admin:
        """Make an admin. Each request ends after this time, except in `set_offsets`. Raises Unavailable."""


class Waiting(Protocol):
    """Makes a blocking call of a library: directly, or in a way that lets other greenthreads continue."""

    def __call__(self, call: Callable[[], T], seconds: float | None = None) -> T:
        """Return what `call` returns. Raises Unavailable after this many seconds, except in `directly`."""
        raise NotImplementedError


def directly(call: Callable[[], T], seconds: float | None = None) -> T:
    """Make the call in this thread. For processes with native threads. Nothing can interrupt the call."""
    return call()
