"""Measures how fast a request sends messages, compared with plain send loops."""

from collections.abc import Callable

from benchmarks import expect
from benchmarks.contenders.loops import SIZE
from benchmarks.processes import output_of
from benchmarks.results import Rate, Section, at_least
from benchmarks.site import Site

ROUNDS = 3
MESSAGES = 200_000


def measure_sending(site: Site) -> Section:
    """Compare requests with send loops. pong is not running, so nothing consumes the messages.

    The time of a send loop ends when Kafka has acknowledged all messages of this loop.
    """
    site.fill("pong", MESSAGES)  # warms up Kafka, because a JVM is slow at first
    with site.service("ping"), site.api() as api:
        api.wait(f"/ping/1000/{SIZE}")
        contenders: dict[str, Callable[[], float]] = {
            f"GET /ping/{MESSAGES}/{SIZE}": lambda: api.get(f"/ping/{MESSAGES}/{SIZE}"),
            "send loop, native threads": lambda: send_loop("threads"),
            "send loop, monkey-patched": lambda: send_loop("eventlet"),
        }
        rates = [Rate(name) for name in contenders]
        for _ in range(ROUNDS):
            for rate, send in zip(rates, contenders.values(), strict=True):
                before = site.observer.count("pong")
                seconds = send()
                expect(f"messages sent by {rate.name}", site.observer.count("pong") - before, MESSAGES)
                rate.rounds.append(MESSAGES / seconds)
    request, _, patched = rates
    return Section(f"Sending {MESSAGES:,} messages", rates, [at_least(0.8, request, patched)])


def send_loop(threads: str) -> float:
    return float(output_of("benchmarks.contenders.loops", threads, "send", "pong", str(MESSAGES)))
