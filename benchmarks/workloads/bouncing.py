"""Measures how fast each design bounces messages between ping and pong, and how fast ping sends them meanwhile."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from statistics import median

from benchmarks import BenchmarkError, expect
from benchmarks.designs import Ours, Textbook
from benchmarks.designs.services import Services
from benchmarks.results import Goal, Memory, Rate, Section, at_least
from benchmarks.site import Site
from benchmarks.workloads.memory import sampled

ROUNDS = 3
MESSAGES = 1_000_000
LOOK_SECONDS = 0.2
LARGE = 10_000_000
LONGEST_SECONDS = 600

KAFKA_PYTHON, CONFLUENT = "kafka-python", "confluent-kafka"
AT_LEAST_ONCE, EXACTLY_ONCE = "at-least-once", "exactly-once"


@dataclass(frozen=True)
class Contender:
    """A design, and how many messages it bounces in each round."""

    name: str
    messages: int
    start: Callable[[Site], Services]


def ours(client: str, delivery: str) -> Callable[[Site], Services]:
    return partial(Ours, client=client, delivery=delivery)


CONTENDERS = (
    Contender("textbook", 30_000, Textbook),
    Contender(f"{KAFKA_PYTHON}, {AT_LEAST_ONCE}", 300_000, ours(KAFKA_PYTHON, AT_LEAST_ONCE)),
    Contender(f"{CONFLUENT}, {AT_LEAST_ONCE}", MESSAGES, ours(CONFLUENT, AT_LEAST_ONCE)),
    Contender(f"{CONFLUENT}, {EXACTLY_ONCE}", MESSAGES, ours(CONFLUENT, EXACTLY_ONCE)),
)


def measure_bouncing(site: Site) -> Section:
    """Measure whole bounces. A bounce is over when ping has every answer on record.

    The textbook design has no journal. Its bounce is over when ping and pong have committed everything.
    """
    rates = [measure_bounces(site, contender) for contender in CONTENDERS]
    (textbook, _), _, (once_or_more, while_once_or_more), (once, while_once) = rates
    goals = [
        _at_least(100_000, once),
        at_least(30, once, textbook),
        _at_least(140_000, once_or_more),
        *(_at_least(200_000, sending) for sending in (while_once_or_more, while_once)),
    ]
    return Section("Whole bounces, and ping's sending during them", [rate for pair in rates for rate in pair], goals)


def measure_bounces(site: Site, contender: Contender) -> tuple[Rate, Rate]:
    """Return two rates: of whole bounces, and of ping's sending during these bounces."""
    whole, sending = Rate(contender.name), Rate(f"  sending, {contender.name}")
    with running(site, contender.start) as services:
        # The first bounce is not measured. It warms up the parts of Kafka's JVM that this design uses.
        bounce(services, contender.messages)
        for _ in range(ROUNDS):
            sent, bounced = bounce(services, contender.messages)
            sending.rounds.append(contender.messages / sent)
            whole.rounds.append(contender.messages / bounced)
    return whole, sending


def measure_scaling(site: Site) -> Section:
    """Compare a bounce of 10 million messages (LARGE) with bounces of a million (MESSAGES). All are exactly-once."""
    start = partial(Ours, client=CONFLUENT, delivery=EXACTLY_ONCE, MAX_MESSAGES=str(LARGE))
    with running(site, start) as services:
        bounce(services, MESSAGES)
        with sampled({name: services.pids[name] for name in ("ping", "pong")}) as samples:
            _, long = bounce(services, LARGE)
        # The short runs come last, so that Kafka's JVM is warm for them too.
        short = median(bounce(services, MESSAGES)[1] for _ in range(ROUNDS))
    results = [Memory(name, samples[0][name], max(s[name] for s in samples), samples[-1][name]) for name in samples[0]]
    growth = max(result.growth for result in results)
    goals = [
        Goal(f"{LARGE:,} messages take 10 x the time of {MESSAGES:,}, within 15 %", f"{long / short:.1f} x",
             8.5 <= long / short <= 11.5),
        Goal("neither service grows by more than 100 MB", f"{growth:.0f} MB", growth <= 100),
    ]  # fmt: skip
    note = f"{MESSAGES:,} messages took {short:.1f} s, and {LARGE:,} took {long:.1f} s."
    return Section(f"Memory while {LARGE:,} messages are bounced exactly once", results, goals, note)


@contextmanager
def running(site: Site, start: Callable[[Site], Services]) -> Iterator[Services]:
    """Run a design on empty topics."""
    for topic in "ping", "pong":
        site.observer.renew(topic)
    services = start(site)
    try:
        services.start()
        yield services
    finally:
        services.end()


def bounce(services: Services, messages: int) -> tuple[float, float]:
    """Return the seconds until all messages were sent, and until the bounce was over."""
    started = time.perf_counter()
    services.send(messages)
    sent: float | None = None
    while (seconds := time.perf_counter() - started) < LONGEST_SECONDS:
        progress = services.progress()
        if sent is None and progress.stages["sent"] == messages:
            sent = seconds
        if progress.over:
            expect("messages that ping received", progress.stages["received"], messages)
            return sent or seconds, seconds
        services.check()
        time.sleep(LOOK_SECONDS)
    raise BenchmarkError(f"{messages:,} messages were not bounced within {LONGEST_SECONDS} s.")


def _at_least(rate: float, reached: Rate) -> Goal:
    return Goal(f"{reached.name.strip()} >= {rate:,} msg/s", f"{reached.median:,.0f} msg/s", reached.median >= rate)
