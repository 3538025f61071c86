"""The screen of `make demo`: a bar for each stage, the kills as they happen, and a table at the end."""

import io
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Column, Table
from rich.text import Text

from benchmarks.designs import Design, services
from demo.result import Result

COLUMNS = {
    "sent": "{:,}",
    "lost": "{:,}",
    "twice": "{:,}",
    "out_of_order": "{:,}",
    "seconds": "{:.1f}",
    "message_rate": "{:,.0f}",
}
TITLES = {"out_of_order": "out of\norder", "message_rate": "messages/s"}
SVG_WIDTH = 80


class Part:
    """The part of the screen for one design."""

    def __init__(self, design: Design):
        self._title = Text.assemble((design.name, "bold"), f"  {design.messages:,} messages, {design.client}")
        self._bars = Progress(
            TextColumn("  {task.description:<9}"),
            BarColumn(40),
            TextColumn("{task.completed:>10,}"),
            auto_refresh=False,
        )
        self._messages = design.messages
        self._tasks: dict[str, TaskID] = {}
        self._kills: list[Text] = []
        self.status = ""

    def progress(self, progress: services.Progress) -> None:
        for name, count in progress.stages.items():
            if name not in self._tasks:
                self._tasks[name] = self._bars.add_task(name, total=self._messages)
            self._bars.update(self._tasks[name], completed=count)

    def killed(self, service: str, answers: int) -> None:
        line = f"  {service} killed by SIGKILL at {answers:,} answers, and started again"
        self._kills.append(Text(line, "red"))

    def __rich__(self) -> RenderableType:
        status = [Text(f"  {self.status}", "dim")] if self.status else []
        bars = [self._bars] if self._tasks else []
        return Group(self._title, *bars, *self._kills, *status, "")


class Screen:
    """The whole screen. A context manager that draws it on `console` while the context is open."""

    def __init__(self, console: Console):
        self._parts: list[Part] = []
        self._end: list[RenderableType] = []
        self._live = Live(console=console, get_renderable=lambda: self, refresh_per_second=5)

    def __enter__(self) -> "Screen":
        self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._live.stop()

    def begin(self, design: Design) -> Part:
        """Add a design below the others."""
        self._parts.append(Part(design))
        return self._parts[-1]

    def finish(self, results: Sequence[Result]) -> None:
        """Add the table of results at the end."""
        self._end = [table(results)]

    def save(self, path: Path) -> None:
        """Write the screen to this file, as SVG."""
        console = Console(record=True, file=io.StringIO(), width=SVG_WIDTH, force_terminal=True)
        console.print(self)
        console.save_svg(str(path), title="make demo")

    def __rich__(self) -> RenderableType:
        return Group(*self._parts, *self._end)


def table(results: Sequence[Result]) -> Table:
    """Return the table with a row for each design."""
    headings = [Column(TITLES.get(name, name), justify="right") for name in COLUMNS]
    drawn = Table(Column("design", no_wrap=True), *headings, box=box.SIMPLE, show_edge=False)
    for result in results:
        figures = (form.format(getattr(result, name)) for name, form in COLUMNS.items())
        drawn.add_row(result.design, *figures)
    return drawn
