"""Computes the metrics from the newest looks at the brokers and the runs. Pure. Unknown values are absent, not 0."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from api.metrics import definitions as d
from api.metrics.definitions import Metric
from api.metrics.formulas import growth, skew
from api.metrics.kafka import KafkaLook
from api.metrics.rabbitmq import RabbitLook
from api.runs.janitor import GROUPS
from api.runs.model import STAGES
from api.runs.totals import BOUNDS, Point, RunTotals, Totals
from api.runs.view import RunState
from messaging.clients.protocols import Partition
from messaging.journal.states import SENT

POINTS = [Point(service, stage) for service, stages in STAGES.items() for stage in stages]
PRODUCED = {"ping": [Point("ping", SENT)], "pong": [Point("pong", SENT), Point("ping", "pong_answered")]}
"""The stages that count what each service sends."""

Labels = tuple[str, ...]


@dataclass(frozen=True)
class Histogram:
    """`counts[i]` is the number of latencies up to `BOUNDS[i]`. The last item counts all. `sum` is in seconds."""

    counts: Sequence[int]
    sum: float


@dataclass
class Values:
    """All values of one moment. `at` is its time, in seconds since the epoch."""

    at: float
    numbers: dict[Metric, dict[Labels, float]] = field(default_factory=lambda: defaultdict(dict))
    histograms: dict[Labels, Histogram] = field(default_factory=dict)
    """The histograms of LATENCY."""

    def set(self, metric: Metric, value: float | None, *labels: object) -> None:
        if value is not None:
            self.numbers[metric][tuple(map(str, labels))] = value


@dataclass(frozen=True)
class TotalsLook:
    """The sums over all runs at one moment."""

    at: float
    totals: RunTotals


def values_at(
    at: float, kafka: Sequence[KafkaLook], rabbitmq: Sequence[RabbitLook], runs: Sequence[TotalsLook]
) -> Values:
    """Return the values at one moment.

    Each sequence contains recent looks, the newest last. If a sequence is empty, the values from it are unknown.
    """
    values = Values(at)
    values.set(d.KAFKA_UP, float(bool(kafka)))
    values.set(d.RABBITMQ_UP, float(bool(rabbitmq)))
    if kafka:
        _add_brokers(values, kafka)
        _add_topics(values, kafka)
        _add_consumers(values, kafka)
    if rabbitmq:
        for service, queue in rabbitmq[-1].queues.items():
            values.set(d.QUEUE_MESSAGES, queue.messages, service)
            values.set(d.QUEUE_CONSUMERS, queue.consumers, service)
    if runs:
        _add_runs(values, runs[-1].totals)
        _add_producer(values, runs)
    return values


def _add_brokers(values: Values, looks: Sequence[KafkaLook]) -> None:
    newest = looks[-1]
    leaders = Counter(newest.leaders.values())
    sizes = {broker: sum(logs.values()) for broker, logs in newest.log_bytes.items()}
    values.set(d.BROKER_COUNT, len(newest.brokers))
    for broker in sorted(newest.brokers):
        values.set(d.BROKER_LEADERS, leaders[broker], broker)
        values.set(d.BROKER_BYTES, sizes[broker], broker)
        points = [(look.at, sum(look.log_bytes[broker].values())) for look in looks if broker in look.log_bytes]
        values.set(d.BROKER_GROWTH, growth(points), broker)
    values.set(d.LEADER_SKEW, skew([leaders[broker] for broker in newest.brokers]))
    values.set(d.BROKER_SKEW, skew(list(sizes.values())))


def _add_topics(values: Values, looks: Sequence[KafkaLook]) -> None:
    newest = looks[-1]
    for partition, end in newest.ends.items():
        values.set(d.TOPIC_MESSAGES, end, *partition)
        values.set(d.TOPIC_BYTES, _log_bytes(newest, partition), *partition)
    for topic in GROUPS:
        own = [partition for partition in newest.ends if partition.topic == topic]
        known = [look for look in looks if own and all(partition in look.ends for partition in own)]
        came = [newest.ends[partition] - known[0].ends[partition] for partition in own]
        values.set(d.MESSAGE_SKEW, skew(came), topic)
        values.set(d.TOPIC_SKEW, skew([_log_bytes(newest, partition) for partition in own]), topic)
        for metric, size in (d.TOPIC_RATE, _end), (d.TOPIC_GROWTH, _log_bytes):
            values.set(metric, growth(_sums(known, own, size)), topic)


def _add_consumers(values: Values, looks: Sequence[KafkaLook]) -> None:
    newest = looks[-1]
    for partition, committed in newest.committed.items():
        values.set(d.CONSUMER_MESSAGES, committed, *partition)
        begin = max(committed, newest.beginnings[partition])
        values.set(d.LAG, max(0, newest.ends[partition] - begin), *partition)
        values.set(d.LAG_SECONDS, newest.lag_seconds[partition], *partition)
    for group in GROUPS:
        own = [partition for partition in newest.committed if partition.topic == group]
        known = [look for look in looks if own and all(partition in look.committed for partition in own)]
        values.set(d.CONSUMER_RATE, growth(_sums(known, own, _committed)), group)


def _add_producer(values: Values, looks: Sequence[TotalsLook]) -> None:
    known = [(look.at, look.totals.since_start) for look in looks if look.totals.since_start is not None]
    newest = looks[-1].totals.since_start
    if newest is None:
        return
    for service, points in PRODUCED.items():
        values.set(d.PRODUCER_MESSAGES, sum(newest.messages[point] for point in points), service)
        values.set(d.PRODUCER_BYTES, sum(newest.bytes[point] for point in points), service)
        values.set(d.PRODUCER_FAILED, sum(newest.failed[point] for point in points), service)
        values.set(d.PRODUCER_REPEATED, sum(newest.duplicates[point] for point in points), service)
        sent = [(at, sum(totals.messages[point] for point in points)) for at, totals in known]
        values.set(d.PRODUCER_RATE, growth(sent), service)


def _add_runs(values: Values, totals: RunTotals) -> None:
    for state in RunState:
        values.set(d.RUNS, totals.states[state], state)
    values.set(d.STALLED, totals.stalled)
    for point in POINTS:
        if point.stage != SENT:
            values.set(d.MISSING, totals.missing[point], *point)
        if totals.since_start is not None:
            values.set(d.STAGE_MESSAGES, totals.since_start.messages[point], *point)
            values.set(d.DUPLICATES, totals.since_start.duplicates[point], *point)
            values.histograms[point] = _histogram(totals.since_start, point)


def _histogram(totals: Totals, point: Point) -> Histogram:
    counts, seen = [], 0
    for bucket in range(len(BOUNDS) + 1):
        seen += totals.latencies[point, bucket]
        counts.append(seen)
    return Histogram(counts, totals.latency_sum[point] / 1e6)


def _sums(
    looks: Iterable[KafkaLook], partitions: Sequence[Partition], value: Callable[[KafkaLook, Partition], float]
) -> list[tuple[float, float]]:
    return [(look.at, sum(value(look, partition) for partition in partitions)) for look in looks]


def _end(look: KafkaLook, partition: Partition) -> int:
    return look.ends[partition]


def _committed(look: KafkaLook, partition: Partition) -> int:
    return look.committed[partition]


def _log_bytes(look: KafkaLook, partition: Partition) -> int:
    """Return the bytes of a partition on the disks of its leader."""
    logs: Mapping[Partition, int] = look.log_bytes.get(look.leaders[partition], {})
    return logs.get(partition, 0)
