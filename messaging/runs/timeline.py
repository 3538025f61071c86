"""Messages per step of time, in at most 300 steps: a long run has longer steps."""

from collections.abc import Iterable
from dataclasses import dataclass, field

STEPS = 300
"""A timeline has at most this many steps. If it needs more, each step becomes twice as long."""


@dataclass
class Timeline:
    """Counts messages per step of time. `start` and `step` are in seconds, and `start` is a multiple of `step`."""

    start: int = 0
    step: int = 1
    messages: list[int] = field(default_factory=list)

    def add(self, count: int, second: int) -> None:
        """Count messages that came in this second (since the epoch)."""
        if not self.messages:
            self.start, self.step = second, 1
        elif second < self.start:
            self._begin_at(second)
        while (second - self.start) // self.step >= STEPS:
            self._double()
        index = (second - self.start) // self.step
        self.messages += [0] * (index + 1 - len(self.messages))
        self.messages[index] += count

    def _begin_at(self, second: int) -> None:
        """Make room for a time before `start`. A clock may go back, or `sum` may add an earlier timeline."""
        while len(self.messages) - (second - self.start) // self.step > STEPS:
            self._double()
        steps = -((second - self.start) // self.step)
        self.messages[:0] = [0] * steps
        self.start -= steps * self.step

    def _double(self) -> None:
        if self.start // self.step % 2:
            self.start -= self.step
            self.messages.insert(0, 0)
        if len(self.messages) % 2:
            self.messages.append(0)
        self.messages = [sum(self.messages[i : i + 2]) for i in range(0, len(self.messages), 2)]
        self.step *= 2

    @classmethod
    def sum(cls, several: Iterable["Timeline"]) -> "Timeline":
        """Return the counts of all timelines together. The step is at least the longest of their steps."""
        total = cls()
        parts = [one for one in several if one.messages]
        for one in sorted(parts, key=lambda one: -one.step):
            for index, count in enumerate(one.messages):
                if not total.messages:
                    total.start, total.step, total.messages = one.start, one.step, [count]
                elif count:
                    total.add(count, one.start + index * one.step)
        return total
