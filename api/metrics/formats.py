"""The values of the metrics, as text for Prometheus, and as JSON for the page."""

from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as Family

from api.metrics.definitions import COUNTER, GAUGE, LATENCY, METRICS, Metric
from api.metrics.probe import PACE_SECONDS
from api.metrics.values import Labels, Values
from api.runs.totals import BOUNDS

EVERY = 3
"""The JSON contains every third past value. That is enough for the page's small charts."""

LE = [*(str(bound) for bound in BOUNDS), "+Inf"]


def as_text(values: Values) -> bytes:
    """Return the values in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(values))
    return generate_latest(registry)


class _Collector:
    def __init__(self, values: Values):
        self._values = values

    def collect(self) -> Iterator[Family]:
        for metric in METRICS:
            family = self._family(metric)
            if family.samples:
                yield family

    def _family(self, metric: Metric) -> Family:
        if metric is LATENCY:
            histograms = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
            for labels, histogram in self._values.histograms.items():
                buckets = [(bound, float(count)) for bound, count in zip(LE, histogram.counts, strict=True)]
                histograms.add_metric(labels, buckets, histogram.sum)
            return histograms
        make = CounterMetricFamily if metric.kind == COUNTER else GaugeMetricFamily
        family = make(metric.name, metric.help, labels=metric.labels)
        for labels, value in self._values.numbers.get(metric, {}).items():
            family.add_metric(labels, value)
        return family


def as_json(newest: Values, history: Sequence[Values]) -> dict[str, object]:
    """Return the values for the page's JSON. Each gauge also has its recent history."""
    history = history[::-1][::EVERY][::-1]
    return {
        "at": newest.at,
        "pace_seconds": PACE_SECONDS * EVERY,
        "times": [round(values.at, 3) for values in history],
        "metrics": {metric.name: _describe(metric, newest, history) for metric in METRICS},
    }


def _describe(metric: Metric, newest: Values, history: Sequence[Values]) -> dict[str, object]:
    described: dict[str, object] = {"type": metric.kind, "section": metric.section, "help": metric.help}
    if metric is LATENCY:
        described["values"] = [
            {
                "labels": dict(zip(metric.labels, labels, strict=True)),
                "buckets": dict(zip(LE, histogram.counts, strict=True)),
                "sum": histogram.sum,
            }
            for labels, histogram in newest.histograms.items()
        ]
        return described
    described["values"] = [
        {"labels": dict(zip(metric.labels, labels, strict=True)), "value": value}
        for labels, value in newest.numbers.get(metric, {}).items()
    ]
    if metric.kind == GAUGE:
        described["history"] = _history(metric, history)
    return described


def _history(metric: Metric, history: Sequence[Values]) -> list[dict[str, object]]:
    """Return the past values of a metric. The values of all partitions are merged into one value.

    None stands for a moment without a value.
    """
    kept = [index for index, label in enumerate(metric.labels) if label != "partition"]
    moments: list[dict[Labels, list[float]]] = []
    for values in history:
        moments.append({})
        for labels, value in values.numbers.get(metric, {}).items():
            moments[-1].setdefault(tuple(labels[index] for index in kept), []).append(value)
    names = [metric.labels[index] for index in kept]
    return [
        {
            "labels": dict(zip(names, labels, strict=True)),
            "values": [_short(metric.merge(moment[labels])) if labels in moment else None for moment in moments],
        }
        for labels in dict.fromkeys(labels for moment in moments for labels in moment)
    ]


def _short(value: float) -> float:
    """Round to four significant digits, because more digits would only make the JSON larger."""
    return float(f"{value:.4g}")
