"""The ratio of two versions, with its confidence interval."""

import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

RESAMPLES = 10_000
SEED = 1
WORSE = 0.95


@dataclass(frozen=True)
class Comparison:
    """A figure, measured for two versions in each round."""

    name: str
    old: Sequence[float]
    new: Sequence[float]
    less_is_better: bool = False

    @property
    def ratio(self) -> float:
        """The ratio is new / old for rates, and old / new for times.

        If the ratio is above 1, the new version is better.
        """
        return self._ratio(list(zip(self.old, self.new, strict=True)))

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % bootstrap interval of the ratio.

        The bootstrap draws whole rounds, because other load on the machine affects both turns of a round.
        """
        draw = random.Random(SEED).choices
        rounds = list(zip(self.old, self.new, strict=True))
        ratios = [self._ratio(draw(rounds, k=len(rounds))) for _ in range(RESAMPLES)]
        least, *_, most = statistics.quantiles(ratios, n=40, method="inclusive")
        return least, most

    @property
    def is_worse(self) -> bool:
        """True if the whole interval lies below 0.95."""
        return self.interval[1] < WORSE

    def _ratio(self, rounds: Sequence[tuple[float, float]]) -> float:
        old = statistics.median(old for old, _ in rounds)
        new = statistics.median(new for _, new in rounds)
        return old / new if self.less_is_better else new / old
