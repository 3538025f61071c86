"""Throughput of a consumer: exactly one log line per CONSUMER_METRIC_BATCH messages, regardless of poll size."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from nameko.extensions import DependencyProvider

from messaging.extensions.metrics import ServiceMetrics
from messaging.extensions.stopping import settings_of
from messaging.runs.batch import Batch

log = logging.getLogger(__name__)

LINE = (
    "topic=%(topic)s messages=%(messages)d total=%(total)d seconds=%(seconds).6f message_rate=%(message_rate).1f"
    " byte_rate=%(byte_rate).6f latency_p50_ms=%(latency_p50_ms).3f latency_max_ms=%(latency_max_ms).3f"
    " unstamped=%(unstamped)d"
)


class TopicStats:
    """Counts the messages of one topic, and logs a line for each `batch_size` messages.

    The time of a line begins when the previous line ends. After a pause, it begins with the first message of the line.
    If messages of a line came before and after a pause, its time includes the pause.
    """

    def __init__(self, topic: str, batch_size: int, clock: Callable[[], float] = time.perf_counter):
        self._topic = topic
        self._batch_size = batch_size
        self._clock = clock
        self._total = 0
        self._last_arrival: float | None = None  # in seconds, by `clock`
        self._begin()

    def _begin(self) -> None:
        self._messages = 0
        self._bytes = 0
        self._unstamped = 0
        self._latencies: list[float] = []

    def record(self, batch: Batch) -> None:
        """Count a polled batch, as if its messages had come at equal intervals from its start time until now."""
        now = self._clock()
        instant = time.time_ns() // 1000
        latencies = [None if sent is None else (instant - sent) / 1000 for sent in batch.sent_times]
        sizes = [len(value) if value else 0 for value in batch.values]
        arrival = self._begin_of(batch, latencies[0], now)
        gap = (now - arrival) / len(batch)
        if not self._messages:
            self._since = arrival
        start = 0
        while start < len(batch):
            end = min(start + self._batch_size - self._messages, len(batch))
            self._add(sizes[start:end], latencies[start:end])
            if self._messages == self._batch_size:
                self._log(arrival + end * gap)
            start = end
        self._last_arrival = now

    def _begin_of(self, batch: Batch, latency: float | None, now: float) -> float:
        """Return the start time of this batch, without idle time. `latency` is that of its first message."""
        last = now - batch.poll_seconds if self._last_arrival is None else self._last_arrival
        begin = max(last, batch.idle_until)
        if latency is not None and latency >= 0:  # a latency is negative if the clocks of two hosts differ
            begin = max(begin, now - latency / 1000)
        return min(now, begin)

    def _add(self, sizes: Sequence[int], latencies: Sequence[float | None]) -> None:
        stamped = [latency for latency in latencies if latency is not None]
        self._messages += len(sizes)
        self._bytes += sum(sizes)
        self._unstamped += len(sizes) - len(stamped)
        self._latencies += stamped

    def _log(self, now: float) -> None:
        seconds = max(now - self._since, 1e-6)
        self._total += self._messages
        latencies = sorted(self._latencies)
        p50, most = (latencies[(len(latencies) - 1) // 2], latencies[-1]) if latencies else (0, 0)
        figures = {
            "topic": self._topic,
            "messages": self._messages,
            "total": self._total,
            "seconds": round(seconds, 6),
            "message_rate": round(self._messages / seconds, 1),
            "byte_rate": round(self._bytes / seconds / 1e6, 6),
            "latency_p50_ms": round(max(p50, 0), 3),
            "latency_max_ms": round(max(most, 0), 3),
            "unstamped": self._unstamped,
        }
        log.info(LINE, figures, extra=figures)
        self._since = now
        self._begin()


class ConsumerStats(DependencyProvider):
    """Injects an object with `record(batch)`. It counts per topic, as long as the process lives."""

    metrics = ServiceMetrics()

    def setup(self) -> None:
        self._batch_size = settings_of(self.container).consumer_metric_batch
        self._topics: dict[str, TopicStats] = {}

    def get_dependency(self, worker_ctx: Any) -> "ConsumerStats":
        return self

    def record(self, batch: Batch) -> None:
        """Count a polled batch."""
        if batch.topic not in self._topics:
            self._topics[batch.topic] = TopicStats(batch.topic, self._batch_size)
        self._topics[batch.topic].record(batch)
        self.metrics.meter.received[batch.topic] += len(batch)
