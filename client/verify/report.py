"""Prints a verdict: a table with a column for each topic and a sentence for each difference, or one JSON object."""

import json
from dataclasses import asdict

from rich import box
from rich.table import Column, Table

from client.report import as_text
from client.runs import Run
from client.verify.judging import Verdict

ROWS = {
    "messages": "messages",
    "distinct": "distinct",
    "twice": "twice",
    "missing": "missing",
    "out_of_order": "out of order",
    "changed": "payload changed",
}


def print_json(run: Run, verdict: Verdict) -> None:
    """Print one object."""
    members = {"run": run.id, "state": run.state, "agrees": verdict.agrees, **asdict(verdict)}
    print(json.dumps(members))


def print_table(run: Run, verdict: Verdict) -> None:
    """Print the run, the table and the sentences."""
    topics = verdict.topics
    table = Table("topic", *(Column(name, justify="right") for name in topics), box=box.SIMPLE, show_edge=False)
    for name, title in ROWS.items():
        table.add_row(title, *(f"{getattr(figures, name):,}" for figures in topics.values()))
    print(f"Run {run.id}, {run.state}\n")
    print(as_text(table))
    for note in verdict.notes:
        print(f"{note} After a kill or an outage this is no error.")
    print("The topics hold what the API says." if verdict.agrees else "Topics and API differ:")
    for difference in verdict.differences:
        print(f"- {difference}")
