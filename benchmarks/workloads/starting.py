"""Measures how long ping, pong and the API take to start, and how much memory they need.

Both figures are measured first with few earlier runs, and then with many.
"""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from uuid import UUID

from benchmarks.history import write_history
from benchmarks.results import Goal, Section, Start
from benchmarks.site import Site
from benchmarks.usage import resident_mb

ROUNDS = 5
RUNS = 100_000
SECONDS = 10
GROWTH_MB = 50


def measure_starting(site: Site) -> Section:
    """Start ping, pong and the API together, several times.

    Then write many runs to the journal, and repeat the starts.
    """
    none = Start("few earlier runs", [start(site) for _ in range(ROUNDS)])
    runs = write_history(site.kafka, RUNS)
    many = Start(f"{RUNS:,} earlier runs", [start(site, runs) for _ in range(ROUNDS)])
    growth = max(many.memory_mb[name] - none.memory_mb[name] for name in none.memory_mb)
    goals = [
        Goal(
            f"ping, pong and the API start within {SECONDS} s with {RUNS:,} earlier runs",
            f"{many.seconds:.1f} s",
            many.seconds <= SECONDS,
        ),
        Goal(f"{RUNS:,} earlier runs add at most {GROWTH_MB} MB to a process", f"{growth:.0f} MB", growth <= GROWTH_MB),
    ]
    return Section("Starting ping, pong and the API together", [none, many], goals)


def start(site: Site, runs: Sequence[UUID] = ()) -> tuple[float, dict[str, float]]:
    """Start ping, pong and the API. Return the seconds until all three are ready, and the memory of each in MB.

    The memory is measured after a few requests.
    """
    started = time.perf_counter()
    with ExitStack() as stack:
        ping, pong = (stack.enter_context(site.service(name)) for name in ("ping", "pong"))
        api = stack.enter_context(site.api())
        api.wait("/readyz")
        if runs:
            api.wait(f"/runs/{runs[-1]}")  # the status is 200 only after this process of the API has read all records
        seconds = time.perf_counter() - started
        for path in 4 * ("/ping/100/100", "/pong/100/100", "/runs"):
            api.get(path)
        pids = {"ping": [ping.pid], "pong": [pong.pid], "API": api.workers}
        return seconds, {name: max(map(resident_mb, each)) for name, each in pids.items()}
