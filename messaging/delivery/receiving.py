"""What the two ways of delivery have in common for a consumer: messages come, are handled, and become done."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from messaging.clients.protocols import Fetched, Given
from messaging.runs.batch import Batch

REBALANCE_SECONDS = 3
"""How long a rebalance may be held up by work in hand. The work that is not done by then comes again."""

OnChange = Callable[[Given | None], object]
"""Told which partitions the group has given; None when it takes some away."""


class Receiving(Protocol):
    """The messages of one consumer, from their poll until they are done for good. One greenthread alone uses it."""

    @property
    def epoch(self) -> int:
        """Grows when messages that were polled before come again, here or at another instance."""

    @property
    def keep_alive_seconds(self) -> float:
        """Poll at least this often to stay in the group."""

    def poll(self, seconds: float) -> Sequence[Fetched]:
        """Wait for messages, but no longer than this. Raises Unavailable."""

    def pause(self) -> None:
        """Have polls bring no messages until `resume`."""

    def resume(self) -> None: ...

    def parts(self, fetched: Fetched) -> Iterable[Fetched]:
        """Return the messages in parts that are to be handled one after the other."""

    def has_room(self, cost: int, seconds: float) -> bool:
        """Return True if there is room for answers of so many bytes; wait for it, but no longer than this."""

    def handled(self, fetched: Fetched, batch: Batch, answers: Any, epoch: int) -> None:
        """Note what a handler has returned for messages that were polled in this epoch."""

    def advance(self) -> None:
        """Take every step that is possible now."""

    def commit(self) -> None:
        """Commit what is done. It is called on a clock."""

    def finish(self, seconds: float) -> None:
        """Wait until everything that was handled is done, and commit it, both within this time."""

    def close(self) -> None:
        """Leave the group. Raises Unavailable."""
