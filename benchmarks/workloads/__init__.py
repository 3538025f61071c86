"""What is measured side by side. Each workload takes a site and returns a section of the report."""

from collections.abc import Callable

from benchmarks.results import Section
from benchmarks.site import Site
from benchmarks.workloads.consuming import answering, receiving
from benchmarks.workloads.latency import latency
from benchmarks.workloads.memory import memory
from benchmarks.workloads.sending import sending

WORKLOADS: dict[str, Callable[[Site], Section]] = {
    "sending": sending,
    "answering": answering,
    "receiving": receiving,
    "latency": latency,
    "memory": memory,
}
