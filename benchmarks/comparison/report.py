"""The result of a comparison: as text and as JSON."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.comparison.ratios import WORSE, Comparison
from benchmarks.comparison.turn import REQUESTS, Figures
from benchmarks.comparison.versions import Version
from benchmarks.table import table

DIGITS = {"sending, msg/s": 0, "bounce, msg/s": 0, "latency, ms": 2, "CPU, µs/message": 2}


@dataclass(frozen=True)
class Report:
    """The figures of both versions, round by round."""

    old: Version
    new: Version
    messages: int
    rounds: Sequence[tuple[Figures, Figures]]
    """The figures of the old and of the new version in each round."""

    @property
    def comparisons(self) -> list[Comparison]:
        def compare(name: str, figure: Callable[[Figures], float], less_is_better: bool = False) -> Comparison:
            old, new = zip(*((figure(old), figure(new)) for old, new in self.rounds), strict=True)
            return Comparison(name, old, new, less_is_better)

        return [
            compare("sending, msg/s", lambda figures: figures.sending),
            compare("bounce, msg/s", lambda figures: figures.bounce),
            compare("latency, ms", lambda figures: figures.latency, less_is_better=True),
            compare("CPU, µs/message", lambda figures: figures.cpu, less_is_better=True),
        ]

    def __str__(self) -> str:
        header = "", "old", "new", "ratio", "95 % interval", f"interval below {WORSE}?"
        return "\n".join(
            [
                f"Medians of {len(self.rounds)} rounds: {self.old.name} ({self.old.commit}, old)"
                f" and {self.new.name} ({self.new.commit}, new)",
                *(f"  {line}" for line in table([header, *map(row, self.comparisons)])),
                "The ratio is new / old for rates, and old / new for latency and CPU.",
                "If the ratio is above 1, the new version is better.",
                f"sending   one request for {self.messages:,} messages, while pong is stopped",
                f"bounce    {self.messages:,} messages, until ping and pong have handled and committed everything",
                f"latency   median time of {REQUESTS} requests, one after the other, each for one message",
                "CPU       CPU time of ping and pong during the bounce, per message",
            ]
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "old": {"revision": self.old.name, "commit": self.old.commit},
            "new": {"revision": self.new.name, "commit": self.new.commit},
            "messages": self.messages,
            "comparisons": [
                {
                    "name": comparison.name,
                    "old": comparison.old,
                    "new": comparison.new,
                    "less_is_better": comparison.less_is_better,
                    "ratio": comparison.ratio,
                    "interval": comparison.interval,
                    "is_worse": comparison.is_worse,
                }
                for comparison in self.comparisons
            ],
        }


def row(comparison: Comparison) -> list[str]:
    digits = DIGITS[comparison.name]
    least, most = comparison.interval
    return [
        comparison.name,
        *(f"{statistics.median(values):,.{digits}f}" for values in (comparison.old, comparison.new)),
        f"{comparison.ratio:.3f}",
        f"{least:.3f} to {most:.3f}",
        "yes, worse" if comparison.is_worse else "no",
    ]
