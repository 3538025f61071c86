"""Measures how long one small request takes."""

import time

from benchmarks.api import Api
from benchmarks.results import Goal, Latency, Section
from benchmarks.site import Site
from benchmarks.workloads.bounce import await_handled

PATH = "/ping/1/1"
WARM_UP = 20
"""The number of requests before the measurement. Their times do not count."""
REQUESTS = 200
PAUSE_SECONDS = 0.03
"""The pause between requests. Meanwhile the answer reaches ping, so the services are idle at the next request."""


def measure_latency(site: Site) -> Section:
    """Send one request at a time to idle services."""
    with site.service("ping"), site.service("pong"), site.api() as api:
        api.wait("/readyz")
        result = Latency(f"GET {PATH}", [1000 * seconds for seconds in one_by_one(api, REQUESTS)])
        await_handled(site, WARM_UP + REQUESTS)
    p50 = result.percentile(50)
    goal = Goal(f"median of {result.name} < 20 ms", f"{p50:.1f} ms", p50 < 20)
    return Section(f"Latency of {REQUESTS} requests, one after the other", [result], [goal])


def one_by_one(api: Api, requests: int) -> list[float]:
    """Send one request at a time, and return how many seconds each request took.

    WARM_UP more requests are sent first. Their times are not in the result.
    """
    seconds = []
    for _ in range(WARM_UP + requests):
        seconds.append(api.get(PATH))
        time.sleep(PAUSE_SECONDS)
    return seconds[WARM_UP:]
