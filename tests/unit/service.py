"""A service with the Kafka entrypoint of this project. The test controls its consumer, handler and clock."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import eventlet

from messaging import settings
from messaging.clients.errors import Unavailable
from messaging.clients.protocols import Fetched, Partition, Polled
from messaging.delivery.at_least_once import AtLeastOnce
from messaging.extensions.consumer import COMMIT_SECONDS, BatchConsumer
from messaging.extensions.stopping import SETTINGS
from messaging.runs.batch import Batch
from messaging.stopping import StopRequest
from tests.unit.fakes import Clock, Journal

P0, P1 = Partition("pong", 0), Partition("ping", 0)


def fetched(offsets: range, partition: Partition = P0, size: int = 1) -> Polled:
    """A poll with messages of one partition: with these offsets, and values of `size` bytes."""
    count = len(offsets)
    columns = [partition.number] * count, offsets, [b"k"] * count, [bytes(size)] * count
    return Polled([Fetched(partition.topic, *columns, {partition: offsets.stop}, 0.01)])


class Consumer:
    """A consumer whose polls the test prepares. While it is paused, polls return no messages."""

    keep_alive_seconds = 0.01

    def __init__(self, *polls: Polled | Exception):
        self._polls = list(polls)
        self.committed: list[dict[Partition, int]] = []
        """The offsets of each `commit_soon`."""
        self.confirmed: dict[Partition, int] = {}
        self.events: list[str] = []
        """The calls of `pause`, `resume`, `commit` and `close`, in order."""
        self.polled_while_paused = 0
        self.paused = False
        self.refusals = 0
        """How many of the next calls of `commit_soon` stay unconfirmed."""
        self.commits_fail = self.close_fails = False

    def comes(self, *polls: Polled | Exception) -> None:
        """Prepare the next polls."""
        self._polls += polls

    def poll(self, seconds: float) -> Polled:
        self.polled_while_paused += self.paused
        if not self._polls or (self.paused and getattr(self._polls[0], "fetched", ())):
            return Polled()
        polled = self._polls.pop(0)
        if isinstance(polled, Exception):
            raise polled
        if polled.changes:
            self.confirmed = {}
        return polled

    def pause(self) -> None:
        self.events.append("pause")
        self.paused = True

    def resume(self) -> None:
        self.events.append("resume")
        self.paused = False

    def commit_soon(self, offsets) -> None:
        self.committed.append(dict(offsets))
        if self.refusals:
            self.refusals -= 1
        else:
            self.confirmed |= offsets

    def commit(self, offsets, seconds: float) -> None:
        if self.commits_fail:
            raise Unavailable("gone")
        self.events.append("commit")
        self.confirmed |= offsets

    def close(self) -> None:
        self.events.append("close")
        if self.close_fails:
            raise Unavailable("gone")


class Service:
    """Runs the entrypoint. The entrypoint hands over a batch, and after `seconds`, `handler` gets it."""

    def __init__(
        self,
        consumer: Consumer,
        handler: Callable[[Batch], object] = lambda batch: None,
        seconds: float = 0,
        health_file: Path | None = None,
    ):
        self.consumer = consumer
        self.handled: list[int] = []
        """The size of each batch that the handler got."""
        self.clock = Clock()
        self.journal = Journal()
        self.stop = StopRequest()
        self._handler = handler
        self._seconds = seconds
        self.entrypoint = BatchConsumer("pong", "ping")
        self.entrypoint.container = SimpleNamespace(
            config={SETTINGS: replace(settings.load(), health_file=health_file)},
            spawn_worker=self._spawn_worker,
            _worker_pool=SimpleNamespace(free=lambda: 10),
        )
        self.entrypoint.stopping = self.stop
        receiving = AtLeastOnce(consumer, self.journal, self.stop, self.entrypoint.changed)
        self.entrypoint.prepare(receiving, self.clock)

    def turn(self, times: int = 1) -> None:
        """Let the loop turn. Before each turn, enough time passes for a commit."""
        for _ in range(times):
            self.clock.advance(COMMIT_SECONDS)
            self.entrypoint.turn()

    def _spawn_worker(self, entrypoint, args, kwargs, handle_result) -> None:
        eventlet.spawn_after(self._seconds, self._work, *args, handle_result)

    def _work(self, batch: Batch, handle_result) -> None:
        self.handled.append(len(batch))
        try:
            result = self._handler(batch)
        except Exception:
            handle_result(None, None, sys.exc_info())
        else:
            handle_result(None, result, None)
