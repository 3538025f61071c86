"""What was measured, and how it is printed."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from benchmarks.loops import SIZE

Row = Sequence[str]


class Result(Protocol):
    header: Row

    @property
    def row(self) -> Row: ...


@dataclass
class Rate:
    """Messages per second in each round; what is quoted is the median."""

    name: str
    rounds: list[float] = field(default_factory=list)

    header = "", "msg/s", "MB/s", "each round, msg/s"

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

    header = "", "p50 ms", "p90 ms", "p99 ms"

    def percentile(self, number: int) -> float:
        return statistics.quantiles(self.requests, n=100, method="inclusive")[number - 1]

    @property
    def row(self) -> Row:
        return self.name, *(f"{self.percentile(number):.1f}" for number in (50, 90, 99))


@dataclass
class Memory:
    """Resident memory of a process in MB (10^6 bytes): before, at most, and after."""

    name: str
    before: float
    maximum: float
    after: float

    header = "", "before MB", "maximum MB", "after MB", "growth MB"

    @property
    def growth(self) -> float:
        return self.maximum - self.before

    @property
    def row(self) -> Row:
        return self.name, *(f"{mb:.0f}" for mb in (self.before, self.maximum, self.after, self.growth))


@dataclass
class Goal:
    """What was to be reached, and what was."""

    what: str
    reached: str
    met: bool

    def __str__(self) -> str:
        return f"{'met    ' if self.met else 'NOT MET'}  {self.what}: {self.reached}"


def at_least(ratio: float, contender: Rate, other: Rate) -> Goal:
    """The goal to be so many times as fast as the other. Medians decide; the best rounds have the least noise."""
    reached = contender.median / other.median
    best = max(contender.rounds) / max(other.rounds)
    what = f"{contender.name} >= {ratio} x {other.name}"
    return Goal(what, f"{reached:.2f} x (best rounds: {best:.2f} x)", reached >= ratio)


@dataclass
class Section:
    """One piece of the benchmark."""

    title: str
    results: Sequence[Result]
    goals: list[Goal]
    note: str = ""

    def __str__(self) -> str:
        rows = [self.results[0].header, *(result.row for result in self.results)]
        names, *columns = (pad(column) for column in zip(*rows, strict=True))
        lines = ["  ".join(cells) for cells in zip(names, *columns, strict=True)]
        return "\n  ".join([self.title, *lines, *filter(None, [self.note])])


def pad(column: Sequence[str]) -> list[str]:
    """Figures to the right; the first column, of names, has none at its head and goes to the left."""
    width = max(map(len, column))
    return [f"{cell:>{width}}" if column[0] else f"{cell:{width}}" for cell in column]
