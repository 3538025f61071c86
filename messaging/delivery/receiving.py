"""The interface for receiving at least once or exactly once: poll messages, pass on their results, commit."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from messaging.clients.protocols import Fetched, Given
from messaging.runs.batch import Batch

REBALANCE_SECONDS = 3
"""A rebalance waits this long, in seconds, for work in hand. Work that is not done by then comes again."""

OnChange = Callable[[Given | None], object]
"""Gets the partitions that the group has given, or None when this consumer loses partitions."""


class Receiving(Protocol):
    """The messages of one consumer, from their poll until they are done for good. Belongs to one greenthread."""

    @property
    def epoch(self) -> int:
        """Grows when messages that were already polled will come again, here or at another instance."""

    @property
    def keep_alive_seconds(self) -> float:
        """Poll at least this often to stay in the group."""

    def poll(self, seconds: float) -> Sequence[Fetched]:
        """Wait for messages, but no longer than this. Raises ClientError."""

    def pause(self) -> None:
        """Let polls return no messages until `resume`."""

    def resume(self) -> None: ...

    def parts(self, fetched: Fetched) -> Iterable[Fetched]:
        """Return the messages in parts, to handle one after the other."""

    def has_room(self, cost: int, seconds: float) -> bool:
        """Wait at most `seconds` for room for answers of `cost` bytes. Return True if there is room."""

    def handled(self, fetched: Fetched, batch: Batch, answers: Any, epoch: int) -> None:
        """Note a handler's result for messages that were polled in this epoch."""

    def advance(self) -> None:
        """Take every step that is possible now."""

    def commit(self) -> None:
        """Commit what is done. Called regularly."""

    def finish(self, seconds: float) -> None:
        """Wait until all handled messages are done, then commit them. Each of these two steps may take this time."""

    def close(self) -> None:
        """Leave the group. Raises Unavailable."""
