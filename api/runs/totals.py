"""Adds up all runs for the metrics. Pure, and not safe for threads.

Counters must never decrease, and every API process must show the same values. So the counters include only runs that
were created after the API had started. If newer runs replace a run in the catalog, the counters still include this run.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from api.runs.clock import now
from api.runs.model import STAGES, Run
from messaging.journal.requests import RETENTION_MS
from messaging.journal.states import SENT
from messaging.runs.latencies import Latencies

BOUNDS = 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0
"""The upper bounds of the latency histogram, in seconds. One more bucket has no bound."""

_MICROSECONDS = [round(bound * 1_000_000) for bound in BOUNDS]


class Point(NamedTuple):
    """One stage of all runs that one service sends."""

    service: str
    stage: str


@dataclass
class Totals:
    """Sums over runs. `latencies` counts messages by bucket, `latency_sum` is in microseconds."""

    messages: Counter[Point] = field(default_factory=Counter)
    bytes: Counter[Point] = field(default_factory=Counter)
    duplicates: Counter[Point] = field(default_factory=Counter)
    failed: Counter[Point] = field(default_factory=Counter)
    latencies: Counter[tuple[Point, int]] = field(default_factory=Counter)
    latency_sum: Counter[Point] = field(default_factory=Counter)

    def change(self, before: "Totals", after: "Totals") -> None:
        """Replace `before` by `after` in these sums."""
        for name, counts in vars(self).items():
            counts.update(getattr(after, name))
            counts.subtract(getattr(before, name))

    def copy(self) -> "Totals":
        return Totals(**{name: Counter(counts) for name, counts in vars(self).items()})


@dataclass(frozen=True)
class RunTotals:
    """All runs at one moment."""

    since_start: Totals | None
    """Counts only runs that were created after the API's start. None if this process does not know all these runs."""
    states: Counter[str]
    """How many kept runs are in each state."""
    missing: Counter[Point]
    """How many messages are missing at each stage. This counts only runs that are over or stalled."""
    stalled: int


@dataclass(frozen=True)
class _Kept:
    """The numbers of one run that is kept."""

    totals: Totals = field(default_factory=Totals)
    states: Counter[str] = field(default_factory=Counter)
    missing: Counter[Point] = field(default_factory=Counter)


class TotalsKeeper:
    """Adds up the runs of a catalog. Each call of `totals` recounts only the changed runs."""

    def __init__(self) -> None:
        self.since = now()
        """When the API started. `since_start` counts only runs that were created later."""
        self._is_complete = True
        self._totals = Totals()
        self._states: Counter[str] = Counter()
        self._missing: Counter[Point] = Counter()
        self._changed: dict[UUID, Run] = {}
        self._kept: dict[UUID, _Kept] = {}

    def begin(self, oldest: int | None, any_dropped: bool) -> None:
        """Find out if this process knows all runs that were created after the API had started.

        `oldest` is the time when the oldest kept run was created. `any_dropped` is True if older runs were dropped.
        Gunicorn may start a process long after the API has started. Such a process may have missed some of the runs.
        """
        lacks_older = any_dropped or now() - self.since > RETENTION_MS * 1000
        self._is_complete = not lacks_older or (oldest is not None and oldest <= self.since)

    def change(self, run: Run) -> None:
        """Remember that a kept run has changed."""
        self._changed[run.id] = run

    def drop(self, run: Run) -> None:
        """Count a run for the last time, because newer runs replace this run."""
        self._take(run)
        kept = self._kept.pop(run.id)
        self._states.subtract(kept.states)
        self._missing.subtract(kept.missing)

    def totals(self, stalled: Sequence[Run]) -> RunTotals:
        """Return the sums. `stalled` are the runs that are stalled now."""
        for run in list(self._changed.values()):
            self._take(run)
        missing = Counter(self._missing)
        for run in stalled:
            missing.update(_missing(run))
        since_start = self._totals.copy() if self._is_complete else None
        return RunTotals(since_start, Counter(self._states), missing, len(stalled))

    def _take(self, run: Run) -> None:
        self._changed.pop(run.id, None)
        before = self._kept.get(run.id, _Kept())
        after = self._kept[run.id] = _Kept(
            _totals(run) if run.request.created >= self.since else Totals(),
            Counter({str(run.state()[0]): 1}),
            _missing(run) if run.is_over else Counter(),
        )
        self._totals.change(before.totals, after.totals)
        self._states.update(after.states)
        self._states.subtract(before.states)
        self._missing.update(after.missing)
        self._missing.subtract(before.missing)


def _totals(run: Run) -> Totals:
    totals = Totals()
    for name in STAGES[run.request.service]:
        point, stages = Point(run.request.service, name), [state.stage for state in run.states.get(name, {}).values()]
        totals.messages[point] = sum(stage.messages for stage in stages)
        totals.bytes[point] = sum(stage.bytes for stage in stages)
        totals.failed[point] = sum(len(stage.failed) for stage in stages)
        totals.duplicates[point] = totals.messages[point] - len(run.numbers(name))
        for stage in stages:
            _add_latencies(totals, point, stage.latencies)
    return totals


def _add_latencies(totals: Totals, point: Point, latencies: Latencies) -> None:
    for latency, count in latencies.counts.items():
        totals.latencies[point, bisect_left(_MICROSECONDS, latency)] += count
        totals.latency_sum[point] += latency * count


def _missing(run: Run) -> Counter[Point]:
    """Return one number for each stage after `sent`: how many sent messages have not reached this stage."""
    sent, service = run.numbers(SENT), run.request.service
    return Counter({Point(service, name): len(sent - run.numbers(name)) for name in STAGES[service] if name != SENT})
