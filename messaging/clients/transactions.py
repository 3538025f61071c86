"""The protocols for Kafka's transactions. Readers of committed messages see all of a transaction or nothing of it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NewType, Protocol

from messaging.clients.protocols import Client, Consumer, Partition

Membership = NewType("Membership", object)
"""A consumer's place in its group at one moment. Kafka refuses offsets with an outdated membership."""


class TransactionalConsumer(Consumer, Protocol):
    """A group member that reads committed messages only. A transactional producer commits its offsets."""

    @property
    def membership(self) -> Membership:
        """The current place in the group."""


class TransactionalProducer(Protocol):
    """Sends messages in transactions. Belongs to one thread or greenthread: one transaction, one owner.

    After `Fenced` or `OutcomeUnknown` only `close` may be called.
    """

    def start(self, seconds: float) -> None:
        """Fence earlier producers of the same id, and abort their open transaction. Call this first.

        Raises Fenced or Unavailable. After Unavailable, `start` may be called again.
        """

    def partitions(self, topic: str) -> int:
        """Return how many partitions the topic has. Raises Unavailable."""

    def begin(self) -> None:
        """Begin a transaction. Raises Fenced, Unavailable."""

    def send(
        self,
        topic: str,
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
        partitions: Sequence[int],
        seconds: float,
    ) -> None:
        """Hand over all messages, in their order. Wait `seconds` at most for room in the library's queue.

        Raises Aborted, Fenced, Unavailable.
        """

    def commit(
        self,
        seconds: float,
        offsets: Mapping[Partition, int] | None = None,
        membership: Membership | None = None,
    ) -> None:
        """Wait until all messages are acknowledged, then commit them together with these offsets of a group.

        Raises Aborted, Fenced, OutcomeUnknown, Refused.

        Refused means that Kafka refuses one of the messages for good. After this error, abort the transaction. Then
        send fewer messages at a time to find the refused message.
        """

    def abort(self, seconds: float) -> None:
        """Abort the transaction. Raises Fenced, OutcomeUnknown."""

    def close(self, seconds: float) -> None:
        """Abort an open transaction. This may take about 1 s longer than `seconds`."""


class TransactionalClient(Client, Protocol):
    """A client whose library has transactions. Its readers return committed messages only.

    But the `ends` of a reader also include uncommitted messages. The reader reaches an end only when all transactions
    before that end are closed.
    """

    def transactional_producer(self, transactional_id: str, topics: Iterable[str]) -> TransactionalProducer:
        """Make a producer whose batches are small enough for these topics. Raises Unavailable."""

    def consumer(self, group: str, topics: Sequence[str], **options: object) -> TransactionalConsumer:
        """Raises Unavailable."""
