"""A model of Kafka's transactions and consumer groups, in memory. Nothing times out by itself: the caller decides.

It has everything that exactly-once needs:

- A transactional id has an epoch and at most one open transaction. A new epoch fences older producers.
- Offsets are committed with the transaction, and only by a member of the group's newest generation.
- A reader of committed messages stops at the last stable offset: the first message of an open transaction.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from messaging.clients.errors import Aborted
from messaging.clients.protocols import Partition
from messaging.journal.requests import PARTITION
from messaging.journal.states import RUN_STATES
from tests.unit.fakes import Clock

COUNTS = {"pong": 2, "ping": 2, RUN_STATES: 1, PARTITION.topic: 1}
"""How many partitions each topic has."""

OPEN, COMMITTED, ABORTED = "open", "committed", "aborted"


@dataclass(eq=False)
class Transaction:
    state: str = OPEN
    first: dict[Partition, int] = field(default_factory=dict)
    """The offset of its first message in each partition."""
    offsets: dict[Partition, int] = field(default_factory=dict)
    is_refused: bool = False
    """True if a topic refuses one of its messages."""


@dataclass(frozen=True)
class Entry:
    """A message, or the marker that ends a transaction. The marker takes an offset too."""

    key: bytes | None = None
    value: bytes | None = None
    transaction: Transaction | None = None
    is_marker: bool = False

    @property
    def is_visible(self) -> bool:
        """True for a message of a committed transaction, and for a message that was written without a transaction."""
        return not self.is_marker and (self.transaction is None or self.transaction.state == COMMITTED)


class Group:
    """The group of one service. A rebalance is complete once every remaining member has joined again."""

    def __init__(self, topic: str):
        self._partitions = [Partition(topic, number) for number in range(COUNTS[topic])]
        self.generation = 0
        self.members: dict[str, frozenset[Partition]] = {}
        self.joining: set[str] | None = None
        """The members that have joined again. None if no rebalance is under way."""
        self.offsets: dict[Partition, int] = {}

    def rebalance(self) -> None:
        self.joining = self.joining or set()

    def join(self, member: str) -> None:
        self.rebalance()
        assert self.joining is not None
        self.joining.add(member)
        self._complete()

    def expel(self, member: str) -> None:
        """Drop a member that has left, or whose session has ended."""
        if self.members.pop(member, None) is not None:
            self.rebalance()
        if self.joining is not None:
            self.joining.discard(member)
            self._complete()

    def _complete(self) -> None:
        if not self.joining or not self.members.keys() <= self.joining:
            return
        members = sorted(self.joining)
        self.members = {
            member: frozenset(self._partitions[index :: len(members)]) for index, member in enumerate(members)
        }
        self.joining = None
        self.generation += 1


class Kafka:
    """The broker.

    The response to the next commit is lost if `lost` is set. If `lost` is "before", this commit also has no effect.
    If `lost` is "after", Kafka carries out the commit.
    """

    def __init__(self) -> None:
        self.clock = Clock()
        self.logs: defaultdict[Partition, list[Entry]] = defaultdict(list)
        self.epochs: defaultdict[str, int] = defaultdict(int)
        self.open: dict[str, Transaction] = {}
        """The open transaction of each transactional id."""
        self.groups = {"pong": Group("pong"), "ping": Group("ping")}
        self.lost: str | None = None
        self.refused: dict[str, frozenset[int]] = {}
        """The numbers of the messages that each topic refuses. A transaction with one of them cannot be committed."""

    def write(self, partition: Partition, key: bytes | None, value: bytes | None) -> None:
        """Append a message outside of transactions."""
        self.logs[partition].append(Entry(key, value))

    def write_in(self, name: str, messages: Iterator[tuple[Partition, bytes | None, bytes | None]]) -> None:
        """Append messages to the open transaction of an id, or to a new one."""
        transaction = self.open.setdefault(name, Transaction())
        for partition, key, value in messages:
            transaction.first.setdefault(partition, len(self.logs[partition]))
            self.logs[partition].append(Entry(key, value, transaction))
            if key and int.from_bytes(key[16:24]) in self.refused.get(partition.topic, ()):
                transaction.is_refused = True

    def add_offsets(self, name: str, group: Group, offsets: Mapping[Partition, int], member: tuple[str, int]) -> None:
        """Add offsets, to be committed with the transaction of an id. Raises Aborted for an old generation."""
        if member[0] not in group.members or member[1] != group.generation:
            raise Aborted("not a member of this generation")
        self.open.setdefault(name, Transaction()).offsets |= offsets

    def end(self, name: str, state: str) -> None:
        """End the open transaction of an id, if there is one."""
        transaction = self.open.pop(name, None)
        if transaction is None:
            return
        transaction.state = state
        for partition in transaction.first:
            self.logs[partition].append(Entry(transaction=transaction, is_marker=True))
        for partition, offset in transaction.offsets.items() if state == COMMITTED else ():
            self.groups[partition.topic].offsets[partition] = offset

    def fence(self, name: str) -> int:
        """Abort the open transaction of an id, and return the epoch of its next producer."""
        self.end(name, ABORTED)
        self.epochs[name] += 1
        return self.epochs[name]

    def is_unstable(self, partition: Partition) -> bool:
        """Return True while an open transaction is about to commit an offset of this partition."""
        return any(partition in transaction.offsets for transaction in self.open.values())

    def stable_end(self, partition: Partition) -> int:
        """Return the last stable offset: the first message of an open transaction, or the end."""
        end = len(self.logs[partition])
        return min((transaction.first.get(partition, end) for transaction in self.open.values()), default=end)

    def committed(self, topic: str) -> Mapping[Partition, Sequence[Entry]]:
        """Return the messages of a topic that a reader of committed messages sees."""
        partitions = [Partition(topic, number) for number in range(COUNTS[topic])]
        return {p: [e for e in self.logs[p][: self.stable_end(p)] if e.is_visible] for p in partitions}

    def uncommitted(self, topic: str) -> Mapping[Partition, Sequence[Entry]]:
        """Return all messages of a topic, including those of open and aborted transactions."""
        partitions = [Partition(topic, number) for number in range(COUNTS[topic])]
        return {p: [e for e in self.logs[p] if not e.is_marker] for p in partitions}
