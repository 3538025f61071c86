"""The files of Prometheus and Grafana: they are valid, and ask only for metrics that exist."""

import json
import os
import re
import shutil
import subprocess

import pytest
import yaml

from api.metrics.definitions import LATENCY, METRICS
from local import ROOT
from messaging.extensions import metrics as service

DEPLOY = ROOT / "deploy"
RULES = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())["groups"][0]["rules"]
DASHBOARD = json.loads((DEPLOY / "grafana/dashboards/pingpong.json").read_text())
QUERIES = [rule["expr"] for rule in RULES] + [
    target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())
]
KNOWN = {
    *(metric.name for metric in METRICS),
    f"{LATENCY.name}_bucket",
    *(f"{name}_total" for name in (service.ACKNOWLEDGED, service.FAILED, service.AGAIN, service.RECEIVED)),
    service.WORKERS,
    service.BUSY,
    service.STALL,
}


@pytest.mark.parametrize("query", QUERIES)
def test_queries_are_about_metrics_that_exist(query):
    names = set(re.findall(r"\bpingpong_\w+", query))

    assert names <= KNOWN
    assert names or query == "up == 0"


def test_the_dashboard_has_the_sections_of_the_specification_in_their_order():
    rows = [panel["title"] for panel in DASHBOARD["panels"] if panel["type"] == "row"]

    assert rows[:4] == ["Producer", "Brokers", "Topics", "Consumers"]


def test_the_dashboard_uses_the_data_source_that_is_provisioned():
    [source] = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"]

    for panel in DASHBOARD["panels"]:
        assert panel["type"] == "row" or panel["datasource"]["uid"] == source["uid"]


def test_promtool_finds_nothing_wrong():
    promtool = shutil.which("promtool") or os.environ.get("PROMTOOL")
    if not promtool:
        pytest.skip("promtool is missing here: apt-get install prometheus, or set PROMTOOL.")
    command = [promtool, "check", "config", str(DEPLOY / "prometheus/prometheus.yml")]
    check = subprocess.run(command, capture_output=True, timeout=20)

    assert check.returncode == 0, check.stdout + check.stderr
