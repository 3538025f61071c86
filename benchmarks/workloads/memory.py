"""Measures the memory of the processes while one request bounces a million messages."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from benchmarks.contenders.loops import SIZE
from benchmarks.results import Goal, Memory, Section
from benchmarks.site import Site
from benchmarks.usage import resident_mb
from benchmarks.workloads.bounce import await_handled

MESSAGES = 1_000_000
SAMPLE_SECONDS = 0.5

Sample = dict[str, float]


def measure_memory(site: Site) -> Section:
    """Measure the resident memory of ping, pong and the API's workers."""
    with site.service("ping") as ping, site.service("pong") as pong, site.api() as api:
        api.wait("/readyz")
        pids = {"ping": ping.pid, "pong": pong.pid}
        pids |= {f"api worker {number}": pid for number, pid in enumerate(api.workers, 1)}
        with sampled(pids) as samples:
            started = time.perf_counter()
            sent = api.get(f"/ping/{MESSAGES}/{SIZE}")
            await_handled(site, MESSAGES)
            bounced = time.perf_counter() - started
    results = [
        Memory(name, samples[0][name], max(sample[name] for sample in samples), samples[-1][name]) for name in pids
    ]
    growth = max(result.growth for result in results)
    goal = Goal("no process grows by more than 100 MB", f"{growth:.0f} MB", growth <= 100)
    note = (
        f"All messages were sent after {sent:.1f} s ({MESSAGES / sent:,.0f} msg/s)."
        f" All were answered and consumed after {bounced:.1f} s ({MESSAGES / bounced:,.0f} msg/s)."
    )
    return Section(f"Memory while {MESSAGES:,} messages are bounced", results, [goal], note)


@contextmanager
def sampled(pids: Mapping[str, int]) -> Iterator[list[Sample]]:
    """Collect the memory of these processes: now, every SAMPLE_SECONDS, and at the end."""

    def sample() -> Sample:
        return {name: resident_mb(pid) for name, pid in pids.items()}

    def collect() -> None:
        while not over.wait(SAMPLE_SECONDS):
            samples.append(sample())

    samples, over = [sample()], threading.Event()
    thread = threading.Thread(target=collect)
    thread.start()
    try:
        yield samples
    finally:
        over.set()
        thread.join()
    samples.append(sample())
