"""Shows a run while it goes on: a bar for each stage."""

import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

from client.runs import Run

SECONDS = 30


def watch(runs: Iterable[Run], warn: Callable[[str], None], show: bool = True) -> None:
    """Draw each state of the run until the last one. `warn` gets a sentence when a stall begins or ends."""
    columns = TextColumn("{task.description}"), BarColumn(30), TextColumn("{task.completed:9,}"), Rate()
    stalled: str | None = None
    bars: dict[str, TaskID] = {}
    with Progress(*columns, transient=True, disable=not show) as progress:
        for run in runs:
            for name, stage in run.stages.items():
                if name not in bars:
                    bars[name] = progress.add_task(name, total=run.num_messages)
                progress.update(bars[name], completed=stage.distinct)
            if run.stalled != stalled:
                stalled = run.stalled
                if stalled:
                    warn(f"Stalled: {stalled} waits for messages. Still watching ...")
                else:
                    warn("The run is no longer stalled.")


class Rate(ProgressColumn):
    """Messages per second, over the last 30 s. rich's own speed ends at the last change, so it would hide a stall."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        super().__init__()
        self._clock = clock
        self._seen: dict[TaskID, deque[tuple[float, float]]] = defaultdict(deque)

    def render(self, task: Task) -> Text:
        now, seen = self._clock(), self._seen[task.id]
        if task.finished and task.finished_speed:
            return Text(f"{task.finished_speed:9,.0f} msg/s")
        seen.append((now, task.completed))
        while len(seen) > 2 and seen[1][0] <= now - SECONDS:
            seen.popleft()
        since, completed = seen[0]
        return Text(f"{(task.completed - completed) / (now - since):9,.0f} msg/s" if now > since else "")
