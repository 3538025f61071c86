"""How fast messages bounce from ping to pong and back, with each Kafka client, and how fast they are sent meanwhile."""

import time

from benchmarks.contenders.loops import SIZE
from benchmarks.processes import service
from benchmarks.results import Rate, Section, at_least
from benchmarks.site import Site
from benchmarks.workloads.bounce import await_bounced

ROUNDS = 3
MESSAGES = 1_000_000
WARM_UP = 100_000
CLIENTS = "kafka-python", "confluent-kafka"


def measure_bouncing(site: Site) -> Section:
    """A bounce is over when each message has an answer in topic ping, and both services have committed."""
    rates: list[Rate] = []
    for client in CLIENTS:
        for topic in "ping", "pong":
            site.observer.renew(topic)
        rates += measure_bounce(site, client)
    whole, _, faster, _ = rates
    return Section(f"A whole bounce of {MESSAGES:,} messages", rates, [at_least(3, faster, whole)])


def measure_bounce(site: Site, client: str) -> tuple[Rate, Rate]:
    """Return the rates of the whole bounce and of the sending meanwhile."""
    whole, sending = Rate(f"whole bounce, {client}"), Rate(f"sending meanwhile, {client}")
    logs = [site.log(f"{name}-{client}") for name in ("ping", "pong")]
    with (
        service(logs[0], "ping", KAFKA_CLIENT=client),
        service(logs[1], "pong", KAFKA_CLIENT=client),
        site.api() as api,
    ):
        api.wait(f"/ping/{WARM_UP}/{SIZE}")
        total = WARM_UP
        await_bounced(site.observer, total)
        for _ in range(ROUNDS):
            started = time.perf_counter()
            sending.rounds.append(MESSAGES / api.get(f"/ping/{MESSAGES}/{SIZE}"))
            total += MESSAGES
            await_bounced(site.observer, total)
            whole.rounds.append(MESSAGES / (time.perf_counter() - started))
    return whole, sending
