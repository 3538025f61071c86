"""The measurements. Each workload takes a site and returns a section of the report."""

from collections.abc import Callable

from benchmarks.results import Section
from benchmarks.site import Site
from benchmarks.workloads.bouncing import measure_bouncing, measure_scaling
from benchmarks.workloads.consuming import measure_answering, measure_receiving
from benchmarks.workloads.latency import measure_latency
from benchmarks.workloads.memory import measure_memory
from benchmarks.workloads.sending import measure_sending
from benchmarks.workloads.starting import measure_starting

WORKLOADS: dict[str, Callable[[Site], Section]] = {
    "sending": measure_sending,
    "answering": measure_answering,
    "receiving": measure_receiving,
    "bouncing": measure_bouncing,
    "scaling": measure_scaling,
    "latency": measure_latency,
    "memory": measure_memory,
    "starting": measure_starting,  # last, because it leaves many runs in the journal
}
