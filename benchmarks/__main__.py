"""How fast the services are, beside plain kafka-python loops and the textbook design.

Starts brokers of its own, measures one thing after the other with messages of 100 bytes, prints tables, and ends with
the goals that were met or not. What is compared takes turns, round by round, and medians are quoted: the load that
other programs bring then hits all alike. Every figure is quoted only after Kafka's offsets have shown that all was
delivered, and nothing twice.

Exits with 1 if something was lost or broke; a missed goal is not an error, it may be the noise of the machine.
"""

import argparse
import os
import platform
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks import BenchmarkError
from benchmarks.loops import SIZE
from benchmarks.observer import Observer, drain
from benchmarks.processes import Api, handled, output_of, resident_mb, running, service
from benchmarks.results import Goal, Latency, Memory, Rate, Section, at_least
from local import LocalError
from local.brokers import Brokers
from local.brokers.install import JARS

ROUNDS = 3
SENT = 200_000
CONSUMED = 300_000
CONSUMED_BY_TEXTBOOK = 30_000
REQUESTS = 200
BOUNCED = 1_000_000


@dataclass
class Site:
    """Where it all takes place."""

    directory: Path
    observer: Observer

    def log(self, name: str) -> Path:
        return self.directory / f"{name}.log"

    def service(self, name: str) -> AbstractContextManager:
        return service(self.log(name), name)

    def api(self) -> AbstractContextManager[Api]:
        return Api.running(self.log("api"))

    def fill(self, topic: str, messages: int) -> None:
        output_of("benchmarks.loops", "threads", "fill", topic, str(messages))


def sending(site: Site) -> Section:
    """Pong is stopped. Each is timed from its first send to the last acknowledgement, the request as a whole."""

    def loop(threads: str) -> float:
        return float(output_of("benchmarks.loops", threads, "send", "pong", str(SENT)))

    site.fill("pong", SENT)  # a JVM is slow at first
    with site.service("ping"), site.api() as api:
        api.wait(f"/ping/1000/{SIZE}")
        contenders: dict[str, Callable[[], float]] = {
            f"GET /ping/{SENT}/{SIZE}": lambda: api.get(f"/ping/{SENT}/{SIZE}"),
            "send loop, native threads": lambda: loop("threads"),
            "send loop, monkey-patched": lambda: loop("eventlet"),
        }
        rates = [Rate(name) for name in contenders]
        for _ in range(ROUNDS):
            for rate, send in zip(rates, contenders.values(), strict=True):
                before = site.observer.count("pong")
                seconds = send()
                expect(f"messages sent by {rate.name}", site.observer.count("pong") - before, SENT)
                rate.rounds.append(SENT / seconds)
    request, _, patched = rates
    return Section(f"Sending {SENT:,} messages", rates, [at_least(0.8, request, patched)])


@dataclass
class Contender:
    """Something that, once it is started, consumes so many messages as `group`; the path is that of its log."""

    name: str
    group: str
    messages: int
    start: Callable[[Path], AbstractContextManager]
    answers: bool = False


def answering(site: Site) -> Section:
    """Pong, with an answer to each message."""
    rates = consuming(site, "pong", answers=True)
    return Section("Consuming in pong, with an answer to each message", rates, consuming_goals(6, rates))


def receiving(site: Site) -> Section:
    """Ping, which answers nothing."""
    rates = consuming(site, "ping", answers=False)
    return Section("Consuming in ping", rates, consuming_goals(10, rates))


def consuming_goals(times: float, rates: list[Rate]) -> list[Goal]:
    return [at_least(times, rates[0], rates[-1]), at_least(0.95, rates[0], rates[1])]


def consuming(site: Site, topic: str, answers: bool) -> list[Rate]:
    """How fast each contender gets through messages that are in the topic before it starts.

    All are timed alike, from outside, see `Drain`: a message is done when its offset is committed and, where there are
    answers, as many answers are in topic ping.
    """

    def loop(threads: str) -> Callable[[Path], AbstractContextManager]:
        # it may be ended in the middle of closing, by the one who has seen its last commit
        command = sys.executable, "-m", "benchmarks.loops", threads, "poll", topic, "loop", str(CONSUMED)
        return lambda log: running(log, command, exits_well=False)

    def unrecorded(log: Path) -> AbstractContextManager:
        return service(log, f"benchmarks.unrecorded:{topic.title()}Service")

    def textbook(log: Path) -> AbstractContextManager:
        # nameko-kafka closes the consumer in the middle of its poll(), and ends in an exception
        return service(log, f"benchmarks.textbook:Textbook{topic.title()}", exits_well=False)

    contenders = [
        Contender(f"{topic} service", topic, CONSUMED, lambda log: service(log, topic), answers),
        Contender(f"{topic} service, runs not recorded", topic, CONSUMED, unrecorded, answers),
        Contender("poll loop, native threads", "loop", CONSUMED, loop("threads")),
        Contender("poll loop, monkey-patched", "loop", CONSUMED, loop("eventlet")),
        Contender("textbook service", f"textbook_{topic}", CONSUMED_BY_TEXTBOOK, textbook, answers),
    ]
    site.fill(topic, CONSUMED)
    rates = [Rate(contender.name) for contender in contenders]
    for _ in range(ROUNDS):
        for rate, contender in zip(rates, contenders, strict=True):
            rate.rounds.append(consume(site, topic, contender))
    return rates


