"""docs/metrics.md lists every metric in the order of the code. It lists the API's metrics with their labels."""

import re

import pytest

from api.metrics import definitions
from api.metrics.definitions import COUNTER, METRICS, Metric
from local import ROOT
from messaging.extensions import metrics as service

SECTIONS = [
    section.partition("\n") for section in re.split(r"^## ", (ROOT / "docs/metrics.md").read_text(), flags=re.M)
]
DOCUMENTED = {
    title.lower(): re.findall(r"^\| `(pingpong_\w+)(?:{([\w,]+)})?` \|", text, re.M) for title, _, text in SECTIONS
}


def as_documented(metric: Metric) -> tuple[str, str]:
    return metric.name, ",".join(metric.labels)


@pytest.mark.parametrize(
    "section",
    [definitions.PRODUCER, definitions.BROKERS, definitions.TOPICS, definitions.CONSUMERS, definitions.MORE],
)
def test_the_metrics_of_the_api_are_documented(section):
    assert DOCUMENTED[section] == [as_documented(metric) for metric in METRICS if metric.section == section]


def test_the_metrics_of_the_services_are_documented():
    counters = service.ACKNOWLEDGED, service.FAILED, service.AGAIN, service.RECEIVED
    gauges = service.WORKERS, service.BUSY, service.STALL

    assert [name for name, _ in DOCUMENTED["services"]] == [*(f"{name}_total" for name in counters), *gauges]


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_names_follow_the_rules_of_prometheus(metric):
    assert metric.name.endswith("_total") == (metric.kind == COUNTER)
    assert re.fullmatch("pingpong_[a-z_]+", metric.name)
    assert metric.help.endswith(".")
