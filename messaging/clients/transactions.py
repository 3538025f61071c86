"""The door to Kafka's transactions: readers of committed messages see all of a transaction or nothing of it."""

from collections.abc import Mapping, Sequence
from typing import NewType, Protocol

from messaging.clients.protocols import Client, Consumer, Partition

Membership = NewType("Membership", object)
"""A consumer's place in its group at one moment. Kafka refuses offsets that come with an old one."""


class TransactionalConsumer(Consumer, Protocol):
    """A member of a group that reads committed messages only, and whose offsets are committed by a producer."""

    @property
    def membership(self) -> Membership:
        """The place in the group as it is now."""


class TransactionalProducer(Protocol):
    """Sends messages in transactions. Belongs to one thread or greenthread: one transaction, one owner.

    After `Fenced` or `OutcomeUnknown` only `close` may be called.
    """

    def start(self, seconds: float) -> None:
        """Abort what an earlier producer of the same id left open, and fence it. Call it once, before all else.

        Raises Unavailable, Fenced.
        """

    def partitions(self, topic: str) -> int:
        """Return how many partitions the topic has. Raises Unavailable."""

    def begin(self) -> None:
        """Begin a transaction. Raises Fenced."""

    def send(
        self,
        topic: str,
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
        partitions: Sequence[int],
        seconds: float,
    ) -> None:
        """Hand all messages over, in their order; wait for room in the library's queue, but no longer than `seconds`.

        Raises Aborted, Fenced, Unavailable.
        """

    def commit(
        self,
        seconds: float,
        offsets: Mapping[Partition, int] | None = None,
        membership: Membership | None = None,
    ) -> None:
        """Wait until all was acknowledged, then commit it, with these offsets of a group.

        Raises Refused (Kafka will never take one of the messages: abort, then send less at a time to find which one),
        Aborted, Fenced, OutcomeUnknown.
        """

    def abort(self, seconds: float) -> None:
        """Abort the transaction. Raises Fenced, OutcomeUnknown."""

    def close(self, seconds: float) -> None:
        """Give up what is still under way."""


class TransactionalClient(Client, Protocol):
    """A client whose library has transactions. Its readers see committed messages only, and their ends are those of
    all messages: the position of a reader reaches an end when no transaction before it is open any more.
    """

    def transactional_producer(self, transactional_id: str, batch_size: int | None = None) -> TransactionalProducer:
        """Make one, whose batches have at most `batch_size` bytes or one message. Asks Kafka nothing yet."""

    def transactional_consumer(self, group: str, topics: Sequence[str], **options: object) -> TransactionalConsumer:
        """Raises Unavailable."""