def consume(site: Site, topic: str, contender: Contender) -> float:
    """The contender's rate in messages per second, see `consuming`."""
    name, group, messages, log = contender.name, contender.group, contender.messages, site.log(contender.name)
    observer = site.observer
    observer.rewind(group, topic, messages)
    answered_before = observer.count("ping")

    def left() -> int:
        uncommitted = observer.lag(group, topic)
        return (
            max(uncommitted, messages - observer.count("ping") + answered_before) if contender.answers else uncommitted
        )

    with contender.start(log):
        rate = drain(left).rate
    expect(f"messages handled by {name}", handled(log, topic), messages)
    expect(f"answers of {name}", observer.count("ping") - answered_before, messages if contender.answers else 0)
    return rate


def latency(site: Site) -> Section:
    """One request at a time to an idle stack, each over its own connection; the first ones do not count."""
    path = "/ping/1/1"
    warm_up = 20
    with site.service("ping"), site.service("pong"), site.api() as api:
        api.wait("/readyz")
        seconds = []
        for _ in range(warm_up + REQUESTS):
            seconds.append(api.get(path))
            time.sleep(0.03)  # for the answer to come back to ping: idle means idle
        await_bounced(site, warm_up + REQUESTS)
    result = Latency(f"GET {path}", [1000 * number for number in seconds[warm_up:]])
    p50 = result.percentile(50)
    goal = Goal(f"median of {result.name} < 20 ms", f"{p50:.1f} ms", p50 < 20)
    return Section(f"Latency of {REQUESTS} requests, one after the other", [result], [goal])


def memory(site: Site) -> Section:
    """Resident memory, each 0.5 s, while one request has a million messages bounced."""
    with site.service("ping") as ping, site.service("pong") as pong, site.api() as api:
        api.wait("/readyz")
        pids = {"ping": ping.pid, "pong": pong.pid}
        pids |= {f"api worker {number}": pid for number, pid in enumerate(api.workers, 1)}
        samples = [resident_mb(pids)]
        over = threading.Event()

        def sample() -> None:
            while not over.wait(0.5):
                samples.append(resident_mb(pids))

        sampler = threading.Thread(target=sample)
        sampler.start()
        try:
            started = time.perf_counter()
            sent = api.get(f"/ping/{BOUNCED}/{SIZE}")
            await_bounced(site, BOUNCED)
            bounced = time.perf_counter() - started
        finally:
            over.set()
            sampler.join()
        samples.append(resident_mb(pids))
    results = [
        Memory(name, samples[0][name], max(moment[name] for moment in samples), samples[-1][name]) for name in pids
    ]
    growth = max(result.growth for result in results)
    goal = Goal("no process grows by more than 100 MB", f"{growth:.0f} MB", growth <= 100)
    note = (
        f"Sent in {sent:.1f} s ({BOUNCED / sent:,.0f} msg/s), all answered and consumed after {bounced:.1f} s"
        f" ({BOUNCED / bounced:,.0f} msg/s)."
    )
    return Section(f"Memory while {BOUNCED:,} messages are bounced", results, [goal], note)


def await_bounced(site: Site, messages: int) -> None:
    """Wait until so many messages went to pong and, answered, to ping, and all is committed."""
    count, lag = site.observer.count, site.observer.lag
    expect("messages in topic pong", count("pong"), messages)
    drain(lambda: max(messages - count("ping"), lag("pong", "pong"), lag("ping", "ping")))
    expect("messages in topic ping", count("ping"), messages)
    for name in "ping", "pong":
        expect(f"messages handled by {name}", handled(site.log(name), name), messages // 100 * 100)


def expect(what: str, count: int, expected: int) -> None:
    if count != expected:
        raise BenchmarkError(f"{what}: {count} of {expected}")


PIECES = {piece.__name__: piece for piece in (sending, answering, receiving, latency, memory)}


def environment() -> str:
    """Date, versions and machine, on which every figure depends."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("kafka-python", "nameko", "nameko-kafka"))
    kafka = next(JARS.glob("kafka-clients-*.jar")).stem.removeprefix("kafka-clients-")
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {SIZE}-byte messages\n"
        f"Python {platform.python_version()}, {packages}, Kafka {kafka}\n"
        f"{os.cpu_count()} cores ({models[0] if models else 'unknown'}), {gib:.0f} GiB of memory,"
        f" load before {os.getloadavg()[0]:.1f}\n"
    )


def measure(names: list[str]) -> None:
    """Run the pieces of these names and print what they find."""
    print(environment(), flush=True)
    started = time.perf_counter()
    goals = []
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as directory, Brokers(directory) as brokers:
        os.environ.update(brokers.environment)  # for all that is started from here
        site = Site(Path(directory), Observer(brokers.kafka_bootstrap))
        for name in names:
            for topic in "ping", "pong":
                site.observer.renew(topic)
            section = PIECES[name](site)
            print(section, end="\n\n", flush=True)
            goals += section.goals
    print("Goals", *goals, sep="\n  ")
    print(f"\nNothing was lost, nothing came twice. Took {time.perf_counter() - started:.0f} s.")
    if not all(goal.met for goal in goals):
        print("A goal may be missed where other programs keep the machine busy: try again.")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", metavar="NAME", nargs="*", help=f"{', '.join(PIECES)}; without any, all of them")
    names = parser.parse_args().names or list(PIECES)
    if unknown := set(names) - set(PIECES):
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(PIECES)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    try:
        measure(names)
    except (BenchmarkError, LocalError) as error:
        sys.exit(f"Failed: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
