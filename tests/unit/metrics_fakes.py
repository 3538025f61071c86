"""Fake measurements of Kafka, RabbitMQ and the runs."""

from collections import Counter
from collections.abc import Mapping, Sequence

from api.metrics.kafka import KafkaLook
from api.metrics.rabbitmq import RabbitLook
from api.metrics.values import TotalsLook
from api.rpc.connection import Queue
from api.runs.totals import Point, RunTotals, Totals
from messaging.clients.protocols import Partition

AT = 1_700_000_000.0


def kafka_look(
    at: float = AT,
    ends: Sequence[int] = (100, 100),
    committed: Sequence[int] | None = None,
    beginnings: Sequence[int] | None = None,
    log_bytes: Sequence[int] = (5000, 5000),
    brokers: Mapping[int, int] | None = None,
) -> KafkaLook:
    """Broker 1 leads all partitions of topic pong. `brokers` says how many other partitions each broker leads."""
    brokers = brokers or {1: 0}
    partitions = [Partition("pong", number) for number in range(len(ends))]
    others = {Partition(f"others-{b}", number): b for b, count in brokers.items() for number in range(count)}
    sizes = dict(zip(partitions, log_bytes, strict=True))
    return KafkaLook(
        at=at,
        brokers=frozenset(brokers),
        leaders=dict.fromkeys(partitions, 1) | others,
        log_bytes={b: (sizes if b == 1 else {}) | {p: 1000 for p, own in others.items() if own == b} for b in brokers},
        beginnings=dict(zip(partitions, beginnings or [0] * len(ends), strict=True)),
        ends=dict(zip(partitions, ends, strict=True)),
        committed=dict(zip(partitions, ends if committed is None else committed, strict=True)),
        lag_seconds=dict.fromkeys(partitions, 0.5),
    )


def rabbit_look(at: float = AT) -> RabbitLook:
    return RabbitLook(at, {"ping": Queue(3, 1), "pong": Queue(0, 0)})


def totals_look(at: float = AT, **messages: int) -> TotalsLook:
    """`messages` says how many messages of ping's runs each stage has seen. A message has 100 bytes and took 3 ms."""
    points = {Point("ping", stage): count for stage, count in messages.items()}
    totals = Totals(
        messages=Counter(points),
        bytes=Counter({point: 100 * count for point, count in points.items()}),
        latencies=Counter({(point, 2): count for point, count in points.items()}),
        latency_sum=Counter({point: 3000 * count for point, count in points.items()}),
    )
    return TotalsLook(at, RunTotals(totals, Counter({"done": 1}), Counter(), 0))
