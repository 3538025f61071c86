"""Computes all values at regular times, in a thread. Keeps the values of the last minutes for the page."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from api.metrics.kafka import KafkaLook
from api.metrics.probe import FRESH_SECONDS, PACE_SECONDS, Probe, until_next
from api.metrics.rabbitmq import RabbitLook
from api.metrics.values import TotalsLook, Values, values_at
from api.runs.totals import RunTotals

log = logging.getLogger(__name__)

HISTORY_SECONDS = 240


class Recorder:
    """Safe for threads. Never waits for a broker. If a probe has no fresh look, its values are unknown."""

    def __init__(
        self,
        kafka: Probe[KafkaLook],
        rabbitmq: Probe[RabbitLook],
        totals: Callable[[], RunTotals | None],
        clock: Callable[[], float] = time.time,
    ):
        self._kafka = kafka
        self._rabbitmq = rabbitmq
        self._runs = Probe("runs", self._look_at_runs, clock)
        self._totals = totals
        self._clock = clock
        self._history: deque[Values] = deque(maxlen=HISTORY_SECONDS // PACE_SECONDS)

    def start(self) -> None:
        """Start the threads. Call this after a fork."""
        self._kafka.start()
        self._rabbitmq.start()
        threading.Thread(target=self._run, name="metrics", daemon=True).start()

    def _run(self) -> None:
        while True:
            # Wake up half a pace after the probes have looked. Then they probably have new results.
            time.sleep(until_next(self._clock() + PACE_SECONDS / 2, PACE_SECONDS))
            try:
                self.record()
            except Exception:  # any exception: this thread must continue
                log.exception("metrics are not recorded, trying again")

    def record(self) -> None:
        """Compute the current values."""
        self._runs.look()
        looks = self._kafka.recent(), self._rabbitmq.recent(), self._runs.recent()
        self._history.append(values_at(self._clock(), *looks))

    def newest(self) -> Values:
        """Return the newest values. If they are too old, both brokers count as down, and the rest is unknown."""
        history = self.history()
        if not history or self._clock() - history[-1].at > FRESH_SECONDS:
            return values_at(self._clock(), (), (), ())
        return history[-1]

    def history(self) -> Sequence[Values]:
        """Return the values of the last HISTORY_SECONDS, the newest last."""
        return list(self._history)

    def _look_at_runs(self) -> TotalsLook:
        totals = self._totals()
        if totals is None:
            raise LookupError("the runs are being read")
        return TotalsLook(self._clock(), totals)
