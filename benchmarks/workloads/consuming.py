"""Measures how fast ping and pong consume their topics, compared with plain poll loops and the textbook design."""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import expect
from benchmarks.drain import drain
from benchmarks.processes import handled, running, service
from benchmarks.results import Goal, Rate, Section, at_least
from benchmarks.site import Site
from local.processes import Process

ROUNDS = 3
MESSAGES = 300_000
MESSAGES_OF_TEXTBOOK = 30_000

Started = AbstractContextManager[Process]


@dataclass
class Contender:
    """A program that consumes `messages` messages in consumer group `group`.

    `start` starts the program, and takes the path of the log file.
    """

    name: str
    group: str
    messages: int
    start: Callable[[Path], Started]
    answers: bool = False


def measure_answering(site: Site) -> Section:
    """Measure pong, which answers each message."""
    rates = measure_consuming(site, "pong", answers=True)
    return Section("Consuming in pong, with an answer to each message", rates, goals(6, rates))


def measure_receiving(site: Site) -> Section:
    """Measure ping, which sends no answers."""
    rates = measure_consuming(site, "ping", answers=False)
    return Section("Consuming in ping", rates, goals(10, rates))


def goals(times_textbook: float, rates: list[Rate]) -> list[Goal]:
    recorded, unrecorded, *_, textbook = rates
    return [at_least(times_textbook, recorded, textbook), at_least(0.95, recorded, unrecorded)]


def measure_consuming(site: Site, topic: str, answers: bool) -> list[Rate]:
    """Return how fast each contender handles messages that were in the topic before the contender started.

    `drain` measures all contenders in the same way, by Kafka's offsets. A message is done when its offset is committed
    and, if the contender answers, its answer is in topic ping.
    """
    contenders = contenders_for(topic, answers)
    site.fill(topic, MESSAGES)
    rates = [Rate(contender.name) for contender in contenders]
    for _ in range(ROUNDS):
        for rate, contender in zip(rates, contenders, strict=True):
            rate.rounds.append(consume(site, topic, contender))
    return rates


def contenders_for(topic: str, answers: bool) -> list[Contender]:
    def loop(threads: str) -> Callable[[Path], Started]:
        command = sys.executable, "-m", "benchmarks.contenders.loops", threads, "poll", topic, "loop", str(MESSAGES)
        # SIGTERM is sent as soon as the last commit is seen. If the loop is still closing its consumer at that moment,
        # SIGTERM kills the loop, and the exit code is not 0.
        return lambda log: running(log, command, exits_well=False)

    def unrecorded(log: Path) -> Started:
        return service(log, f"benchmarks.contenders.unrecorded:{topic.title()}Service")

    def textbook(log: Path) -> Started:
        # At the end, nameko-kafka closes the consumer while poll() is running. Then poll() raises an exception, so the
        # exit code can be another than 0.
        return service(log, f"benchmarks.contenders.textbook:Textbook{topic.title()}", exits_well=False)

    return [
        Contender(f"{topic} service", topic, MESSAGES, lambda log: service(log, topic), answers),
        Contender(f"{topic} service, runs not recorded", topic, MESSAGES, unrecorded, answers),
        Contender("poll loop, native threads", "loop", MESSAGES, loop("threads")),
        Contender("poll loop, monkey-patched", "loop", MESSAGES, loop("eventlet")),
        Contender("textbook service", f"textbook_{topic}", MESSAGES_OF_TEXTBOOK, textbook, answers),
    ]


def consume(site: Site, topic: str, contender: Contender) -> float:
    """Return the contender's rate in messages per second; see `measure_consuming`."""
    observer, log = site.observer, site.log(contender.name)
    messages = contender.messages
    answers = messages if contender.answers else 0
    observer.rewind(contender.group, topic, messages)
    answered_before = observer.count("ping")

    def left() -> int:
        uncommitted = observer.lag(contender.group, topic)
        return max(uncommitted, answers - observer.count("ping") + answered_before) if answers else uncommitted

    with contender.start(log):
        rate = drain(left).rate
    expect(f"messages handled by {contender.name}", handled(log, topic), messages)
    expect(f"answers of {contender.name}", observer.count("ping") - answered_before, answers)
    return rate
