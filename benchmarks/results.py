"""The results: rates, latencies, memory, and the goals that they meet or miss."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from benchmarks.contenders.loops import SIZE
from benchmarks.table import Row, table


class Result(Protocol):
    """A row of a section's table."""

    header: ClassVar[Row]

    @property
    def row(self) -> Row: ...


@dataclass
class Rate:
    """Messages per second in each round. The median is the figure to quote."""

    name: str
    rounds: list[float] = field(default_factory=list)

    header: ClassVar[Row] = ("", "msg/s", "MB/s", "each round, msg/s")

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)

    @property
    def row(self) -> Row:
        rounds = "  ".join(f"{rate:7,.0f}" for rate in self.rounds)
        return self.name, f"{self.median:,.0f}", f"{self.median * SIZE / 1e6:.2f}", rounds


@dataclass
class Latency:
    """How long requests took, in ms."""

    name: str
    requests: list[float]

    header: ClassVar[Row] = ("", "p50 ms", "p90 ms", "p99 ms")

    def percentile(self, number: int) -> float:
        return statistics.quantiles(self.requests, n=100, method="inclusive")[number - 1]

    @property
    def row(self) -> Row:
        return self.name, *(f"{self.percentile(number):.1f}" for number in (50, 90, 99))


@dataclass
class Memory:
    """Resident memory of a process in MB (10^6 bytes): before the work, the maximum, and after the work."""

    name: str
    before: float
    maximum: float
    after: float

    header: ClassVar[Row] = ("", "before MB", "maximum MB", "after MB", "growth MB")

    @property
    def growth(self) -> float:
        return self.maximum - self.before

    @property
    def row(self) -> Row:
        return self.name, *(f"{mb:.0f}" for mb in (self.before, self.maximum, self.after, self.growth))


@dataclass
class Start:
    """The start times and the memory of ping, pong and the API.

    Each round has the seconds until all three were ready, and the memory of each process in MB. The API has several
    workers, and only the largest worker counts. The row shows the medians and the seconds of each round.
    """

    name: str
    rounds: list[tuple[float, dict[str, float]]]

    header: ClassVar[Row] = ("", "ready after s", "each round, s", "ping MB", "pong MB", "API MB")

    @property
    def seconds(self) -> float:
        return statistics.median(seconds for seconds, _ in self.rounds)

    @property
    def memory_mb(self) -> dict[str, float]:
        names = self.rounds[0][1]
        return {name: statistics.median(memory[name] for _, memory in self.rounds) for name in names}

    @property
    def row(self) -> Row:
        rounds = "  ".join(f"{seconds:.1f}" for seconds, _ in self.rounds)
        memory = self.memory_mb
        return self.name, f"{self.seconds:.1f}", rounds, *(f"{memory[name]:.0f}" for name in ("ping", "pong", "API"))


@dataclass
class Goal:
    """A goal and the figure that was reached."""

    what: str
    reached: str
    met: bool

    def __str__(self) -> str:
        return f"{'met    ' if self.met else 'NOT MET'}  {self.what}: {self.reached}"


def at_least(ratio: float, contender: Rate, other: Rate) -> Goal:
    """Return a goal: the contender must be at least `ratio` times as fast as the other one.

    The medians count. The best rounds are shown too, because they have the least noise.
    """
    reached = contender.median / other.median
    best = max(contender.rounds) / max(other.rounds)
    what = f"{contender.name} >= {ratio} x {other.name}"
    return Goal(what, f"{reached:.2f} x (best rounds: {best:.2f} x)", reached >= ratio)


@dataclass
class Section:
    """The results of one workload."""

    title: str
    results: Sequence[Result]
    goals: list[Goal]
    note: str = ""

    def __str__(self) -> str:
        lines = table([self.results[0].header, *(result.row for result in self.results)])
        return "\n  ".join([self.title, *lines, *filter(None, [self.note])])
