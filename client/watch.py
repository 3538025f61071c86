"""Shows a run while it goes on: a bar for each stage."""

from collections.abc import Callable, Iterable

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

from client.runs import Run


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
    """Messages per second, over the last 30 s."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:9,.0f} msg/s")
