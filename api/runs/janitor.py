"""Ends runs that cannot be completed: the call was never queued, RabbitMQ lost the call, or messages are missing."""

import logging
import threading
from collections.abc import Callable, Collection, Sequence

from api.problems import Problem
from api.runs.store import Store
from api.runs.view import RunState, Stall
from messaging.clients.errors import ClientError
from messaging.clients.protocols import Client, Reader

log = logging.getLogger(__name__)

PAUSE_SECONDS = 2

LOST_SECONDS = 300
"""A run without a change for this many seconds has no sender: a sender gives up if Kafka does not answer for 150 s."""

GROUPS = "ping", "pong"
"""The consumer groups. Each group reads the topic of the same name."""


class Janitor:
    """Looks at the stalled runs every PAUSE_SECONDS, in a thread. Each API process has such a thread."""

    def __init__(
        self,
        store: Store,
        lag: Callable[[str], int],
        waiting: Callable[[], Collection[str]],
        stalled_after: float,
        chores: Sequence[Callable[[], object]] = (),
    ):
        self._store = store
        self._lag = lag
        self._waiting = waiting
        self._stalled_after = stalled_after
        self._chores = chores

    def start(self) -> None:
        threading.Thread(target=self._run, name="janitor", daemon=True).start()

    def _run(self) -> None:
        pause = threading.Event()
        while not pause.wait(PAUSE_SECONDS):
            try:
                for chore in self._chores:
                    chore()
                self.look()
            except Problem as problem:
                log.debug("the janitor tries again: %s", problem.detail)
            except Exception:
                log.exception("the janitor tries again")

    def look(self) -> None:
        """End the stalled runs that cannot be completed. Raises Problem if Kafka does not answer."""
        stalled = self._store.stalled()
        for stall in stalled:
            if not stall.is_under_way:
                self._store.fail(stall.run, f"The run could not be queued within {self._stalled_after} s.")
        if any(map(_is_lost, stalled)):
            self._end_lost_runs()
        bouncing = {stall.run for stall in stalled if stall.state == RunState.BOUNCING}
        ended = {group for group in GROUPS if bouncing and self._lag(group) == 0}
        if not ended:
            return
        # A group commits offsets after its counts are on record. So the store has all counts after this line.
        self._store.catch_up()
        for stall in self._store.stalled():
            if stall.run in bouncing and stall.state == RunState.BOUNCING:
                self._give_up(stall, ended)

    def _end_lost_runs(self) -> None:
        waiting = self._waiting()
        self._store.catch_up()  # a sender may have put something on record meanwhile
        for stall in self._store.stalled():
            if _is_lost(stall) and stall.service not in waiting:
                self._store.give_up(stall.run, "No service sends it, and its call is not in RabbitMQ.")

    def _give_up(self, stall: Stall, ended: set[str]) -> None:
        group = (stall.stage or "").partition("_")[0]
        if group in ended:
            self._store.give_up(
                stall.run,
                f"Messages missing at {stall.stage}: {stall.missing}. Service {group} has read its topic to the end.",
            )


def _is_lost(stall: Stall) -> bool:
    """Return True if no instance sends the run and RabbitMQ has no call for it on disk."""
    has_sender = stall.is_on_disk or stall.seconds < LOST_SECONDS
    return stall.state in (RunState.ACCEPTED, RunState.SENDING) and not has_sender


class Lag:
    """Counts the messages that a service's consumer group has not committed yet. Belongs to one thread."""

    def __init__(self, client: Client):
        self._client = client
        self._reader: Reader | None = None

    def __call__(self, group: str) -> int:
        """Return the group's lag in messages.

        If the lag is unknown, return 1. With a lag of 0, the janitor would end runs.
        """
        try:
            self._reader = self._reader or self._client.reader()
            partitions = self._reader.partitions(group)
            if not partitions:
                return 1
            committed = self._reader.committed(group, partitions)
            ends, beginnings = self._reader.ends(partitions), self._reader.beginnings(partitions)
        except ClientError as error:
            log.debug("the lag of %s is not known: %s", group, error)
            return 1
        return sum(ends[p] - max(committed[p], beginnings[p]) for p in partitions)
