"""Prints the summary of a run that is over: a table of its stages, at most 80 characters wide, and a sentence."""

from rich import box
from rich.console import Console
from rich.table import Column, Table

from client.runs import Run

BEHIND_SECONDS = 0.1
"""The summary mentions the delay of a paced run only if the sending ended at least this late, in seconds."""


def report(run: Run) -> None:
    """Print the table and the sentence."""
    print(f"{as_text(_table(run))}\n{_sentence(run)}")


def as_text(table: Table) -> str:
    """Return a table as rich would print it.

    rich's own `print` ends the process with exit code 1 if nobody reads stdout.
    """
    console = Console(highlight=False)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def _table(run: Run) -> Table:
    stages = run.stages.values()
    table = Table("", *(Column(name, justify="right") for name in run.stages), box=box.SIMPLE, show_edge=False)
    for name in "messages", "distinct", "duplicates", "missing":
        table.add_row(name, *(_figure(getattr(stage, name)) for stage in stages))
    table.add_row("MB/s", *(_figure(stage.byte_rate, 2) for stage in stages))
    table.add_row("msg/s", *(_figure(stage.message_rate) for stage in stages))
    for name in "p50", "p90", "p99", "max":
        table.add_row(f"{name} ms", *(_figure(stage.latency_ms.get(name), 1) for stage in stages))
    return table


def _sentence(run: Run) -> str:
    after = f" after {(run.finished - run.created).total_seconds():.1f} s" if run.finished else ""
    why = f": {run.reason}" if run.reason else ""
    pace = f" at {run.rate:,} per second" if run.rate else ""
    sentence = f"{run.num_messages:,} messages of {run.size:,} bytes{pace}, {run.state}{after}{why}; {run.lost:,} lost."
    behind = run.stages["sent"].behind_seconds
    return f"{sentence} The sending ended {behind:.1f} s behind its schedule." if behind >= BEHIND_SECONDS else sentence


def _figure(number: float | None, digits: int = 0) -> str:
    return "-" if number is None else f"{number:,.{digits}f}"
