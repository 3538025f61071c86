"""One turn of one version: its services and its API are started, measured from outside, and stopped."""

import re
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

from benchmarks import BenchmarkError, expect
from benchmarks.api import Api
from benchmarks.comparison.versions import Version
from benchmarks.contenders.loops import SIZE
from benchmarks.processes import service
from benchmarks.site import Site
from benchmarks.usage import cpu_seconds
from benchmarks.workloads.bounce import await_bounced
from benchmarks.workloads.latency import one_by_one
from local.processes import Process
from local.waiting import wait_until

TOPICS = {"ping": 4, "pong": 4, "runs": 1, "run-requests": 1, "run-states": 4}
"""The topics of all versions, with their numbers of partitions.

Each turn begins with empty topics, because versions may write different formats to the same topic."""
REQUESTS = 100
START_SECONDS = 60


@dataclass(frozen=True)
class Figures:
    """The figures of one turn."""

    sending: float
    """How many messages one request sends per second, while pong is stopped."""
    bounce: float
    """Messages per second, from the request until ping and pong have handled and committed everything."""
    latency: float
    """Median time of a request for one message, in ms. The requests are sent one after the other."""
    cpu: float
    """CPU time of ping and pong per bounced message, in microseconds."""

    def __str__(self) -> str:
        return (
            f"sending {self.sending:,.0f} msg/s, bounce {self.bounce:,.0f} msg/s, latency {self.latency:.1f} ms, "
            f"CPU {self.cpu:.1f} µs/message"
        )


def take_turn(site: Site, version: Version, messages: int) -> Figures:
    """Start this version on empty topics, measure it, and stop it. Raises BenchmarkError."""
    for topic, partitions in TOPICS.items():
        site.observer.renew(topic, partitions)
    turn = Turn(site, version, messages)
    with turn.service("ping") as ping, turn.api() as api:
        turn.await_start({"ping": ping, "api": api.process}, lambda: api.answers(f"/ping/1000/{SIZE}"))
        sending = turn.send(api)
        with turn.service("pong") as pong:
            turn.await_start({"pong": pong}, lambda: site.observer.count("ping") > 0)
            turn.await_bounced()
            latency = turn.time_small_requests(api)
            bounce, cpu = turn.bounce(api, [ping.pid, pong.pid])
    return Figures(messages / sending, messages / bounce, 1000 * latency, 1e6 * cpu / messages)


class Turn:
    """The steps of a turn. `send` and `bounce` check Kafka's offsets: nothing was lost, nothing came twice."""

    def __init__(self, site: Site, version: Version, messages: int):
        self._site = site
        self._observer = site.observer
        self._version = version
        self._messages = messages

    def service(self, name: str) -> AbstractContextManager[Process]:
        # An older version may exit with a code other than 0, so the exit code is not checked.
        # Kafka's offsets show if the version did its work.
        return service(self._site.log(name), name, exits_well=False, folder=self._version.folder)

    def api(self) -> AbstractContextManager[Api]:
        return Api.running(self._site.log("api"), exits_well=False, folder=self._version.folder)

    def await_start(self, processes: Mapping[str, Process], ready: Callable[[], bool]) -> None:
        """Wait until `ready` returns True. Raises BenchmarkError if a process ends or time is up."""

        def ended() -> list[str]:
            return [name for name, process in processes.items() if not process.running]

        done = wait_until(lambda: ended() or ready(), START_SECONDS, 0.1)
        for name in ended():
            raise BenchmarkError(f"{name} of {self._version.name} does not start{self._missing_package(name)}.")
        if not done:
            names = " and ".join(processes)
            raise BenchmarkError(
                f"{names} of {self._version.name} did nothing within {START_SECONDS} s of their start."
            )

    def send(self, api: Api) -> float:
        """Return how many seconds one request takes to send all messages."""
        before = self._observer.count("pong")
        seconds = api.get(f"/ping/{self._messages}/{SIZE}")
        expect(f"messages sent by {self._version.name}", self._observer.count("pong") - before, self._messages)
        return seconds

    def await_bounced(self) -> None:
        await_bounced(self._observer, self._observer.count("pong"))

    def time_small_requests(self, api: Api) -> float:
        """Return the median time of REQUESTS requests for one message, in seconds."""
        median = statistics.median(one_by_one(api, REQUESTS))
        self.await_bounced()
        return median

    def bounce(self, api: Api, pids: list[int]) -> tuple[float, float]:
        """Send all messages, and wait until they are bounced.

        Return the seconds from the request to the last commit of ping and pong, and the CPU seconds of these processes.
        """
        before = self._observer.count("pong")
        cpu_before = sum(map(cpu_seconds, pids))
        started = time.perf_counter()
        api.get(f"/ping/{self._messages}/{SIZE}")
        await_bounced(self._observer, before + self._messages)
        return time.perf_counter() - started, sum(map(cpu_seconds, pids)) - cpu_before

    def _missing_package(self, name: str) -> str:
        log = self._site.log(name).read_text(errors="replace")
        found = re.search(r"^ModuleNotFoundError: No module named '([\w.]+)'", log, re.MULTILINE)
        return f": it needs {found[1]}, which is not installed any more" if found else ""
