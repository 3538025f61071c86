"""kafka-python's own measurements stop, for existing connections and for later ones."""

from types import SimpleNamespace

import pytest
from kafka.metrics import Metrics
from kafka.metrics.stats import Count

from messaging.clients.kafka_python.quiet import stop_measuring


@pytest.fixture
def metrics():
    metrics = Metrics()
    count(metrics, "before")
    return metrics


def count(metrics, name):
    metrics.sensor(name).add(metrics.metric_name(name, "test"), Count())


def record(metrics, name):
    metrics.get_sensor(name).record()
    return metrics.metrics[metrics.metric_name(name, "test")].value()


def test_kafka_python_measures_by_default(metrics):
    assert record(metrics, "before") == 1


def test_nothing_is_measured_any_more(metrics):
    stop_measuring(SimpleNamespace(_metrics=metrics))
    count(metrics, "after")

    assert record(metrics, "before") == record(metrics, "after") == 0
